"""A listener without a port: a `ConnectionManager` with a real `Admission` and `Upstream` between fake sockets."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from clawgate.policy.authentication import AuthLockout, LockoutRule, TokenStore
from clawgate.policy.cross_origin import CrossOriginPolicy
from clawgate.policy.path_routing import ANYTHING_BELOW_V1
from clawgate.policy.timeouts import TimeLimits
from clawgate.providers.credential import bearer
from clawgate.relay.admission.admission import Admission
from clawgate.relay.downstream.connections import ConnectionManager, MakeSocket
from clawgate.relay.downstream.protocol import RelayProtocol
from clawgate.relay.downstream.request_parser import ClientLimits
from clawgate.relay.observe.record import RequestRecord
from tests.relay.fakes import FakeClock, FakeDialer, make_upstream

KEY = "sk-fake-0123456789abcdef"
"""The credential that the fake upstream gets."""
TOKEN = "ct-fake-0123456789abcdef"
"""The token of the caller ``alice`` where a listener has tokens."""


class ClientTransport(asyncio.Transport):
    """A socket in memory. With ``peer_reads`` False the peer reads nothing: what is written stays in ``unsent``."""

    def __init__(self, protocol: asyncio.BaseProtocol | None = None, *, peer: str = "127.0.0.1") -> None:
        super().__init__()
        self.protocol = protocol
        self.written = bytearray()
        self.unsent = 0
        self.peer_reads = True
        self.writing_paused = False
        self.reading_paused = False
        self.closed = False
        self.aborted = False
        self.eof_written = False
        self.high_water = 65_536
        self.on_write: Callable[[bytes], None] = lambda _: None
        self._lost = False
        self.socket = ClientSocket(peer)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self.closed:
            return
        self.written += data
        if not self.peer_reads:
            self.unsent += len(data)
            if self.unsent > self.high_water and not self.writing_paused:
                self.writing_paused = True
                cast(asyncio.Protocol, self.protocol).pause_writing()
        self.on_write(bytes(self.written))

    def writelines(self, list_of_data: Any) -> None:
        for data in list_of_data:
            self.write(data)

    def peer_takes_all(self) -> None:
        """The peer reads everything that was sent to it, and then nothing again."""
        self.unsent = 0
        if self.writing_paused:
            self.writing_paused = False
            cast(asyncio.Protocol, self.protocol).resume_writing()
        if self.closed:
            self._lose()

    def peer_takes(self, count: int) -> None:
        """The peer reads ``count`` bytes of what was sent to it; too few for writing to go on."""
        self.unsent -= count

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high_water = 65_536 if high is None else high

    def pause_reading(self) -> None:
        self.reading_paused = True

    def resume_reading(self) -> None:
        self.reading_paused = False

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof_written = True

    def close(self) -> None:
        """End the connection once everything is sent."""
        if not self.closed:
            self.closed = True
            if not self.unsent:
                self._lose()

    def abort(self) -> None:
        self.closed = self.aborted = True
        self._lose()

    def peer_closes(self) -> None:
        """The peer resets the connection."""
        self.closed = True
        self._lose()

    def _lose(self) -> None:
        if not self._lost:
            self._lost = True
            asyncio.get_running_loop().call_soon(cast(asyncio.Protocol, self.protocol).connection_lost, None)

    def get_extra_info(self, name: str, default: object = None) -> object:
        if name == "socket":
            return self.socket
        return default


class ClientSocket:
    """Of a socket what the relay asks for: who the peer is, whether it has hung up, and how the connection ends."""

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._ours, self._theirs = socket.socketpair()
        self.options: list[tuple[int, int, bytes]] = []

    def __del__(self) -> None:
        self._ours.close()
        self._theirs.close()

    def fileno(self) -> int:
        return self._ours.fileno()

    def getpeername(self) -> tuple[str, int]:
        return self._peer, 50_000

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 18_800

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        self.options.append((level, option, value))

    def peer_sends(self, data: bytes) -> None:
        """The peer sends what the loop does not read yet."""
        self._theirs.sendall(data)

    def read(self) -> bytes:
        """Read it."""
        return self._ours.recv(65_536)

    def hang_up(self) -> None:
        """The peer closes its end."""
        self._theirs.close()


class Client:
    """What a client sees of its connection, and what it does."""

    def __init__(self, protocol: RelayProtocol, transport: ClientTransport) -> None:
        self.protocol = protocol
        self.transport = transport

    @property
    def received(self) -> bytes:
        return bytes(self.transport.written)

    @property
    def statuses(self) -> list[int]:
        """The status of each response so far."""
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", self.received)]

    def send(self, data: bytes) -> bool:
        """Hand over what the client sends, as a loop does: not to a connection that is not read. Whether it was."""
        if self.transport.reading_paused or self.transport.closed:
            return False
        cast(asyncio.Protocol, self.transport.protocol).data_received(data)
        return True


class Listener:
    """A listener with one upstream. Make it inside a running loop."""

    def __init__(
        self,
        *,
        tokens: bool = False,
        limits: ClientLimits | None = None,
        time_limits: TimeLimits | None = None,
        observes_all: bool = True,
        make_socket: MakeSocket | None = None,
        **admission: Any,
    ) -> None:
        self.clock = FakeClock()
        self.clock.time = 1000.0
        self.dialer = FakeDialer()
        self.upstream = make_upstream(self.dialer, credential=bearer(KEY), limits=time_limits)
        limits = limits or ClientLimits()
        whole: dict[str, Any] = {
            "upstream": self.upstream,
            "routes": ANYTHING_BELOW_V1,
            "browser": CrossOriginPolicy(),
            "body_limit": limits.body_bytes,
            "via_pseudonym": b"clawgate-test",
            "tokens": TokenStore.of({"alice": TOKEN}) if tokens else None,
            "failures": AuthLockout(LockoutRule()) if tokens else None,
            **admission,
        }
        self.records: list[RequestRecord] = []
        self.manager = ConnectionManager(
            admission=Admission(**whole),
            upstreams=(self.upstream,),
            limits=limits,
            observer=self.records.append,
            observes_all=observes_all,
            clock=self.clock,
            make_socket=make_socket,
        )
        self.manager.open()
        self._config = Config(no_control_api, ws="none", lifespan="off", log_config=None)
        self._config.load()

    def handshake(self) -> RelayProtocol:
        """A protocol that waits for its TLS handshake; `connect` it."""
        return self.manager.make_protocol(self._config, ServerState(), {})

    def connect(
        self, *, peer: str = "127.0.0.1", reads: bool = True, protocol: RelayProtocol | None = None
    ) -> Client:
        """Accept a client; one that does not read leaves everything in our write buffer."""
        protocol = protocol or self.handshake()
        transport = ClientTransport(protocol, peer=peer)
        transport.peer_reads = reads
        protocol.connection_made(transport)
        return Client(protocol, transport)

    def advance(self, seconds: float) -> None:
        """Let time pass, and let the time limits be checked once."""
        self.clock.time += seconds
        self.manager.check_timeouts()


async def no_control_api(scope: Any, receive: Any, send: Any) -> None:
    """A control API with one page."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def turns(count: int = 20) -> None:
    """Let everything run that is ready on the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


def request(
    target: bytes = b"/v1/models",
    *lines: bytes,
    method: bytes = b"GET",
    body: bytes = b"",
    length: int | None = None,
) -> bytes:
    """One request as bytes; ``length`` announces more than ``body`` has."""
    framing = b""
    if body or length is not None:
        framing = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % (
            len(body) if length is None else length
        )
    extra = b"".join(line + b"\r\n" for line in lines)
    return b"%b %b HTTP/1.1\r\nHost: 127.0.0.1\r\n%b%b\r\n%b" % (method, target, framing, extra, body)


BEARER = b"Authorization: Bearer " + TOKEN.encode()
