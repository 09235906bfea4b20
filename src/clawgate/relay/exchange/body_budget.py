"""Whose body may be read on, where bodies have to be whole before anything is sent, so that memory stays bounded?

Beyond a bound only the oldest is read on, so that there is always one that comes to its end; the others wait, and their
clients with them, until there is room. A small body waits for nobody: one slow upload must not hold up conversations.
"""

from __future__ import annotations

from typing import Protocol

SMALL_BYTES = 1_048_576
"""Up to this size a body is read whatever others hold: a long conversation has some hundred kB."""


class BufferingExchange(Protocol):
    """One request whose body is being read."""

    def body_may_go_on(self) -> None:
        """There is room again."""
        ...


class BodyBufferBudget:
    """The bodies that are held at one listener; ``most`` is in bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._sizes: dict[BufferingExchange, int] = {}  # the oldest first
        self._waiting: dict[BufferingExchange, None] = {}
        self.total = 0

    def may_go_on(self, holder: BufferingExchange, size: int) -> bool:
        """Whether ``holder``, which holds ``size`` bytes by now, may be read on; if not it hears when it may."""
        self.total += size - self._sizes.get(holder, 0)
        self._sizes[holder] = size
        if size <= SMALL_BYTES or self.total <= self._most or holder is next(iter(self._sizes)):
            return True
        self._waiting[holder] = None
        return False

    def let_go(self, holder: BufferingExchange) -> None:
        """Its body is whole, or nobody waits for it any more."""
        self._waiting.pop(holder, None)
        size = self._sizes.pop(holder, None)
        if size is None:
            return
        self.total -= size
        if self.total <= self._most:
            going = list(self._waiting)
        else:
            going = [one for one in self._waiting if one is next(iter(self._sizes))]
        for one in going:
            del self._waiting[one]
        for one in going:
            one.body_may_go_on()
