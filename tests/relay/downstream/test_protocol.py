"""The client's connection: what it takes from uvicorn is what it was written against, and order is kept."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import inspect
from collections.abc import Callable
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from clawgate.app.bridge import build_bridge
from clawgate.relay.downstream.pipeline import PIPELINE_LIMIT, PIPELINE_STEP
from clawgate.relay.downstream.protocol import WRITE_BUFFER, RelayProtocol
from clawgate.relay.downstream.request_parser import RequestParser
from clawgate.relay.downstream.server import Server
from clawgate.settings.roles.bridge import BridgeSettings
from tests.e2e.stand import serving
from tests.peers import faults
from tests.peers.script import Hold, ReadBody, Send
from tests.peers.upstream import FakeUpstream
from tests.relay.fake_listener import Client, Listener, request, turns
from tests.relay.fakes import OK

UVICORN = {
    "HttpToolsProtocol.__init__": "4f0899941034",
    "HttpToolsProtocol.connection_made": "6efb565ff3d3",
    "HttpToolsProtocol.connection_lost": "c91a4c9bf2e2",
    "HttpToolsProtocol.eof_received": "5652627579a0",
    "HttpToolsProtocol.data_received": "010a7ae59a5d",
    "HttpToolsProtocol.on_message_begin": "96d377fdc7c2",
    "HttpToolsProtocol.on_headers_complete": "1ea8589acfad",
    "HttpToolsProtocol.on_message_complete": "1fbad42dc31f",
    "HttpToolsProtocol.on_response_complete": "64e254f28e38",
    "HttpToolsProtocol._start_asgi_task": "9c08c2571ae9",
    "HttpToolsProtocol._should_upgrade": "8fcad1ab8e09",
    "HttpToolsProtocol._get_upgrade": "7b1305aac7b8",
    "HttpToolsProtocol._should_upgrade_to_ws": "d580849b4df8",
    "HttpToolsProtocol._unset_keepalive_if_required": "00a6a4e47214",
    "HttpToolsProtocol.shutdown": "d7351fa33f00",
    "HttpToolsProtocol.pause_writing": "17a8fd215d96",
    "HttpToolsProtocol.resume_writing": "7844bbaa8cce",
    "HttpToolsProtocol.timeout_keep_alive_handler": "8b53bf5f2e20",
    "RequestResponseCycle.__init__": "4d2f220910c3",
    "RequestResponseCycle.run_asgi": "0f33f2449a44",
    "RequestResponseCycle.send": "abdd8601b326",
    "RequestResponseCycle.receive": "8124ae006be7",
    "RequestResponseCycle.send_500_response": "37c64da40eed",
    "FlowControl.__init__": "0152d94a0407",
    "FlowControl.drain": "4bda6b61c277",
    "FlowControl.pause_reading": "7c27388bb984",
    "FlowControl.resume_reading": "a0429d30857e",
    "FlowControl.pause_writing": "93d4a08a9f2d",
    "FlowControl.resume_writing": "a343e8b0baf0",
    "Server.__init__": "c150b55284f7",
    "Server.run": "239e0133d430",
    "Server.serve": "112ef41af521",
    "Server._serve": "4575b7a50adf",
    "Server.startup": "2aa1d70a244b",
    "Server.shutdown": "9b33c5056299",
    "Server.main_loop": "afccb353a119",
    "Server.on_tick": "60ea49b06ccf",
    "Server.handle_exit": "553276efa26e",
    "Server.capture_signals": "e1bbcd4770d1",
    "ServerState.__init__": "8daf3a9b4e4e",
}
"""SHA-256 (12 digits) of the source of all that `RelayProtocol` and `Server` override, call or rely on."""

WHAT_TO_DO = (
    "uvicorn has changed what relay/downstream/protocol.py or server.py is built on: read the new source of {names}, "
    "see that ours still does what it has to, run tests/contract and tests/e2e, "
    "then put the new hashes into UVICORN: {hashes}"
)
SURFACE: dict[type, tuple[str, ...]] = {
    HttpToolsProtocol: (
        "__init__", "connection_made", "connection_lost", "eof_received", "data_received", "on_message_begin",
        "on_headers_complete", "on_message_complete", "on_response_complete", "_start_asgi_task", "_should_upgrade",
        "_get_upgrade", "_should_upgrade_to_ws", "_unset_keepalive_if_required", "shutdown", "pause_writing",
        "resume_writing", "timeout_keep_alive_handler",
    ),
    RequestResponseCycle: ("__init__", "run_asgi", "send", "receive", "send_500_response"),
    FlowControl: ("__init__", "drain", "pause_reading", "resume_reading", "pause_writing", "resume_writing"),
    uvicorn.Server: (
        "__init__", "run", "serve", "_serve", "startup", "shutdown", "main_loop", "on_tick", "handle_exit",
        "capture_signals",
    ),
    ServerState: ("__init__",),
}  # fmt: skip


def fingerprint(owner: type, name: str) -> str:
    """By the file: what MCP's SDK imports replaces a method of the live class, which ours overrides."""
    lines = inspect.getsource(owner).splitlines(keepends=True)
    (tree,) = ast.parse("".join(lines)).body
    assert isinstance(tree, ast.ClassDef)
    methods = [one for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    method = next((one for one in methods if one.name == name), None)
    assert method is not None or name not in vars(owner), name
    if method is None:
        source = inspect.getsource(getattr(owner, name))
    else:
        first = min(node.lineno for node in (method, *method.decorator_list))
        source = "".join(lines[first - 1 : method.end_lineno])
    return hashlib.sha256(source.encode()).hexdigest()[:12]


def test_the_surface_that_is_overridden_is_unchanged() -> None:
    """A new uvicorn is read before it is used."""
    found = {
        f"{owner.__name__}.{name}": fingerprint(owner, name)
        for owner, names in SURFACE.items()
        for name in names
    }
    changed = {name: value for name, value in found.items() if UVICORN.get(name) != value}
    assert not changed, WHAT_TO_DO.format(names=", ".join(changed), hashes=found)
    assert UVICORN.keys() == found.keys()


@pytest.mark.parametrize(("ours", "theirs"), [(RelayProtocol, HttpToolsProtocol), (Server, uvicorn.Server)])
def test_everything_overridden_is_pinned(ours: type, theirs: type) -> None:
    """A method that is newly overridden joins the list."""
    overridden = {
        name
        for one in ours.__mro__[: ours.__mro__.index(theirs)]
        for name, value in vars(one).items()
        if callable(value) and hasattr(theirs, name)
    }
    inherited_from_object = {
        name for name in overridden if getattr(theirs, name) is getattr(object, name, None)
    }
    assert overridden - inherited_from_object <= set(SURFACE[theirs])


def test_uvicorn_is_the_minor_that_was_read() -> None:
    """pyproject.toml pins it; this says which one the hashes are of."""
    assert uvicorn.__version__.startswith("0.54.")


class FakeTransport(asyncio.Transport):
    """Takes what is written; ``on_write`` is called with all of it so far."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.paused = False
        self.closed = False
        self.on_write: Callable[[bytes], None] = lambda _: None

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.written += data
        self.on_write(bytes(self.written))

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True

    abort = close


def connected(url: str) -> tuple[RelayProtocol, FakeTransport, Callable[[], None]]:
    """A connection to a bridge in front of ``url``, and how to end it all."""
    settings = {"remote_url": url, "proxy_token": "a-token-0123456789", "bridge_port": 0}
    role = build_bridge(BridgeSettings.model_validate(settings))
    role.connections.open()
    config = Config(
        role.app, http=cast(Any, role.connections.make_protocol), ws="none", lifespan="off", log_config=None
    )
    config.load()
    protocol = role.connections.make_protocol(config, ServerState(), {})
    transport = FakeTransport()
    protocol.connection_made(transport)

    def end() -> None:
        transport.closed = True
        protocol.connection_lost(None)
        role.connections.close()

    return protocol, transport, end


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


async def until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not fact():  # noqa: ASYNC110  # the fake transport tells nobody
            await asyncio.sleep(0)


@pytest.mark.parametrize("cut", [1, 16, 30])
async def test_bytes_that_come_before_the_stash_is_read_stay_behind_it(cut: int) -> None:
    """The loop may hand over new bytes of a pipelining client between the end of an answer and the next turn."""
    async with FakeUpstream(faults.json_response({"ok": True})) as upstream:
        protocol, transport, end = connected(upstream.url)
        second = get("/v1/second")
        arrived = False

        def when_answered(_: bytes) -> None:
            nonlocal arrived
            if not arrived:
                arrived = True
                asyncio.get_running_loop().call_soon(protocol.data_received, second[cut:])

        transport.on_write = when_answered
        protocol.data_received(get("/v1/first") + second[:cut])
        await until(lambda: transport.written.count(b"HTTP/1.1 ") == 2)
        assert transport.written.count(b"HTTP/1.1 200") == 2
        assert [request.target for request in upstream.requests] == ["/v1/first", "/v1/second"]
        end()


async def test_a_body_behind_a_refused_request_is_no_request() -> None:
    """Whatever it looks like: here like the head in front of it, which is known by then."""
    async with FakeUpstream(faults.json_response({"ok": True})) as upstream:
        protocol, transport, end = connected(upstream.url)
        head = b"POST /v1/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        body = head + b"Content-Length: 92\r\n\r\n"
        assert len(body) == 92
        protocol.data_received(get("/nowhere") + body)
        await until(lambda: not protocol.is_idle)
        protocol.data_received(body)
        await until(lambda: transport.written.count(b"HTTP/1.1 ") == 2)
        assert transport.written.count(b"HTTP/1.1 200") == 1
        assert [request.body for request in upstream.requests] == [body]
        end()


async def test_a_request_behind_an_early_answer_is_read() -> None:
    """An upstream that answers without reading the body has paused the client; its next request is read again."""
    early = (Send(faults.response(b"{}")), Hold())
    async with FakeUpstream(early) as upstream:
        protocol, transport, end = connected(upstream.url)
        head = b"POST /v1/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        protocol.data_received(head + b"Content-Length: 15000000\r\n\r\n" + b" " * 15_000_000)
        await until(lambda: b"HTTP/1.1 200" in transport.written)
        assert not transport.paused
        end()


async def test_a_body_that_breaks_is_one_failed_request_and_no_client_that_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its answer, its line in the log, and the end of the upstream's connection: once each."""
    caplog.set_level("INFO")
    async with FakeUpstream((Hold(),)) as upstream:
        protocol, transport, end = connected(upstream.url)
        head = b"POST /v1/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        protocol.data_received(head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")
        protocol.data_received(b"nonsense")
        assert transport.written.count(b"HTTP/1.1 ") == 1
        assert transport.written.startswith(b"HTTP/1.1 400")
        end()
    told = [record.message for record in caplog.records if "/v1/x" in record.message]
    assert len(told) == 1
    assert "400 malformed_request" in told[0]


