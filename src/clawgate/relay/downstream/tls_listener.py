"""Accepts TLS connections and bounds their handshakes in number and time.

A server made by `loop.create_server(ssl=...)` creates a protocol's transport only after the handshake, and reports
nothing of one that fails: silent clients would hold descriptors that no limit counts. Here each connection is
reported to the `HandshakeOwner` when it is accepted, together with the means to abort it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

logger = logging.getLogger("clawgate.relay")

_ACCEPT_RETRY_SECONDS = 1.0
"""Pause after a failed accept, as asyncio's own servers make one (`ACCEPT_RETRY_DELAY`)."""
_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_P = TypeVar("_P", bound=asyncio.Protocol)
_P_contra = TypeVar("_P_contra", bound=asyncio.Protocol, contravariant=True)


class HandshakeOwner(Protocol[_P_contra]):
    """Counts the handshakes of a listener."""

    def handshake_started(self, protocol: _P_contra, abort: Callable[[], object]) -> None:
        """A connection was accepted; ``protocol`` will serve it once the handshake is done."""

    def handshake_ended(self, protocol: _P_contra) -> None:
        """The handshake is over, whether it succeeded or not."""


class TlsListener(Generic[_P]):
    """Accepts on one listening socket until it is closed. The socket stays open: it belongs to the caller."""

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        make_protocol: Callable[[], _P],
        owner: HandshakeOwner[_P],
        *,
        handshake_seconds: float,
        loop: Any = None,
    ) -> None:
        self._sock = sock
        self._context = context
        self._make_protocol = make_protocol
        self._owner = owner
        self._handshake_seconds = handshake_seconds
        self._loop = loop or asyncio.get_running_loop()
        self._handshakes: set[asyncio.Task[None]] = set()
        sock.setblocking(False)
        self._accepting = self._loop.create_task(self._accept())

    def close(self) -> None:
        """Accept no more. Handshakes under way may finish; the owner aborts them when it has to."""
        self._accepting.cancel()

    async def _accept(self) -> None:
        while True:
            try:
                sock, _ = await self._loop.sock_accept(self._sock)
            except OSError as error:
                if error.errno in _OUT_OF_RESOURCES:
                    logger.error("accept failed error=%s", error)  # noqa: TRY400  # the traceback says no more
                    await asyncio.sleep(_ACCEPT_RETRY_SECONDS)
                continue  # any other error is of the one connection: it ended before it was accepted
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = self._loop.create_task(self._shake_hands(sock))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, sock: socket.socket) -> None:
        protocol = self._make_protocol()
        task = asyncio.current_task()
        assert task is not None
        self._owner.handshake_started(protocol, task.cancel)
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol,
                sock,
                ssl=self._context,
                ssl_handshake_timeout=self._handshake_seconds,
            )
        except OSError as error:  # ssl.SSLError and the timeout are of this kind
            logger.debug("TLS handshake failed error=%s", error)
        finally:
            self._owner.handshake_ended(protocol)
