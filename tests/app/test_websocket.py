"""The port speaks the protocol: one identity with HTTP, the same lockout, and nothing of agents where they are off."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from clawgate.app.websocket import SOCKET_PATHS
from clawgate.control.websocket.methods.table import METHODS
from tests.control.websocket.socket_stand import connected, opened, params
from tests.routing.gateway_server import (
    CHAT,
    CLIENT_TOKEN,
    GatewayStand,
    agents_on,
    config_of,
    provider,
    question,
    serving_gateway,
    write,
)

NOWHERE = "http://127.0.0.1:9"
CONFIG = config_of({"up": provider(NOWHERE, models=[{"id": "m"}])}, primary="up/m")
LIMIT = {"maxAttempts": 3, "windowMs": 60_000, "lockoutMs": 60_000, "exemptLoopback": False}


def limited(**more: Any) -> dict[str, Any]:
    auth = {"mode": "token", "token": CLIENT_TOKEN, "rateLimit": LIMIT, **more}
    return CONFIG | {"gateway": {"port": 0, "auth": auth}}


async def refusal(stand: GatewayStand, headers: dict[str, str] | None = None, **over: Any) -> Any:
    """The error of a connect that is refused; the socket is closed behind it."""
    async with opened(stand.url, (headers or {}).items()) as client:
        error = await client.error("connect", params(**over))
        code, _ = await client.closed()
    return {**error, "closed": code}


async def test_the_token_opens_and_a_wrong_one_closes(tmp_path: Path) -> None:
    assert frozenset({b"/"}) == SOCKET_PATHS
    async with serving_gateway(tmp_path, limited()) as stand:
        async with connected(stand.url) as client:
            assert client.hello["auth"]["scopes"] == ["operator.read", "operator.write", "operator.admin"]
        error = await refusal(stand, token="wrong")
        assert (error["details"]["code"], error["closed"]) == ("AUTH_TOKEN_MISMATCH", 1008)
        error = await refusal(stand, token=None)
        assert (error["code"], error["closed"]) == ("NOT_PAIRED", 1008)


async def test_wrong_tokens_of_both_doors_are_counted_together(tmp_path: Path) -> None:
    async with serving_gateway(tmp_path, limited()) as stand:
        assert (await stand.ask(question("up/m"), target=CHAT, token="wrong")).status == 401
        await refusal(stand, token="wrong")
        # a credential that is none here does not switch the lockout off (OpenClaw PR #57647)
        await refusal(stand, auth={"token": "wrong", "deviceToken": "x", "bootstrapToken": "y"})
        assert (await stand.ask(question("up/m"), target=CHAT)).status == 429
        with pytest.raises(InvalidStatus, match="429"):
            await refusal(stand)


async def test_a_lockout_that_begins_behind_the_upgrade_holds_for_the_right_token(tmp_path: Path) -> None:
    async with serving_gateway(tmp_path, limited()) as stand, opened(stand.url) as early:
        for _ in range(3):
            await stand.ask(question("up/m"), target=CHAT, token="wrong")
        error = await early.error("connect", params())
        assert error["details"]["code"] == "AUTH_RATE_LIMITED" and error["retryAfterMs"] > 0


async def test_a_page_on_this_machine_is_locked_out_where_its_owner_is_not(tmp_path: Path) -> None:
    """ClawJacked: a browser brute-forces the password from localhost."""
    auth = {"mode": "token", "token": CLIENT_TOKEN}
    config = CONFIG | {
        "gateway": {"port": 0, "auth": auth, "controlUi": {"allowedOrigins": ["http://ui.test"]}}
    }
    async with serving_gateway(tmp_path, config) as stand:
        origin = {"Origin": "http://ui.test"}
        for _ in range(10):
            await refusal(stand, origin, token="wrong")
        with pytest.raises(InvalidStatus, match="429"):
            await refusal(stand, origin)
        async with connected(stand.url):
            pass


async def test_a_foreign_page_gets_no_socket(tmp_path: Path) -> None:
    async with serving_gateway(tmp_path, CONFIG) as stand:
        with pytest.raises(InvalidStatus, match="403"):
            await refusal(stand, {"Origin": "http://evil.example"})


async def test_a_user_of_a_proxy_is_a_caller_and_can_give_up_rights(tmp_path: Path) -> None:
    auth = {"mode": "trusted-proxy", "trustedProxy": {"userHeader": "x-user", "allowLoopback": True}}
    config = CONFIG | {"gateway": {"port": 0, "auth": auth, "trustedProxies": ["127.0.0.1"]}}
    async with serving_gateway(tmp_path, config) as stand:
        headers = {"x-user": "ann", "x-openclaw-scopes": "operator.read"}
        async with connected(stand.url, headers=headers, token=None) as client:
            assert client.hello["auth"]["scopes"] == ["operator.read"]
            assert client.hello["snapshot"]["authMode"] == "trusted-proxy"
            assert [one.caller for one in stand.role.sockets.clients.readers("user:ann")] == ["user:ann"]
            head = [
                ("x-user", "ann"),
                ("x-openclaw-scopes", "operator.read"),
                ("x-openclaw-scopes", "operator.admin"),
            ]
        async with connected(stand.url, headers=head, token=None) as client:
            assert client.hello["auth"]["scopes"] == ["operator.read"]
        assert (await refusal(stand, token=None))["closed"] == 1008


async def test_what_concerns_every_caller_is_not_for_a_user_of_a_proxy(tmp_path: Path) -> None:
    auth = {"mode": "trusted-proxy", "trustedProxy": {"userHeader": "x-user", "allowLoopback": True}}
    config = CONFIG | {"gateway": {"port": 0, "auth": auth, "trustedProxies": ["127.0.0.1"]}}
    async with (
        serving_gateway(tmp_path, config) as stand,
        connected(stand.url, headers={"x-user": "ann"}, token=None) as client,
    ):
        assert client.hello["auth"]["scopes"] == ["operator.read", "operator.write", "operator.admin"]
        for name in ("logs.tail", "config.get", "gateway.restart.request"):
            assert name not in client.hello["features"]["methods"]
            assert (await client.error(name))["code"] == "FORBIDDEN"


@pytest.mark.parametrize("mode", ["token", "password", "none"])
async def test_the_mode_is_shown(tmp_path: Path, mode: str) -> None:
    auth = {"mode": mode} | ({} if mode == "none" else {mode: CLIENT_TOKEN})
    config, token = CONFIG | {"gateway": {"port": 0, "auth": auth}}, None if mode == "none" else CLIENT_TOKEN
    async with serving_gateway(tmp_path, config) as stand, connected(stand.url, token=token) as client:
        assert client.hello["snapshot"]["authMode"] == mode


async def test_a_token_that_is_rotated_closes_what_it_had_opened(tmp_path: Path) -> None:
    async with serving_gateway(tmp_path, CONFIG) as stand, connected(stand.url) as client:
        write(stand.config, CONFIG | {"gateway": {"port": 0, "auth": {"mode": "token", "token": "n" * 30}}})
        stand.role.periodic_tasks[0][1]()
        assert (await client.closed())[0] == 4001


async def test_methods_of_agents_come_and_go_with_their_switch(tmp_path: Path) -> None:
    async with serving_gateway(tmp_path, CONFIG) as stand:
        async with connected(stand.url) as client:
            off = [name for name, method in METHODS.items() if not method.of_agents]
            assert client.hello["features"]["methods"] == off
            error = await client.error("chat.send", {})
            assert "gateway.http.endpoints.chatCompletions.enabled" in error["message"]
            stand.rewrite(agents_on(CONFIG))
            while (await client.response(await client.begin("agents.list")))["ok"] is False:
                pass
        async with connected(stand.url) as client:
            assert client.hello["features"]["methods"] == list(METHODS)


async def test_the_fifth_refused_call_closes(tmp_path: Path) -> None:
    async with serving_gateway(tmp_path, CONFIG) as stand, connected(stand.url, scopes=[]) as client:
        for _ in range(5):
            assert (await client.error("status"))["details"]["missingScope"] == "operator.read"
        assert (await client.closed())[0] == 1008


def test_nothing_of_agents_is_imported_for_a_socket() -> None:
    code = (
        "import json, sys, clawgate.app.gateway, clawgate.control.websocket.session, "
        "clawgate.control.websocket.methods.table; print(json.dumps(sorted(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60).stdout
    names = json.loads(printed)
    assert not [
        name for name in names if name.startswith(("clawgate.agents", "clawgate.state", "sqlalchemy"))
    ]


def test_a_gateway_without_a_socket_imports_none_of_its_protocol() -> None:
    code = "import json, sys, clawgate.app.gateway; print(json.dumps(sorted(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60).stdout
    names = json.loads(printed)
    assert "clawgate.control.websocket.methods.table" not in names and "websockets" not in names
