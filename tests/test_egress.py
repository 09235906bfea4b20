"""Nothing opens a connection but the dialer: every other call and import that could is listed here with its reason."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawgate.policy.egress.policy import EgressPolicy, check_url
from clawgate.policy.egress.ranges import AddressKind
from clawgate.policy.egress.rules import Rule
from clawgate.settings.openclaw.own_settings import OwnSettings

PACKAGE = Path(__file__).parents[1] / "src" / "clawgate"

CALLS = frozenset({
    "connect", "connect_ex", "create_connection", "create_datagram_endpoint", "create_unix_connection",
    "getaddrinfo", "gethostbyname", "open_connection", "open_unix_connection", "sock_connect", "sock_sendto",
    "sendto", "urlopen", "urlretrieve",
})  # fmt: skip
IMPORTS = frozenset({
    "aiohttp", "ftplib", "http.client", "httpcore", "httpx", "imaplib", "mcp.client.sse", "mcp.client.streamable_http",
    "mcp.client.websocket", "poplib", "requests", "smtplib", "telnetlib", "urllib.request",
    "urllib3", "websockets.asyncio.client", "websockets.client", "websockets.sync.client", "xmlrpc.client",
})  # fmt: skip

LISTED = {
    # The dialer and its tunnels: to addresses that were checked.
    "relay/upstream/dial.py": {"create_connection", "getaddrinfo"},
    "relay/upstream/tunnel.py": {"create_connection"},
    # Transports of MCP's SDK, on a client of ours that the dialer connects.
    "agents/tools/mcp/http.py": {"mcp.client.sse", "mcp.client.streamable_http"},
    # Commands to a gateway: the one that runs here announced its address, a remote one is named by the operator.
    "cli/chat/conversation.py": {"connect"},
    "cli/gateway/remote_status.py": {"connect"},
    "cli/remote.py": {"connect"},
    "processes/instance/gateway_client.py": {"websockets.sync.client"},
    "processes/instance/health_client.py": {"connect"},
    # The database that the operator configured.
    "state/postgres.py": {"connect"},
    "state/sqlite.py": {"connect"},
    # DNS is asked, and nothing is dialled.
    "app/doctor/placeholders.py": {"getaddrinfo"},
    # No packet leaves: an address to listen at is looked up, or a socket only chooses its own address.
    "app/own_address.py": {"connect"},
    "cli/auth/wizard/setup_context.py": {"getaddrinfo"},
    "processes/instance/reexec.py": {"getaddrinfo"},
    "relay/downstream/server.py": {"getaddrinfo"},
    # A Unix socket of the service manager that started this process.
    "processes/instance/service_manager.py": {"sendto"},
    # No socket: `ModelRouter.connect` returns a provider's pool, whose connections the dialer opens.
    "app/gateway.py": {"connect"},
    "routing/router.py": {"connect"},
}


def ways_out(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in CALLS:
                yield name
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ) if name in IMPORTS:
                yield name
            case ast.Import(names=names):
                yield from (one.name for one in names if one.name in IMPORTS)
            case ast.ImportFrom(module=str(module), names=names):
                yield from {module, *(f"{module}.{one.name}" for one in names)} & IMPORTS
                yield from {one.name for one in names} & CALLS


def test_nothing_opens_a_connection_but_the_dialer_and_what_is_listed() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix(): ways
        for path in PACKAGE.rglob("*.py")
        if (ways := set(ways_out(path.read_text(encoding="utf-8"))))
    }
    assert found == LISTED, "send it through relay/upstream/dial.py"


@pytest.mark.parametrize(
    "source",
    [
        "import socket\nsocket.create_connection(('h', 1))",
        "from socket import create_connection as dial",
        "s.connect(('h', 1))",
        "await loop.sock_connect(s, a)",
        "await asyncio.open_connection('h', 1)",
        "import httpx",
        "import urllib.request as r",
        "from urllib import request",
        "from http.client import HTTPConnection",
        "importlib.import_module('aiohttp')",
        "def late():\n    import requests",
        "from websockets.sync.client import connect",
    ],
)
def test_a_way_out_is_seen_in_each_form(source: str) -> None:
    assert list(ways_out(f"async def f():\n    {source}" if "await" in source else source))


def test_what_opens_nothing_is_not_seen() -> None:
    assert not list(ways_out("import urllib.parse\nfrom http import HTTPStatus\nx.connection()\nf('httpx')"))


PAGE = (PACKAGE.parents[1] / "docs" / "egress.md").read_text(encoding="utf-8")


def test_the_spellings_of_the_page_are_what_it_says() -> None:
    section = PAGE.partition("## Spellings")[2].partition("## ")[0]
    urls = re.findall(r"`(http://[^`]+)`", section)
    assert len(urls) == 5
    assert {check_url(url, EgressPolicy(requester="test")).kind for url in urls} == {AddressKind.LOOPBACK}


def test_the_commands_of_the_page_set_what_validates() -> None:
    section = "plugins.entries.clawgate.config.network."
    commands = dict(
        re.findall(rf"^clawgate config set {re.escape(section)}(\w+) '(.+)'$", PAGE, flags=re.MULTILINE)
    )
    assert set(commands) == {"allow", "deny", "fakeIp"}
    network = {key: json.loads(value) for key, value in commands.items()}
    OwnSettings.model_validate({"network": network})
    row = next(line for line in PAGE.splitlines() if "config.network.allow`" in line)
    forms = re.findall(r"`([^`]+)`", row)[1:]
    assert len(forms) == 6 and all(Rule.parse(form) for form in forms)
