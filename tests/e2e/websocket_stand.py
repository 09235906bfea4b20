"""A listener on a real port whose WebSockets send every message back, and a client that speaks raw frames."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clawgate.policy.cross_origin import CrossOriginPolicy
from clawgate.policy.path_routing import RouteTable
from clawgate.relay.admission.admission import Admission
from clawgate.relay.admission.upgrade import AdmittedSocket
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.downstream.request_parser import ClientLimits
from clawgate.relay.downstream.server import Server, listen
from clawgate.relay.downstream.websocket_connection import WebSocketConnection
from tests.relay.websocket_frames import Echo, upgrade

UNKNOWN = b"X-Unknown: 1"
"""Of an upgrade whose client does not show who it is."""
PATIENCE = 60.0


@dataclass
class EchoStand:
    """A listener for `Server`; ``handlers`` are those of the sockets so far."""

    clock: Callable[[], float] | None = None
    handlers: list[Echo] = field(default_factory=list)
    port: int = 0
    connections: ConnectionManager = field(init=False)
    host: Server = field(init=False)

    def __post_init__(self) -> None:
        admission = Admission(
            upstream=None,
            routes=RouteTable(exact={}, prefixes={}),
            browser=CrossOriginPolicy(),
            body_limit=0,
            via_pseudonym=b"clawgate-echo",
            socket_paths=frozenset({b"/"}),
        )
        self.connections = ConnectionManager(
            admission=admission,
            upstreams=(),
            limits=ClientLimits(),
            observer=None,
            clock=self.clock,
            make_socket=self._make_socket,
        )

    def _make_socket(self, listener: ConnectionManager, admitted: AdmittedSocket) -> WebSocketConnection:
        handler = Echo(authenticates=b"x-unknown" not in dict(admitted.head.fields))
        self.handlers.append(handler)
        return WebSocketConnection(listener, admitted, handler)

    def server(self, **options: Any) -> Server:
        return Server(self.connections, no_page, **{"drain_seconds": 0.1, **options})

    async def client(
        self, *lines: bytes, local: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> RawSocket:
        """A new socket, from the address ``local``; a refused upgrade has no 101."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            self.port,
            local_addr=(local, 0),
            ssl=tls,
            server_hostname="localhost" if tls else None,
        )
        client = RawSocket(reader, writer)
        writer.write(upgrade(*lines))
        async with asyncio.timeout(PATIENCE):
            client.head = await reader.readuntil(b"\r\n\r\n")
        return client


@dataclass
class RawSocket:
    """One end of a WebSocket, and what it was sent."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: bytes = b""

    @property
    def is_open(self) -> bool:
        return self.head.startswith(b"HTTP/1.1 101 ")

    async def frame(self) -> tuple[int, bytes]:
        """The opcode and payload of the next frame."""
        async with asyncio.timeout(PATIENCE):
            first, size = await self.reader.readexactly(2)
            if size >= 126:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            return first & 0x0F, await self.reader.readexactly(size)

    async def rest(self) -> bytes:
        """What comes until the end of the stream."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@contextlib.contextmanager
def echo_process() -> Iterator[tuple[int, int]]:
    """Serve in a process of its own while the context lasts: its id and its port."""
    program = Path(__file__).with_name("websocket_echo_program.py")
    environment = {**os.environ, "PYTHONPATH": str(program.parents[2])}
    command = [sys.executable, str(program)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.terminate()


async def no_page(scope: Any, receive: Any, send: Any) -> None:
    """There is no control API."""


@contextlib.asynccontextmanager
async def serving_echo(
    stand: EchoStand, *, tls: tuple[str, str] | None = None, **options: Any
) -> AsyncIterator[EchoStand]:
    """Serve on a free port while the context lasts."""
    host = stand.host = stand.server(tls=tls, **options)
    host.config.load()
    host.lifespan = host.config.lifespan_class(host.config)
    sockets = listen("127.0.0.1", 0)
    stand.port = sockets[0].getsockname()[1]
    await host.startup(sockets)
    try:
        yield stand
    finally:
        await host.shutdown(sockets)
