"""Bounds the memory of all bodies that one listener holds, of requests and of responses, and shares it out.

Within its limit every body is read. Beyond it small bodies are still read, so that conversations do not wait for
uploads, and large ones one at a time. A large body that comes too slowly loses its turn to the next. A body that waits
too long for its turn is rejected, and where there is no memory left, the one that has not grown for longest.

Invariant: no more is held than the limit, one body of the largest size, and what one read brings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from clawgate.errors import Overloaded

SMALL_BYTES = 1_048_576
"""Up to this size a body is read beyond the limit as well: a long conversation has some hundred kB."""
TURN_BYTES_PER_SECOND = 65_536
"""How fast a large body has to come to keep its turn while others wait."""
WAIT_SECONDS = 60.0
"""How long a body waits for its turn."""


class BufferingExchange(Protocol):
    """An exchange that holds its request's body in memory."""

    def resume_body(self) -> None:
        """The rest of the body may be read."""

    def reject_body(self, error: Overloaded) -> None:
        """There is no memory for this body: end the exchange."""


class BodyBufferBudget:
    """The bodies of one listener. ``limit`` and ``largest``, the most that one body may have, are in bytes."""

    def __init__(self, limit: int, largest: int, now: Callable[[], float]) -> None:
        self._limit = limit
        self._most = limit + largest
        self._now = now
        # The one that has not grown for longest comes first.
        self._receiving: dict[BufferingExchange, int] = {}
        self._complete: dict[BufferingExchange, int] = {}
        self._paused: dict[BufferingExchange, float] = {}  # since when; in the order of their turns
        self._turn: BufferingExchange | None = None  # the large body that is read beyond the limit
        self._turn_began = (0.0, 0)  # when, and how much of it was held then
        self.used = 0
        """Bytes held."""

    @property
    def has_room(self) -> bool:
        """Whether bytes may be kept that their exchange can do without."""
        return self.used <= self._limit

    def may_read(self, exchange: BufferingExchange, size: int) -> bool:
        """Whether the body of ``exchange``, of which ``size`` bytes are held now, is read on.

        If not, `resume_body` or `reject_body` follows, or `reject_body` was called already.
        """
        self.used += size - self._receiving.pop(exchange, 0)
        self._receiving[exchange] = size
        if self.used <= self._limit:
            return True
        self._make_room()
        if exchange not in self._receiving:
            return False
        if size <= SMALL_BYTES or self._has_turn(exchange):
            return True
        self._paused[exchange] = self._now()
        return False

    def complete(self, exchange: BufferingExchange) -> None:
        """The whole body is here; it is held until `release`."""
        size = self._receiving.pop(exchange, None)
        if size is not None:
            self._complete[exchange] = size
            self._paused.pop(exchange, None)
            self._end_turn(exchange)

    def hold(self, exchange: BufferingExchange, size: int) -> None:
        """Count ``size`` bytes of a complete body, of copies of one, or of a response. Raises `Overloaded`."""
        self.used += size - self._complete.pop(exchange, 0)
        self._complete[exchange] = size
        self._make_room()
        if self.used > self._most:
            self.release(exchange)
            raise self._overloaded()

    def release(self, exchange: BufferingExchange) -> None:
        """The body is not held any more."""
        self.used -= self._receiving.pop(exchange, 0) + self._complete.pop(exchange, 0)
        self._paused.pop(exchange, None)
        self._end_turn(exchange)

    def check_timeouts(self, now: float) -> None:
        """Reject bodies that have waited too long, and end the turn of a body that comes too slowly."""
        for exchange, since in list(self._paused.items()):
            if now - since >= WAIT_SECONDS and exchange in self._paused:
                self._reject(exchange)
        turn = self._turn
        if turn is not None and self._paused:
            began_at, began_with = self._turn_began
            due = (now - began_at) * TURN_BYTES_PER_SECOND
            if due >= TURN_BYTES_PER_SECOND and self._receiving[turn] - began_with < due:
                self._end_turn(turn)  # its next bytes send it to the end of the queue

    def _has_turn(self, exchange: BufferingExchange) -> bool:
        if self._turn is None:
            self._begin_turn(exchange)
        return self._turn is exchange

    def _begin_turn(self, exchange: BufferingExchange) -> None:
        self._turn = exchange
        self._turn_began = self._now(), self._receiving[exchange]

    def _end_turn(self, exchange: BufferingExchange) -> None:
        """Pass the turn of ``exchange`` on, if it has it, and resume all that there is room for."""
        if self._turn is exchange:
            self._turn = None
        while self._paused and (self._turn is None or self.has_room):
            following = next(iter(self._paused))
            del self._paused[following]
            if not self.has_room:
                self._begin_turn(following)
            following.resume_body()

    def _make_room(self) -> None:
        while self.used > self._most and self._receiving:
            self._reject(next(iter(self._receiving)))

    def _reject(self, exchange: BufferingExchange) -> None:
        self.release(exchange)
        exchange.reject_body(self._overloaded())

    def _overloaded(self) -> Overloaded:
        return Overloaded(
            f"requests and responses fill the memory for their bodies ({self._most} bytes); try again",
            retry_after=1,
        )
