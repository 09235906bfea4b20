"""The Caddyfile with a real Caddy: TLS, events as they come, the client's address, and a client that leaves."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.deploy.tools import PYTHON, needs_tools
from tests.e2e.processes import environment, is_listening, role_process, started
from tests.e2e.stand import CLIENT_TOKEN, PATIENCE
from tests.e2e.waiting import poll
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.script import Send
from tests.peers.upstream import FakeUpstream
from tests.ports import free_port

CADDYFILE = Path(__file__).parents[2] / "deploy" / "Caddyfile"
BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}'

pytestmark = needs_tools


@contextlib.contextmanager
def caddy(folder: Path, scheme: str, upstream_url: str) -> Iterator[str]:
    """Run Caddy with the file as it is; for localhost it makes the certificate itself."""
    port = free_port()
    site = f"{scheme}://localhost:{port}"
    env = environment(folder, CLAWGATE_SITE=site, CLAWGATE_UPSTREAM=upstream_url.removeprefix("http://"))
    env |= {"XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder / "config")}
    # Else it asks sudo to trust its authority on this machine, and takes port 80 to redirect from.
    text = CADDYFILE.read_text().replace(
        "admin off", "admin off\n\tskip_install_trust\n\tauto_https disable_redirects"
    )
    file = folder / "Caddyfile"
    file.write_text(text)
    command = [str(Path(PYTHON).with_name("caddy")), "run", "--config", str(file), "--adapter", "caddyfile"]
    with started(command, folder / "caddy", env, listens=False):
        poll(lambda: is_listening(port), "Caddy to listen")
        yield site


def trust(folder: Path, scheme: str) -> ssl.SSLContext | None:
    if scheme == "http":
        return None
    data = folder / "data" / "caddy"
    poll((data / "certificates" / "local" / "localhost" / "localhost.json").exists, "Caddy's certificate")
    authority = data / "pki" / "authorities" / "local" / "root.crt"
    return ssl.create_default_context(cafile=str(authority))


def request(token: str = CLIENT_TOKEN) -> bytes:
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-Proxy-Token: %b\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    return head % (token.encode(), len(BODY)) + BODY


@pytest.mark.parametrize(
    ("scheme", "content_type"),
    [("http", "text/event-stream"), ("https", "text/event-stream"), ("http", "application/json")],
)
async def test_a_stream_arrives_event_by_event(scheme: str, content_type: str, tmp_path: Path) -> None:
    """The next event is sent only when the client has the one before."""
    gates = [asyncio.Event() for _ in faults.CHAT_FRAMES]
    body, _, *events = faults.sse_gated(gates)
    head = faults.head(200, [("Content-Type", content_type), ("Transfer-Encoding", "chunked")])
    async with FakeUpstream((body, Send(head), *events)) as upstream:
        with (
            role_process("server", upstream.url, tmp_path / "role", "--trusted-proxy", "127.0.0.1") as server,
            caddy(tmp_path, scheme, server.url) as url,
        ):
            async with await RawClient.open(url, limit=PATIENCE, tls=trust(tmp_path, scheme)) as client:
                await client.send(request())
                for gate, event in zip(gates, faults.CHAT_FRAMES, strict=True):
                    gate.set()
                    await client.saw(event)
                response = await client.response()
            assert response.status == 200 and response.complete


async def test_a_client_that_leaves_before_the_first_event_frees_the_model(tmp_path: Path) -> None:
    """With a negative flush_interval, Caddy would wait for the response all the same."""
    async with FakeUpstream(faults.never_responds()) as upstream:
        with (
            role_process("server", upstream.url, tmp_path / "role", "--trusted-proxy", "127.0.0.1") as server,
            caddy(tmp_path, "http", server.url) as url,
        ):
            async with await RawClient.open(url, limit=PATIENCE) as client:
                await client.send(request())
                await upstream.saw_body(0)
            await upstream.saw_close(0, within=PATIENCE)


async def test_a_client_that_leaves_frees_the_model(tmp_path: Path) -> None:
    gates = [asyncio.Event() for _ in faults.CHAT_FRAMES]
    gates[0].set()
    async with FakeUpstream(faults.sse_gated(gates)) as upstream:
        with (
            role_process("server", upstream.url, tmp_path / "role", "--trusted-proxy", "127.0.0.1") as server,
            caddy(tmp_path, "http", server.url) as url,
        ):
            async with await RawClient.open(url, limit=PATIENCE) as client:
                await client.send(request())
                await client.saw(faults.CHAT_FRAMES[0])
            await upstream.saw_close(0, within=PATIENCE)


async def test_the_client_is_counted_under_its_own_address(tmp_path: Path) -> None:
    """Else ten wrong tokens of one client lock out all that come through Caddy."""
    async with FakeUpstream(faults.json_response({"ok": True})) as upstream:
        with (
            role_process("server", upstream.url, tmp_path / "role", "--trusted-proxy", "127.0.0.1") as server,
            caddy(tmp_path, "http", server.url) as url,
        ):
            port = int(url.rpartition(":")[2])

            async def status(source: str, token: str) -> int:
                return await asyncio.to_thread(status_from, source, port, token)

            for _ in range(10):
                assert await status("127.0.0.2", "wrong") == 401
            assert await status("127.0.0.2", CLIENT_TOKEN) == 429
            assert await status("127.0.0.3", CLIENT_TOKEN) == 200


def status_from(source: str, port: int, token: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE, source_address=(source, 0))
    with contextlib.closing(connection):
        fields = {"Host": "localhost", "X-Proxy-Token": token, "Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", BODY, fields)
        return connection.getresponse().status