async def test_a_client_that_waits_too_long_behind_an_answer_is_not_read() -> None:
    """Only so much of a pipeline waits in memory; reading goes on when its turn has come."""
    async with FakeUpstream((ReadBody(), Hold(), Send(faults.response(b"{}")))) as upstream:
        protocol, transport, end = connected(upstream.url)
        protocol.data_received(get("/v1/first"))
        pipeline = get("/v1/next") * 2_000
        protocol.data_received(pipeline[:70_000])
        assert transport.paused
        await upstream.saw_request(0)
        upstream.release()
        await until(lambda: not transport.paused)
        end()


async def test_nothing_is_written_behind_a_refusal_of_unreadable_bytes() -> None:
    """One answer, whatever follows."""
    protocol, transport, end = connected("http://127.0.0.1:9")
    protocol.data_received(b"nonsense\r\n\r\n")
    first = bytes(transport.written)
    assert first.startswith(b"HTTP/1.1 400")
    for data in (b"more\r\n\r\n", get("/health"), b"\x00" * 100_000):
        protocol.data_received(data)
    assert bytes(transport.written) == first
    end()


@pytest.mark.parametrize(
    ("target", "anthropic"),
    [
        (b"/v1/messages", True),
        (b"/v1/messages/count_tokens", True),
        (b"http://127.0.0.1/v1/messages", True),
        (b"/v1/chat/completions", False),
        (b"/v1/messagesx/../x", True),
        (b"http://evil.example/v1/messages", True),
    ],
)
async def test_a_refusal_has_the_dialect_of_its_own_request(target: bytes, anthropic: bool) -> None:
    """Not that of the one before it on the same connection."""
    role = build_bridge(
        BridgeSettings.model_validate({"remote_url": "http://127.0.0.1:9", "proxy_token": "p" * 20})
    )
    async with serving("bridge", "", role=role) as stand, await stand.client() as client:
        for path in (target, b"/v1/chat/completions" if anthropic else b"/v1/messages", target):
            line = b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: null\r\nContent-Length: 0\r\n\r\n"
            await client.send(line % path)
            said = (await client.response()).json()
            assert (said.get("type") == "error") is (anthropic if path is target else not anthropic)


