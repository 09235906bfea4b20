"""One accepted connection of a scripted server: performs the steps, records the bytes, sees the end.

Must not know which script belongs to which request, nor anything of other connections: its server does.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from tests.peers.message_reader import Head, MessageReader, WithFields
from tests.peers.script import (
    Close,
    DontReadBody,
    Drip,
    HalfClose,
    Hold,
    ReadBody,
    Reset,
    Script,
    Send,
    SetEvent,
    Step,
    Trickle,
    Wait,
)

if TYPE_CHECKING:
    from tests.peers.upstream import FakeUpstream


def report_every_held_byte(transport: asyncio.Transport) -> None:
    """Have `pause_writing` called as soon as one byte waits, and `resume_writing` when none does."""
    # asyncio's TLS transport compares with >=, so that a limit of 0 would pause it with nothing waiting.
    transport.set_write_buffer_limits(high=1 if transport.get_extra_info("ssl_object") else 0, low=0)


def linger_zero(transport: asyncio.BaseTransport) -> None:
    """Make the coming close of this transport's socket an RST."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@dataclass(slots=True)
class Request(WithFields):
    """One request as it arrived, filled in while its body comes."""

    number: int
    connection: Connection
    reader: MessageReader
    start: int

    @property
    def head(self) -> Head | None:  # type: ignore[override]  # read only
        return self.reader.head

    @property
    def method(self) -> str:
        return self.head.start[0] if self.head else ""

    @property
    def target(self) -> str:
        return self.head.start[1] if self.head else ""

    @property
    def body(self) -> bytes:
        """The decoded body, as far as it has arrived."""
        return bytes(self.reader.body)

    @property
    def raw(self) -> bytes:
        """The bytes of the whole message as they came, with their framing, as far as they have been read."""
        return bytes(self.connection.received[self.start : self.start + self.reader.consumed])

    @property
    def raw_head(self) -> bytes:
        """The head's bytes, with the empty line."""
        return self.head.raw if self.head else b""

    @property
    def complete(self) -> bool:
        return self.reader.complete

    @property
    def anomalies(self) -> list[str]:
        return self.reader.anomalies


class Connection(asyncio.Protocol):
    """One accepted connection: its raw bytes, its requests, its end. Made by its server."""

    def __init__(self, upstream: FakeUpstream) -> None:
        self.upstream = upstream
        self.number = -1
        self.requests: list[Request] = []
        self.received = bytearray()
        self.client_close: Literal["fin", "reset"] | None = None
        self.lost = False
        self._closing = False
        self._eof = False
        self._reader: MessageReader | None = MessageReader("request")
        self._start = 0
        self._written = 0
        self._writable = True

    @property
    def sent(self) -> int:
        """Bytes of responses that the kernel has taken (before TLS)."""
        return self._written - (0 if self.lost else self._transport.get_write_buffer_size())

    @property
    def blocked(self) -> bool:
        """Whether a write is held up now because the peer does not read."""
        return not self._writable and not self.lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        report_every_held_byte(self._transport)
        self.upstream.opened(self)

    def data_received(self, data: bytes) -> None:
        self.received += data
        while data and (reader := self._reader) is not None:
            request = self.requests[-1] if self.requests and self.requests[-1].reader is reader else None
            reader.feed(data)
            if reader.head is not None and request is None:
                request = self.upstream.arrived(self, reader, self._start)
            data = b""
            if reader.complete and request is not None:
                self._reader, data = MessageReader("request"), reader.unread
                self._start += reader.consumed
            elif reader.broken:
                self._reader = None
                if request is None:
                    self.upstream.stray.append(f"connection {self.number}: {'; '.join(reader.anomalies)}")
        self.upstream.pulse.beat()

    def eof_received(self) -> bool:
        self._client_gone("fin")
        # Half-open is worth having (a client may send its request, then FIN), but TLS has no such thing.
        return self._transport.get_extra_info("ssl_object") is None

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closing:
            self._client_gone("reset" if exc is not None else "fin")
        self.lost = True
        self.upstream.closed(self)

    def pause_writing(self) -> None:
        self._writable = False
        self.upstream.pulse.beat()

    def resume_writing(self) -> None:
        self._writable = True
        self.upstream.pulse.beat()

    def abort(self) -> None:
        self._closing = True
        self._transport.abort()

    def _client_gone(self, how: Literal["fin", "reset"]) -> None:
        # The first sign counts: a client that sent FIN replies to a later write of ours with RST.
        if self.client_close is None:
            self.client_close = how
        reader = self._reader
        if reader is not None and (reader.head is not None or reader.unread) and not self._eof:
            reader.feed_eof(reset=how == "reset")
        self._eof = True
        self.upstream.pulse.beat()

    async def _until(self, ready: Callable[[], bool]) -> None:
        await self.upstream.pulse.until(ready)

    async def serve(self) -> None:
        """Perform the scripts of this connection until it ends."""
        if await self._perform(self.upstream.on_connect, None):
            return
        done = 0
        while (request := await self._request(done)) is not None:
            if self.upstream.needs_body(request):
                await self._body_of(request)
            if await self._perform(self.upstream.script_for(request), request):
                return
            self._transport.resume_reading()
            await self._body_of(request)
            done += 1
        self._closing = True
        self._transport.close()

    async def _request(self, number: int) -> Request | None:
        await self._until(lambda: len(self.requests) > number or self._eof)
        return self.requests[number] if len(self.requests) > number else None

    async def _body_of(self, request: Request) -> None:
        await self._until(lambda: request.complete or self._eof)

    async def _perform(self, script: Script, request: Request | None) -> bool:
        """Do the steps; True if the connection is over."""
        for step in script:
            await self._do(step, request)
            if self._closing:
                await self._until(lambda: self.lost)
                return True
        return False

    async def _do(self, step: Step, request: Request | None) -> None:
        match step:
            case Send(data):
                await self._send(data)
            case Drip(data, size, pause):
                for at in range(0, len(data), size):
                    await asyncio.sleep(pause if at else 0)
                    await self._send(data[at : at + size])
            case Trickle(data, pause, times):
                sent = 0
                while (times is None or sent < times) and not self._eof:
                    await self._send(data)
                    await asyncio.sleep(pause)
                    sent += 1
            case Wait(asyncio.Event() as event):
                await event.wait()
            case Wait(float() | int() as seconds):
                await asyncio.sleep(seconds)
            case SetEvent(event):
                event.set()
            case ReadBody():
                self._transport.resume_reading()
                if request is not None:
                    await self._body_of(request)
            case DontReadBody():
                self._transport.pause_reading()
            case Hold():
                await self._until(lambda: self.upstream.released or self._eof)
                if self._eof and not self.upstream.released:
                    self._closing = True
                    self._transport.close()
            case HalfClose():
                self._transport.write_eof()
            case Close():
                self._closing = True
                self._transport.close()
            case Reset():
                linger_zero(self._transport)
                self.abort()

    async def _send(self, data: bytes) -> None:
        self._written += len(data)
        self._transport.write(data)
        await self._until(lambda: self._writable)
