"""A server over HTTP is dialled by policy, gets exactly the configured headers, and cannot lead us elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from clawgate.agents.tools.mcp.frames import MAX_FRAME
from clawgate.agents.tools.mcp.http import _Body, _Carrier, _Connection, _media_type, _StreamProtocol
from clawgate.policy.egress.policy import EgressPolicy
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.wire.http.url import Origin
from tests.agents.tools.mcp.http_stand import HttpServer, serving
from tests.agents.tools.mcp.mcp_stand import call, connected, eventually, failure_of

OPEN: Any = {"docs": {"allowPrivateNetwork": True}}


def at(server: HttpServer, path: str = "/mcp", **more: Any) -> dict[str, Any]:
    url = f"http://127.0.0.1:{server.port}{path}"
    return {"docs": {"url": url, "transport": "streamable-http", **more}}


@pytest.mark.parametrize("mode", ["json", "events", "slash"])
async def test_a_tool_over_http_is_called(tmp_path: Path, mode: str) -> None:
    async with serving(mode) as server, connected(tmp_path, at(server), **OPEN) as host:
        assert (await call(host, "docs__echo")).text == "session s1"


async def test_a_private_address_is_refused_unless_this_server_may_have_one(tmp_path: Path) -> None:
    other = {"other": {"url": "http://10.0.0.5/mcp"}}
    async with (
        serving() as server,
        connected(tmp_path, at(server) | other, other={"allowPrivateNetwork": True}) as host,
    ):
        reason = await failure_of(host, "docs")
        assert server.requests == []
    assert f"http://127.0.0.1:{server.port}" in reason and "loopback" in reason
    assert "plugins.entries.clawgate.config.mcp.servers.docs.allowPrivateNetwork" in reason


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "LOCALHOST."])
async def test_a_server_is_found_by_any_spelling_of_its_address(tmp_path: Path, host: str) -> None:
    async with serving() as server:
        url = f"http://{host}:{server.port}/mcp"
        servers = {"docs": {"url": url, "transport": "streamable-http"}}
        async with connected(tmp_path, servers, **OPEN) as running:
            assert (await call(running, "docs__echo")).text == "session s1"


async def test_metadata_is_refused_whatever_is_allowed(tmp_path: Path) -> None:
    async def resolver(host: str, port: int) -> Sequence[str]:
        return ["169.254.169.254"]

    server = {"docs": {"url": "http://metadata.example/mcp", "transport": "streamable-http"}}
    async with connected(tmp_path, server, Dialer(resolver), **OPEN) as host:
        assert "169.254.169.254" in await failure_of(host, "docs")


async def test_exactly_the_configured_headers_leave_and_no_cookie_comes_back(tmp_path: Path) -> None:
    headers = {"Authorization": "Bearer s3cret-value", "X-Team": "a"}
    async with (
        serving() as server,
        connected(tmp_path, at(server, "/mcp?key=1", headers=headers), **OPEN) as host,
    ):
        await call(host, "docs__echo")
        await call(host, "docs__echo")
    known = {
        "accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "host",
        "mcp-protocol-version", "mcp-session-id", "user-agent", "x-team", "mcp-method", "mcp-name",
    }  # fmt: skip
    for line, sent, _ in server.requests:
        assert set(sent) <= known | {"cache-control", "last-event-id"}, line
        assert sent["authorization"] == "Bearer s3cret-value" and sent["accept-encoding"] == "identity"
        assert sent["user-agent"].startswith("clawgate/")


async def test_a_redirect_elsewhere_is_not_followed_and_gets_no_credential(tmp_path: Path) -> None:
    async with serving() as elsewhere, serving(f"redirect:http://127.0.0.1:{elsewhere.port}/mcp") as server:
        headers = {"Authorization": "Bearer s3cret-value"}
        async with connected(tmp_path, at(server, headers=headers), **OPEN) as host:
            reason = await failure_of(host, "docs")
        assert server.requests and elsewhere.requests == []
    assert "not followed" in reason


async def test_an_ended_session_is_begun_anew_and_the_call_is_not_made_twice(tmp_path: Path) -> None:
    async with serving("forgets") as server, connected(tmp_path, at(server), **OPEN) as host:
        lost = await call(host, "docs__echo")
        assert lost.is_error and "has ended the session, and the call was not made" in lost.text
        calls = [message for _, _, message in server.requests if message.get("method") == "tools/call"]
        assert len(calls) == 1
        running = host._running["docs"].server
        await eventually(lambda: server.sessions == 2 and running._session is not None)
        assert (await call(host, "docs__echo")).text == "session s2"


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("huge", "a message of more than 4194304 bytes"),
        ("huge-event", "an event of more than 4194304 bytes"),
        ("values", "a message with more than 20000 values"),
        ("compressed", "compressed its response"),
        ("not-a-number", "no JSON"),  # as the check reads it, but not the SDK
        ("utf-7", "no JSON"),
    ],
)
async def test_a_response_that_is_too_much_is_an_error_of_the_call(
    tmp_path: Path, mode: str, reason: str
) -> None:
    async with serving(mode) as server, connected(tmp_path, at(server), **OPEN) as host:
        result = await call(host, "docs__echo")
        assert result.is_error and (reason in result.text or "ended without a response" in result.text)
        server.mode = "json"
        await eventually(lambda: host._running["docs"].server._session is not None)
        assert not (await call(host, "docs__echo")).is_error


async def test_a_status_is_named(tmp_path: Path) -> None:
    async with serving("unauthorized") as server, connected(tmp_path, at(server), **OPEN) as host:
        assert f"http://127.0.0.1:{server.port}: status 401" in await failure_of(host, "docs")


async def test_a_server_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    async with serving() as server:
        pass
    async with connected(tmp_path, at(server), **OPEN) as host:
        assert "connection refused; is it running" in await failure_of(host, "docs")


async def test_a_certificate_file_that_is_missing_is_named(tmp_path: Path) -> None:
    server = {"url": "https://example.com/mcp", "clientCert": "/none.pem", "clientKey": "/none.key"}
    async with connected(tmp_path, {"docs": server}) as host:
        assert "its clientCert and clientKey cannot be used" in await failure_of(host, "docs")


async def test_the_old_transport_with_events_is_spoken_where_it_is_configured(tmp_path: Path) -> None:
    async with serving() as server:
        async with connected(
            tmp_path, {"docs": {"url": f"http://127.0.0.1:{server.port}/sse"}}, **OPEN
        ) as host:
            await failure_of(host, "docs")
        assert server.requests[0][0] == "GET /sse"


@pytest.mark.parametrize(
    "url", ["https://example.com/mcp", "http://example.com:81/mcp", "http://other.example/mcp"]
)
async def test_a_request_to_another_origin_is_never_sent(url: str) -> None:
    """Whatever the SDK makes of a redirect: the configured headers are on every request."""
    origin = Origin("http", "example.com", 80)
    endpoint = UpstreamEndpoint(origin=origin, policy=EgressPolicy(requester="mcp:docs"))
    carrier = _Carrier(Dialer(), endpoint, "/mcp")
    with pytest.raises(httpx2.ConnectError, match="a request to another origin than http:"):
        await carrier.handle_async_request(httpx2.Request("GET", url))


@pytest.mark.parametrize("is_error", [False, True])
async def test_no_more_of_a_body_is_read_than_a_message_may_have(is_error: bool) -> None:
    sent: list[int] = []

    async def stream() -> AsyncIterator[bytes]:
        for _ in range(200):
            sent.append(65_536)
            yield b" " * 65_536

    with pytest.raises(httpx2.StreamError, match="a message of more than 4194304 bytes"):
        assert [
            part
            async for part in _Body(stream(), [(b"content-type", b"application/json")], is_error=is_error)
        ] == []
    assert sum(sent) <= MAX_FRAME + 65_536


async def test_a_half_of_a_character_reads_as_its_replacement_in_a_body() -> None:
    """The SDK takes no such text, and would end the call without a reason."""

    async def stream() -> AsyncIterator[bytes]:
        yield b'{"jsonrpc": "2.0", "id": 1, "result": {"a": "cut \\ud83d"}}'

    body = _Body(stream(), [(b"content-type", b"application/json")], is_error=False)
    assert b"".join([part async for part in body]).endswith(b'"cut \\ufffd"}}')


def test_a_body_of_two_types_has_none() -> None:
    """The SDK could read the one that was not checked."""
    headers = [(b"Content-Type", b"text/event-stream"), (b"content-type", b"application/json")]
    assert _media_type(headers) == b"" and _media_type(headers[:1]) == b"text/event-stream"


async def test_what_is_buffered_is_read_in_parts_with_others_in_between() -> None:
    """A part is parsed at once: 128 kB may be 40 000 chunks of a byte."""
    protocol = _StreamProtocol()
    protocol.writer = None  # type: ignore[assignment]  # nothing is written
    connection = _Connection(protocol)
    protocol.reader.feed_data(b"1\r\na\r\n" * 20_000)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    parts = [await connection.read(65_536) for _ in range(20)]
    task.cancel()
    assert {len(part) for part in parts} == {4096} and turns >= 20


@pytest.mark.parametrize("head", [b"a:b\r\n" * 50_000, b"\r\n" + b"HTTP/1.1 100 \r\n\r\n" * 50_000])
async def test_a_head_without_an_end_is_an_error(tmp_path: Path, head: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 100 Continue\r\n" + head)
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        servers = {"docs": {"url": f"http://127.0.0.1:{port}/mcp", "transport": "streamable-http"}}
        async with connected(tmp_path, servers, **OPEN) as host:
            assert "a head of more than 16384 bytes" in await failure_of(host, "docs")