REFUSED = request(b"/x")
"""Refused without a token: there is no such route."""


def held_bytes(client: Client) -> int:
    """What a connection holds for a client: requests that wait, and responses that nobody has read."""
    return len(client.protocol._pipelined or b"") + client.transport.unsent


@pytest.mark.anyio
@pytest.mark.parametrize("tokens", [True, False])
async def test_pipelined_requests_of_a_client_that_reads_nothing_are_bounded(tokens: bool) -> None:
    """Requests wait for the responses in front of them, and a client that takes no response gets no further one."""
    client = Listener(tokens=tokens).connect(reads=False)
    for _ in range(100):
        client.send(REFUSED * 4000)
        await turns(500)
    assert client.transport.reading_paused
    assert held_bytes(client) < PIPELINE_LIMIT + len(REFUSED) * 4000 + WRITE_BUFFER + 1000


@pytest.mark.anyio
async def test_every_pipelined_request_is_answered_once_the_client_reads() -> None:
    client = Listener().connect(reads=False)
    client.send(REFUSED * 4000)
    while len(client.statuses) < 4000:
        before = len(client.statuses)
        await turns(1000)
        client.transport.peer_takes_all()
        assert len(client.statuses) > before, "no progress"
    await turns()
    assert client.statuses == [404] * 4000
    assert not client.transport.reading_paused


