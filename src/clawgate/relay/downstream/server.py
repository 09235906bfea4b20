"""uvicorn's server with a drain that loses no request and cuts no stream without a sign.

On the first signal the listener closes at once. Responses under way continue, and each head that is yet to be sent
announces the end of its connection; idle connections get a moment, because a request may be on its way already, and so
do those whose head was sent before; after the drain limit the rest ends with an error that its client can see. A second
signal ends everything at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Sequence
from types import FrameType
from typing import Any

import uvicorn

from clawgate.errors import GatewayStopping
from clawgate.relay.downstream.client_timeouts import IDLE_GRACE_SECONDS
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.downstream.protocol import RelayProtocol
from clawgate.relay.downstream.tls_listener import TlsListener

logger = logging.getLogger("clawgate")

_LAST_BYTES_SECONDS = 1.0
_TURNS_WITHOUT_NEWS = 3
_LAST_RESORT_SECONDS = 5.0
"""From the end of the last response to that of the process. A task that ignores its cancellation must not keep it."""


class Server(uvicorn.Server):
    """The listener of one process. ``on_started`` is called on the loop once connections are accepted."""

    def __init__(
        self,
        connections: ConnectionManager,
        app: Any,
        *,
        drain_seconds: float,
        tls: tuple[str, str] | None = None,
        on_started: Callable[[Server], None] | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=connections.make_protocol,  # type: ignore[arg-type]  # called like a class, and all it is used for
                ws="none",
                loop="uvloop",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                ssl_certfile=tls[0] if tls else None,
                ssl_keyfile=tls[1] if tls else None,
                backlog=2048,
            )
        )
        self._connections = connections
        self._drain_seconds = drain_seconds
        self._on_started = on_started
        self._background: list[asyncio.Task[None]] = []
        self._tls_listeners: list[TlsListener[RelayProtocol]] = []
        self._last_resort: threading.Timer | None = None
        self._owns_process = False  # whether the process ends with this listener

    def stop(self) -> None:
        """Begin to drain, as the first signal does."""
        self.should_exit = True

    def spawn_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` beside the listener, and cancel it when the listener ends."""
        self._background.append(asyncio.get_running_loop().create_task(work))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain on the first signal, end on the second."""
        self.force_exit = self.should_exit
        self.should_exit = True

    def run_with_sockets(self, sockets: list[socket.socket]) -> None:
        """Serve until stopped, and handle signals: uvicorn would raise them again, and the exit code would not be 0."""
        for sig in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sig, self.handle_exit)
        self._owns_process = True
        try:
            self.run(sockets=sockets)
        finally:
            if self._last_resort is not None:
                self._last_resort.cancel()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._connections.open()
        tls = self.config.ssl
        await super().startup([] if tls is not None else sockets)
        if tls is not None:
            self._tls_listeners = [self._accept_tls(sock, tls) for sock in sockets or []]
        if self._on_started is not None:
            self._on_started(self)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        connections, limit = self._connections, self._drain_seconds
        connections.draining = True
        await accept_backlog(connections)
        for server in self.servers:
            server.close()
        for listener in self._tls_listeners:
            listener.close()
        close(sockets or [])
        busy = max(connections.busy_count, connections.detached_count())
        if busy:
            logger.info("stopping: %d requests under way get up to %g s to finish", busy, limit)
        if not await drain(connections, limit, lambda: self.force_exit):
            reason = f"this response took longer than the drain limit of {limit:g} s"
            if self.force_exit:
                reason = "a second signal ended the requests under way"
            connections.stop_all(GatewayStopping(f"the gateway is stopping, and {reason}"))
            await connections.closed_within(_LAST_BYTES_SECONDS)
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        connections.close()
        logger.info("stopped")
        if self._owns_process:
            self._last_resort = threading.Timer(_LAST_RESORT_SECONDS, _exit_at_once)
            self._last_resort.daemon = True
            self._last_resort.start()

    def _accept_tls(self, sock: socket.socket, context: ssl.SSLContext) -> TlsListener[RelayProtocol]:
        """Serve TLS on ``sock``. uvicorn would count a connection only once its handshake is done."""
        return TlsListener(
            sock,
            context,
            lambda: self._connections.make_protocol(self.config, self.server_state, self.lifespan.state),
            self._connections,
            handshake_seconds=self._connections.limits.handshake_seconds,
        )


async def accept_backlog(connections: ConnectionManager) -> None:
    """Accept the connections that the kernel has completed already: closing the socket now would reset them."""
    turns_without_news = 0
    known = connections.accepted_count
    while turns_without_news < _TURNS_WITHOUT_NEWS:
        await asyncio.sleep(0)
        turns_without_news = turns_without_news + 1 if connections.accepted_count == known else 0
        known = connections.accepted_count


async def drain(
    connections: ConnectionManager, seconds: float, is_given_up: Callable[[], bool] = lambda: False
) -> bool:
    """Let the requests under way end, and idle connections after a moment; return whether all are closed.

    False: ``seconds`` have passed before, or ``is_given_up``.
    """
    connections.begin_drain()
    if await connections.closed_within(min(IDLE_GRACE_SECONDS, seconds), is_given_up):
        return True
    connections.close_idle_connections()
    return await connections.closed_within(max(seconds - IDLE_GRACE_SECONDS, 0), is_given_up)


def _exit_at_once() -> None:
    logger.error("shutdown incomplete: a background task ignores its cancellation; exiting without it")
    logging.shutdown()
    os._exit(1)


def listen(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets on every address of ``host``, all with the same port. Raises OSError."""
    sockets: list[socket.socket] = []
    try:
        for family, kind, _, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            sock = socket.socket(family, kind)
            sockets.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(
                (address[0], sockets[0].getsockname()[1], *address[2:]) if len(sockets) > 1 else address
            )
            sock.set_inheritable(True)
            sock.listen(2048)
    except OSError:
        close(sockets)
        raise
    return sockets


def close(sockets: Sequence[socket.socket]) -> None:
    for sock in sockets:
        sock.close()
