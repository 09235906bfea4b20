"""A server that performs a script, and records every byte that it receives.

It is the upstream of tests: which bytes arrived, on which connection, and how the peer left.
Must not know clawgate: it reads requests with its own strict parser and never repairs anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from tests.peers.connection import Connection, Request
from tests.peers.message_reader import MessageReader
from tests.peers.script import Hold, Script
from tests.peers.waiting import DEFAULT_LIMIT, Condition


@dataclass(frozen=True, slots=True)
class OfBody:
    """A script that follows from the whole request: it is chosen once the body is here."""

    choose: Callable[[Request], Script]


ScriptChoice = Script | Callable[[Request], Script] | OfBody


class FakeUpstream:
    """A listening server on a free port; `async with FakeUpstream(script) as upstream:`.

    `scripts`: the n-th request (counted over all connections) gets the n-th one, and the last one is for all
    that follow; each is a sequence of steps or a function of the request. `on_connect` is performed before a
    connection's first request. Errors inside scripts are raised when the context ends.
    """

    def __init__(
        self,
        *scripts: ScriptChoice,
        on_connect: Script = (),
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        limit: float = DEFAULT_LIMIT,
    ) -> None:
        self.requests: list[Request] = []
        self.connections: list[Connection] = []
        self.stray: list[str] = []
        self.on_connect = on_connect
        self.host, self.port = host, port
        self._scripts = scripts
        self._tls = tls
        self._limit = limit
        self.pulse = Condition()
        self.released = False
        self._tasks: dict[Connection, asyncio.Task[None]] = {}
        self._errors: list[BaseException] = []

    @property
    def url(self) -> str:
        """Scheme, host and port, without a path or a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    @property
    def anomalies(self) -> list[str]:
        """Everything that was not correct HTTP/1.1 in what was sent here, over all connections."""
        return [f"request {r.number}: {text}" for r in self.requests for text in r.anomalies] + self.stray

    @property
    def open_connections(self) -> list[Connection]:
        """Those that neither side has ended."""
        return [c for c in self.connections if not c.lost and c.client_close is None]

    async def start(self) -> Self:
        """Listen. `port` is known afterwards."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), self.host, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Stop listening, end every connection, and raise what went wrong inside the scripts."""
        self._server.close()
        for connection in self.connections:
            if not connection.lost:
                connection.abort()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._until(lambda: all(c.lost for c in self.connections), "our connections to end")
        await self._server.wait_closed()
        if self._errors:
            raise BaseExceptionGroup("errors in upstream scripts", self._errors)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    def release(self) -> None:
        """Let every Hold, now and later, go on."""
        self.released = True
        self.pulse.beat()

    async def saw_connection(self, number: int, within: float | None = None) -> Connection:
        """The connection with that number (from 0), once it is accepted."""
        await self._until(lambda: len(self.connections) > number, f"connection {number}", within)
        return self.connections[number]

    async def saw_request(self, number: int, within: float | None = None) -> Request:
        """The request with that number (from 0, over all connections), once its head is here."""
        await self._until(lambda: len(self.requests) > number, f"request {number}", within)
        return self.requests[number]

    async def saw_body(self, number: int, within: float | None = None) -> Request:
        """The request with that number, once its body is here too."""
        request = await self.saw_request(number, within)
        await self._until(lambda: request.complete, f"the whole of request {number}", within)
        return request

    async def saw_close(self, number: int, within: float | None = None) -> Connection:
        """The connection with that number, once its client has ended it; `client_close` says how."""
        connection = await self.saw_connection(number, within)
        await self._until(
            lambda: connection.client_close is not None, f"close of connection {number}", within
        )
        return connection

    async def saw_blocked(self, number: int, quiet: float = 0.2, within: float | None = None) -> Connection:
        """The connection with that number, once its peer has taken nothing of a write for `quiet` seconds."""
        connection = await self.saw_connection(number, within)
        while True:
            await self._until(lambda: connection.blocked, f"connection {number} to be held up", within)
            before = connection.sent
            await asyncio.sleep(quiet)
            if connection.blocked and connection.sent == before:
                return connection

    async def _until(self, ready: Callable[[], bool], what: str, within: float | None = None) -> None:
        def state() -> str:
            seen = [(request.connection.number, request.method, request.target) for request in self.requests]
            return f"{what}; {len(self.connections)} connections, requests {seen}, stray {self.stray}"

        await self.pulse.until(ready, state, self._limit if within is None else within)

    def needs_body(self, request: Request) -> bool:
        return isinstance(self._choice(request), OfBody)

    def script_for(self, request: Request) -> Script:
        chosen = self._choice(request)
        if isinstance(chosen, OfBody):
            return chosen.choose(request)
        return chosen(request) if callable(chosen) else chosen

    def _choice(self, request: Request) -> ScriptChoice:
        return self._scripts[min(request.number, len(self._scripts) - 1)] if self._scripts else (Hold(),)

    def opened(self, connection: Connection) -> None:
        connection.number = len(self.connections)
        self.connections.append(connection)
        task = asyncio.get_running_loop().create_task(connection.serve())
        task.add_done_callback(lambda task: self._script_over(connection, task))
        self._tasks[connection] = task
        self.pulse.beat()

    def _script_over(self, connection: Connection, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._errors.append(error)
            connection.abort()

    def arrived(self, connection: Connection, reader: MessageReader, start: int) -> Request:
        request = Request(len(self.requests), connection, reader, start)
        self.requests.append(request)
        connection.requests.append(request)
        return request

    def closed(self, connection: Connection) -> None:
        # The script cannot go on without its connection; a task that is past its last step does not mind.
        self._tasks[connection].cancel()
        self.pulse.beat()


class SilentListener:
    """A port that listens and never accepts: connections open in the kernel and no program reads them.

    With `backlog_full` the queue is filled first, so that further connects hang (on Linux no SYN gets a reply).
    """

    def __init__(self, *, backlog_full: bool = False) -> None:
        self._backlog_full = backlog_full
        self._fillers: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0 if self._backlog_full else 16)
        self.port: int = self._listener.getsockname()[1]
        for _ in range(4 if self._backlog_full else 0):
            filler = socket.socket()
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.1", self.port))
            self._fillers.append(filler)
        return self

    def __exit__(self, *exc: object) -> None:
        for sock in (*self._fillers, self._listener):
            sock.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"
