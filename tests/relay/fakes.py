"""Fakes for tests of the relay without ports: transport, dialer, client connection, response handler, context.

Nothing here waits: a test calls what the event loop would call, and passes the time itself.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterable
from types import SimpleNamespace
from typing import Any, cast

from clawgate.errors import GatewayError
from clawgate.policy.timeouts import TimeLimits
from clawgate.providers.credential import Credential, NoCredential
from clawgate.relay.admission.plan import AdmittedHead
from clawgate.relay.exchange.body_budget import BodyBufferBudget
from clawgate.relay.exchange.context import ExchangeContext
from clawgate.relay.exchange.exchange import Exchange
from clawgate.relay.interfaces import ChunkPassthrough, ResponseHead, ResponseWriter
from clawgate.relay.observe.record import RequestRecord
from clawgate.relay.response.buffered import MadeResponse
from clawgate.relay.response.head import ResponseOptions
from clawgate.relay.response.passthrough import PassthroughWriter
from clawgate.relay.upstream.connection import UpstreamConnection
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.relay.upstream.pool import Pool, PoolLimits
from clawgate.relay.upstream.response_head_cache import ResponseHeadCache
from clawgate.relay.upstream.upstream import Upstream, UpstreamConfig
from clawgate.wire.dialect import Dialect
from clawgate.wire.http.url import Origin
from tests.relay.recording_dialer import OPEN

OK = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n{"ok":1}'
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

ORIGIN = Origin("http", "upstream.example", 80)

# One pair of sockets for all fakes: nothing is ever sent over them. A connection polls its socket for bytes that
# came while it was idle; of the second pair there are some.
_quiet, _quiet_peer = socket.socketpair()
_readable, _readable_peer = socket.socketpair()
_readable_peer.send(b"x")


def response(body: bytes = b"{}", status: int = 200, *headers: bytes) -> bytes:
    """A complete JSON response with a Content-Length."""
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"HTTP/1.1 %d Any\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n%b" % (
        status, lines, len(body), body,
    )  # fmt: skip


def chunked(*bodies: bytes) -> bytes:
    """Chunks as servers write them; the last chunk is ``chunked(b"")``."""
    return b"".join(b"%x\r\n%b\r\n" % (len(body), body) for body in bodies)


def slices(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


async def settle() -> None:
    """Let every task and callback that is ready run."""
    for _ in range(8):
        await asyncio.sleep(0)


class FakeClock:
    """Time that passes where a test says so."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class FakeTransport:
    """The transport of an `UpstreamConnection`: keeps what is written and which calls were made."""

    def __init__(self, *, tls: bool = False, readable: bool = False) -> None:
        self.written = b""
        self.calls: list[str] = []
        self.protocol: UpstreamConnection | None = None
        self.reading = True
        self._tls = tls
        self._readable = readable  # the socket holds bytes that were not read yet, or an EOF
        self._close_notify = False
        self._closing = False
        self._lost = False

    def write(self, data: bytes) -> None:
        self.written += bytes(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        self.written += b"".join(map(bytes, pieces))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "socket":
            return _readable if self._readable else _quiet
        return self if name == "ssl_object" and self._tls else default

    def read(self, size: int) -> bytes:
        """Of an `ssl.SSLObject`: empty after close_notify."""
        if not self._close_notify:
            raise ssl.SSLWantReadError
        return b""

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self.reading = False
        self.calls.append("pause_reading")

    def resume_reading(self) -> None:
        self.reading = True
        self.calls.append("resume_reading")

    def close(self) -> None:
        self._end("close")

    def abort(self) -> None:
        self._end("abort")

    def _end(self, call: str) -> None:
        self.calls.append(call)
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self.lose)

    def lose(self, error: Exception | None = None) -> None:
        """What the loop does when the connection is gone; only the first call counts."""
        if not self._lost and self.protocol is not None:
            self._lost = self._closing = True
            self.protocol.connection_lost(error)

    def receive(self, data: bytes) -> None:
        assert self.protocol is not None
        self.protocol.data_received(data)

    def end(self, *, close_notify: bool = True) -> None:
        """The peer closed: EOF, then the end of the connection. Over TLS in order only after ``close_notify``."""
        assert self.protocol is not None
        self._close_notify = close_notify
        self.protocol.eof_received()
        self.lose()