@pytest.mark.anyio
async def test_a_pipelined_request_does_not_copy_those_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the work grows with the square of what one read brings."""
    fed = 0
    feed = RequestParser.feed

    def counted(self: RequestParser, data: bytes) -> bytes:
        nonlocal fed
        fed += len(data)
        return feed(self, data)

    monkeypatch.setattr(RequestParser, "feed", counted)
    client = Listener().connect()
    client.send(REFUSED * 4000)
    await turns(10_000)
    assert len(client.statuses) == 4000
    assert fed < 4000 * 2 * PIPELINE_STEP + len(REFUSED) * 4000


@pytest.mark.anyio
async def test_a_large_body_that_is_pipelined_is_relayed_whole() -> None:
    """It is taken from the buffer in steps; not a byte is lost or doubled."""
    listener = Listener()
    client = listener.connect()
    body = bytes(range(256)) * 200
    client.send(REFUSED + request(b"/v1/x", method=b"POST", body=body) + REFUSED)
    await turns(200)
    upstream = listener.dialer.transport()
    assert upstream.written.endswith(b"\r\n\r\n" + body)
    upstream.receive(OK)
    await turns()
    assert client.statuses == [404, 200, 404]


@pytest.mark.anyio
async def test_a_pipeline_is_dropped_with_its_connection() -> None:
    listener = Listener()
    client = listener.connect()
    client.send(request() + REFUSED * 1000)
    assert client.protocol._pipelined
    client.transport.peer_closes()
    await turns()
    assert not client.protocol._pipelined and listener.manager.connection_count == 0


@pytest.mark.anyio
async def test_no_exchange_starts_while_its_client_takes_no_response() -> None:
    """The transport reports a full buffer once: an exchange that starts later would never hear of it."""
    listener = Listener()
    client = listener.connect(reads=False)
    client.send(request(b"/v1/first") + request(b"/v1/second"))
    await turns()
    upstream = listener.dialer.transport()
    upstream.receive(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + b"x" * 100_000)
    await turns()
    assert upstream.written.count(b"GET /v1/second") == 0
    client.transport.peer_takes_all()
    await turns()
    assert upstream.written.count(b"GET /v1/second") == 1


@pytest.mark.anyio
async def test_a_request_that_arrives_while_the_client_takes_no_response_waits() -> None:
    """Not only what was pipelined: each further request on such a connection."""
    listener = Listener()
    client = listener.connect(reads=False)
    client.send(request(b"/v1/first"))
    await turns()
    upstream = listener.dialer.transport()
    upstream.receive(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + b"x" * 100_000)
    client.send(request(b"/v1/second"))
    await turns()
    assert upstream.written.count(b"GET /v1/second") == 0
    client.transport.peer_takes_all()
    await turns()
    assert upstream.written.count(b"GET /v1/second") == 1
