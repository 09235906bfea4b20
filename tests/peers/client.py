"""A client that sends exactly the bytes it is given, and reads responses strictly.

It is the client of tests: what arrived, whether it was complete and correct, and how the connection ended.
Must not know clawgate, and must not repair what it reads.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Literal, Self, cast

from tests.peers.connection import linger_zero, report_every_held_byte
from tests.peers.message_reader import MessageReader
from tests.peers.response import ConnectionClosed, Response
from tests.peers.waiting import DEFAULT_LIMIT, Condition


class RawClient(asyncio.Protocol):
    """A connection to a server under test; `async with await RawClient.open(url) as client:`.

    Every wait gives up after `limit` seconds with a TimeoutError that says what had come by then.
    """

    def __init__(self, limit: float = DEFAULT_LIMIT) -> None:
        self.received = bytearray()
        self.how_ended: Literal["fin", "reset"] | None = None
        self.lost = False
        self._limit = limit
        self._pulse = Condition()
        self._taken = 0
        self._writable = True

    @classmethod
    async def open(
        cls,
        url: str = "",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        receive_buffer: int | None = None,
        limit: float = DEFAULT_LIMIT,
    ) -> Self:
        """Connect to `http://host:port` or to `host` and `port`.

        `receive_buffer` is SO_RCVBUF in bytes: a small one makes `stop_reading` reach the server soon.
        """
        if url:
            host, _, digits = url.split("://", 1)[-1].split("/", 1)[0].rpartition(":")
            host, port = host.strip("[]"), int(digits)
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            sock.setblocking(False)
            if receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            async with asyncio.timeout(limit):
                await loop.sock_connect(sock, (host, port))
                name = host if tls else None
                _, client = await loop.create_connection(
                    lambda: cls(limit), sock=sock, ssl=tls, server_hostname=name
                )
        except BaseException:
            sock.close()
            raise
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    # Acting.

    async def send(self, *pieces: bytes, pause: float = 0.0) -> None:
        """Write the pieces, a segment each, `pause` seconds apart; returns when the kernel has taken them.

        ConnectionError if the connection is over.
        """
        for number, piece in enumerate(pieces):
            await asyncio.sleep(pause if number else 0)
            if self.lost:
                raise ConnectionError(f"the connection is over; {self.state()}")
            self._transport.write(piece)
            await self._until(lambda: self._writable or self.lost, "the server to take what was sent")

    async def request(
        self,
        target: str = "/v1/chat/completions",
        body: bytes | None = None,
        *,
        method: str | None = None,
        fields: tuple[tuple[str, str], ...] = (),
        host: str | None = None,
    ) -> None:
        """Send a correct request: Host, and with a body its JSON type and length, then `fields`."""
        peer = self._transport.get_extra_info("peername")
        lines = [f"{method or ('GET' if body is None else 'POST')} {target} HTTP/1.1"]
        lines.append(f"Host: {host or f'{peer[0]}:{peer[1]}'}")
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in fields]
        await self.send("".join(line + "\r\n" for line in lines).encode("latin-1") + b"\r\n" + (body or b""))

    def half_close(self) -> None:
        """Send FIN and keep reading."""
        self._transport.write_eof()

    def reset(self) -> None:
        """End the connection with RST, at once."""
        linger_zero(self._transport)
        self._transport.abort()

    def stop_reading(self) -> None:
        """Let what the server sends pile up in the kernel; its close is not seen until `resume_reading`."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    async def close(self) -> None:
        """End the connection (FIN, or RST by the kernel if something was left unread)."""
        self._transport.abort()
        await self._until(lambda: self.lost, "our own close")

    # Reading.

    async def response(
        self, *, to_method: str = "GET", last: bool = True, within: float | None = None
    ) -> Response:
        """The next response, complete or cut short by the end of the connection.

        `last` says that nothing may follow it: bytes that had come behind it by then are an anomaly.
        A broken one (unreadable framing) is returned as soon as that is known.
        """
        reader = MessageReader("response", to_method=to_method)
        await self._read_until(reader, lambda: reader.complete or reader.broken, "a whole response", within)
        if last and reader.complete and reader.unread and reader.framing != "upgrade":
            reader.anomalies.append(f"{len(reader.unread)} bytes behind the message: {reader.unread[:80]!r}")
        response = self._response(reader)
        self._taken += reader.consumed
        return response

    async def response_so_far(
        self,
        ready: Callable[[Response], bool] = lambda response: response.head is not None,
        *,
        to_method: str = "GET",
        within: float | None = None,
    ) -> Response:
        """The next response as far as it has come once `ready` says so of it (default: its head is here).

        It is not taken: the next `response()` reads it again from its start. Ends early like `response()`.
        """
        reader = MessageReader("response", to_method=to_method)

        def enough() -> bool:
            return reader.complete or reader.broken or ready(self._response(reader))

        await self._read_until(reader, enough, "enough of a response", within)
        return self._response(reader)

    async def saw(self, data: bytes, within: float | None = None) -> None:
        """Return once these bytes have come, anywhere; ConnectionError if the end comes without them."""
        await self._until(lambda: data in self.received or self.how_ended is not None, f"{data!r}", within)
        if data not in self.received:
            raise ConnectionError(f"the connection ended without {data!r}; {self.state()}")

    async def ended(self, within: float | None = None) -> ConnectionClosed:
        """How the server ended the connection, once it has."""
        await self._until(lambda: self.how_ended is not None, "the end of the connection", within)
        assert self.how_ended is not None
        return ConnectionClosed(self.how_ended, bytes(self.received[self._taken :]))

    def state(self) -> str:
        """What has come so far, in one line."""
        return f"received {len(self.received)} bytes, end {self.how_ended}: {bytes(self.received[-300:])!r}"

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        report_every_held_byte(self._transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._pulse.beat()

    def eof_received(self) -> bool:
        self._over("fin")
        return self._transport.get_extra_info("ssl_object") is None

    def connection_lost(self, exc: Exception | None) -> None:
        self._over("fin" if exc is None else "reset")
        self.lost = True
        self._pulse.beat()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._pulse.beat()

    def _over(self, how: Literal["fin", "reset"]) -> None:
        if self.how_ended is None:
            self.how_ended = how
        self._pulse.beat()

    async def _read_until(
        self, reader: MessageReader, enough: Callable[[], bool], what: str, within: float | None
    ) -> None:
        fed = self._taken

        def ready() -> bool:
            nonlocal fed
            if len(self.received) > fed:
                reader.feed(bytes(self.received[fed:]))
                fed = len(self.received)
            return enough() or self.how_ended is not None

        await self._until(ready, what, within)
        if self.how_ended is not None:
            reader.feed_eof(reset=self.how_ended == "reset")

    async def _until(self, ready: Callable[[], bool], what: str, within: float | None = None) -> None:
        await self._pulse.until(
            ready, lambda: f"{what} ({self.state()})", self._limit if within is None else within
        )

    def _response(self, reader: MessageReader) -> Response:
        return Response(
            reader.head,
            tuple(reader.interim),
            reader.framing,
            bytes(reader.body),
            tuple(reader.chunks),
            b"" if reader.complete or reader.broken or reader.head is None else reader.unread,
            reader.complete,
            tuple(reader.anomalies),
        )