class FakeDialer:
    """Opens `FakeTransport`s in place of `Dialer`; holds dials back while ``held``."""

    def __init__(self, *, tls: bool = False, readable: bool = False) -> None:
        self.connections: list[UpstreamConnection] = []
        self.on_open: Callable[[FakeTransport], None] = lambda transport: None
        self.dials = 0
        self.error: GatewayError | None = None
        self.held = False
        self._options = {"tls": tls, "readable": readable}
        self._open = asyncio.Event()

    async def open(
        self, make: Callable[[], UpstreamConnection], route: UpstreamEndpoint, target: str = ""
    ) -> UpstreamConnection:
        self.dials += 1
        while self.held:
            await self._open.wait()
        if self.error is not None:
            raise self.error
        connection, transport = make(), FakeTransport(**self._options)
        transport.protocol = connection
        connection.connection_made(cast(asyncio.Transport, transport))
        self.connections.append(connection)
        self.on_open(transport)
        return connection

    def let_dial(self) -> None:
        self.held = False
        self._open.set()

    def transport(self, number: int = -1) -> FakeTransport:
        return cast(FakeTransport, self.connections[number].transport)


class FakeClient:
    """A `ClientConnection`: what was sent to the client, and which calls were made."""

    def __init__(self, *, http10: bool = False, must_close: bool = False) -> None:
        self.http10 = http10
        self.sent = b""
        self.calls: list[str] = []
        self.reading = True
        self.error: GatewayError | None = None
        self._must_close = must_close

    def write(self, data: bytes) -> None:
        self.sent += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def must_close(self) -> bool:
        return self._must_close

    def send_error_response(self, error: GatewayError, names: bytes = b"") -> int:
        self.error = error
        self.calls.append(f"error {error.code}")
        return 0

    def response_complete(self) -> None:
        self.calls.append("complete")

    def abort_response(self, error: GatewayError, *, at_once: bool, reported: bool) -> None:
        self.calls.append("abort")


class FakeHandler:
    """A `ResponseHandler` that keeps what it was called with."""

    def __init__(self, *, takes_complete: bool = False, extra_headers: bytes | None = None) -> None:
        self.head: ResponseHead | None = None
        self.body = b""
        self.bodies: list[bytes] = []
        self.reads = 0
        self.end = ""
        """"complete", "cached" for a complete response of a known head, or the error's code."""
        self.error: GatewayError | None = None
        self.no_response = self.not_received = False
        self.paused = False
        self.passthrough: ChunkPassthrough | None = None
        self._takes_complete = takes_complete
        self._extra_headers = extra_headers

    @property
    def status(self) -> int:
        """0 before the head."""
        return self.head.status if self.head is not None else 0

    def on_complete_response(self, status: int, head: bytes, body: bytes) -> bool:
        if self._takes_complete:
            self.body, self.end = body, "cached"
        return self._takes_complete

    def on_response_head(self, head: ResponseHead) -> bytes | None:
        self.head = head
        return self._extra_headers

    def on_response_body(self, body: bytes) -> None:
        self.body += body
        self.bodies.append(body)

    def on_read_complete(self) -> None:
        self.reads += 1

    def chunk_passthrough(self) -> ChunkPassthrough | None:
        return self.passthrough

    def on_response_complete(self) -> None:
        self.end = "complete"

    def on_upstream_error(self, error: GatewayError, *, no_response: bool, not_received: bool) -> None:
        self.end, self.error = error.code, error
        self.no_response, self.not_received = no_response, not_received

    def on_upstream_write_paused(self) -> None:
        self.paused = True

    def on_upstream_write_resumed(self) -> None:
        self.paused = False


class FakeOwner:
    """A `ConnectionOwner`: what a connection needs of its pool."""

    origin = ORIGIN

    def __init__(self) -> None:
        self.response_heads = ResponseHeadCache()
        self.connections: list[UpstreamConnection] = []

    def add(self, connection: UpstreamConnection) -> None:
        self.connections.append(connection)

    def remove(self, connection: UpstreamConnection) -> None:
        self.connections.remove(connection)

    def release(self, connection: UpstreamConnection, now: float) -> None: ...

    def schedule_turn(self, connection: UpstreamConnection) -> None:
        asyncio.get_running_loop().call_soon(connection.take_turn)


def connected(owner: Any = None, *, tls: bool = False) -> tuple[UpstreamConnection, FakeTransport]:
    """A connection without a pool."""
    connection, transport = UpstreamConnection(owner or FakeOwner()), FakeTransport(tls=tls)
    transport.protocol = connection
    connection.connection_made(cast(asyncio.Transport, transport))
    return connection, transport


def endpoint(origin: Origin = ORIGIN) -> UpstreamEndpoint:
    return UpstreamEndpoint(origin=origin, policy=OPEN)


def make_pool(dialer: FakeDialer, limits: PoolLimits | None = None) -> Pool:
    return Pool(cast(Any, dialer), endpoint(), limits or PoolLimits())


