"""Carries one request to its upstream: holds what cannot be sent yet, and keeps what may have to be sent again.

Must not send: `take` returns what is to be sent now. A request is replayed only from here, so that what was sent once
and what is sent again are the same bytes.
"""

from __future__ import annotations

from clawgate.relay.exchange.request_body import RequestBody
from clawgate.relay.interfaces import Buffer
from clawgate.relay.upstream.upstream import target_of

BODY_HIGH_WATER = 65_536
"""How much of a body waits in memory for a connection before the client has to wait as well."""
JOIN_BYTES = 8_192
REPLAY_LIMIT = 1_048_576
"""The largest request that is kept to be sent again when a reused connection turns out to be stale."""


class RequestStream:
    """The bytes of one request.

    ``pending`` is what goes upstream first; ``body`` frames what is fed later, and without one the request is complete;
    ``replay`` is what was sent already and may have to be sent again.
    """

    __slots__ = ("_body", "_pending", "_replay", "complete")

    def __init__(
        self, pending: list[Buffer], body: RequestBody | None = None, replay: list[Buffer] | None = None
    ) -> None:
        self._pending = pending
        self._body = body
        self._replay = replay
        self.complete = body is None
        """Whether the client has sent all of the request."""

    @property
    def target(self) -> str:
        """The path and query in its first line, as it is sent; "" where that does not wait to be sent."""
        return target_of(self._pending[0]) if self._pending else ""

    @property
    def size(self) -> int:
        """Bytes of the body that were fed."""
        return self._body.size if self._body is not None else 0

    @property
    def is_ready(self) -> bool:
        """Whether something can be sent: not before the end of a body that has to be read as a whole."""
        return bool(self._pending) and (self.complete or self._body is None or not self._body.buffers)

    @property
    def over_high_water(self) -> bool:
        """Whether so much waits that the client should not send more."""
        return not self.complete and self.size > BODY_HIGH_WATER

    @property
    def held_bytes(self) -> int:
        """Bytes that are in memory for this request, each copy counted."""
        kept = self._body.kept_bytes if self._body is not None else 0
        return kept + sum(map(len, self._pending)) + (sum(map(len, self._replay)) if self._replay else 0)

    def drop_copies(self) -> None:
        """Forget what the request can do without: the copy for a log, and the one for a replay."""
        self._replay = None
        if self._body is not None:
            self._body.stop_peeking()

    def feed(self, data: bytes) -> None:
        """Add bytes of the body. Raises `BodyTooLarge`."""
        assert self._body is not None, "a request that was complete from the beginning is not fed"
        if framed := self._body.feed(data):
            _append(self._pending, framed)

    def end(self) -> bytes | None:
        """The client has sent all: return the body if it has to be read, else None."""
        self.complete = True
        return self._body.read() if self._body is not None else None

    def append(self, data: bytes) -> None:
        """Add bytes that are framed already."""
        self._pending.append(data)

    def replace(self, request: list[Buffer]) -> None:
        """Send ``request`` from its beginning, in place of all that was to be sent or replayed."""
        self._pending = list(request)
        self._replay = None

    def take(self) -> list[Buffer]:
        """Return what is to be sent now, and keep it for a replay where one is possible."""
        pieces, self._pending = self._pending, []
        if self._replay is not None:
            if self.size > REPLAY_LIMIT:
                self._replay = None
            else:
                for piece in pieces:
                    _append(self._replay, piece)
        return pieces

    def keep_for_replay(self) -> None:
        """What is taken from now on may have to be sent again: the connection is a reused one."""
        self._replay = []

    def discard_replay(self) -> None:
        """The upstream has responded: the request must not be sent again."""
        self._replay = None

    @property
    def can_replay(self) -> bool:
        """Whether all that was sent is still here."""
        return self._replay is not None

    def rewind(self) -> None:
        """Send everything again, from the beginning."""
        assert self._replay is not None, "only what was kept can be sent again"
        self._pending = self._replay + self._pending
        self._replay = None


def _append(pieces: list[Buffer], data: Buffer) -> None:
    """Add ``data``, joined to the last piece where both are small: small objects cost many times their bytes."""
    if pieces and len(pieces[-1]) + len(data) <= JOIN_BYTES:
        pieces[-1] = b"".join((pieces[-1], data))
    else:
        pieces.append(data)


SENT = RequestStream([])
"""Of every exchange whose request went out in one piece at once: it holds nothing. Must not be changed."""