def make_upstream(
    dialer: FakeDialer,
    *,
    limits: TimeLimits | None = None,
    credential: Credential | None = None,
    pool_limits: PoolLimits | None = None,
    name: str = "up",
) -> Upstream:
    config = UpstreamConfig(
        name=name,
        endpoint=endpoint(),
        prefix="/v1",
        replaces="/v1",
        credential=credential or NoCredential(),
        limits=limits or TimeLimits(),
        pool_limits=pool_limits or PoolLimits(),
    )
    return Upstream(config, cast(Any, dialer), via=b"clawgate-test")


def admitted(upstream: Upstream | None, **changes: Any) -> AdmittedHead:
    """The head of a POST of a body with a length; ``changes`` are fields of `AdmittedHead`."""
    fields: dict[str, Any] = {
        "upstream": upstream,
        "caller": "-",
        "method": b"POST",
        "path": b"/v1/chat/completions",
        "head": b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: ",
        "has_content_length": True,
        "chunked": False,
        "expect_continue": False,
        "dialect": Dialect.CHAT,
    }
    return AdmittedHead(**(fields | changes))


class Relay:
    """What a listener gives its exchanges, with a clock of its own; ``records`` are what an observer was given."""

    def __init__(
        self, *, body_limit: int = 20_000_000, buffered: int = 128 * 2**20, observes_all: bool = True
    ) -> None:
        self.clock = FakeClock()
        self.records: list[RequestRecord] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.context = ExchangeContext(
            now=self.clock,
            admission=cast(Any, SimpleNamespace(rates=None)),
            spawn=self._spawn,
            observer=self.records.append,
            observes_all=observes_all,
            body_limit=body_limit,
            body_budget=BodyBufferBudget(buffered, 2 * body_limit, self.clock),
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def exchange(self, client: FakeClient, head: AdmittedHead) -> Exchange:
        return Exchange(self.context, client, head, self.clock.time)

    async def post(self, client: FakeClient, head: AdmittedHead, body: bytes = b"{}") -> Exchange:
        """An exchange whose request was sent, as far as it can be by now."""
        exchange = self.exchange(client, head)
        exchange.start_request(head.encode_head(len(body)))
        exchange.request_body(body)
        exchange.request_complete()
        exchange.flush_request()
        await settle()
        return exchange


class FakeAttempt:
    """An `UpstreamAttempt` whose responses pass through with attribution headers, unless ``make_writer`` says else."""

    def __init__(self, upstream: Upstream, *, names: bytes = b"x-clawgate-provider: up\r\n") -> None:
        self.upstream = upstream
        self.served_by = f"{upstream.name.decode()}/m"
        self.passthrough = True
        self.attribution_headers = names
        self.reset()
        self.offload: Callable[[], bytes] | None = None
        self.response: MadeResponse | None = None
        self.make_writer: Callable[[ResponseHead], ResponseWriter] | None = None

    def reset(self) -> None:
        """As it was before it was sent."""
        self.request: list[Any] = [b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 2\r\n\r\n", b"{}"]

    def on_success(self) -> None: ...

    def complete(self, body: bytes) -> None:
        self.offload = None
        self.request = [b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body), body]

    def writer(self, head: ResponseHead, *, http10: bool, close: bool, bodiless: bool) -> ResponseWriter:
        if self.make_writer is not None:
            return self.make_writer(head)
        options = ResponseOptions(
            http10=http10,
            close=close,
            bodiless=bodiless,
            secrets=self.upstream.secrets,
            attribution_headers=self.attribution_headers,
        )
        return PassthroughWriter(head, options)


class FakeRouter:
    """A `Router` whose plan goes through ``attempts`` whatever the failure is, and its own `RoutePlan`."""

    model = "m"
    discarded = False

    def __init__(self, *attempts: FakeAttempt) -> None:
        self._attempts = list(attempts)
        self._left = list(attempts)
        self.failures: list[int | str] = []

    def route(self, head: AdmittedHead, body: bytes) -> FakeRouter:
        self._left = list(self._attempts)
        for attempt in self._left:
            if not attempt.request:
                attempt.reset()
        return self

    def first_attempt(self) -> FakeAttempt:
        return self._left.pop(0)

    def next_attempt(
        self, *, status: int | None = None, error: GatewayError | None = None
    ) -> FakeAttempt | None:
        self.failures.append(error.code if error is not None else status or 0)
        return self._left.pop(0) if self._left else None

    def discard_body(self) -> None:
        self.discarded = True

    def map_error(self, error: GatewayError) -> GatewayError:
        return error


def routed(router: FakeRouter) -> AdmittedHead:
    """A head whose upstream depends on the body."""
    return admitted(None, head=b"", router=router, target=b"/v1/chat/completions")
