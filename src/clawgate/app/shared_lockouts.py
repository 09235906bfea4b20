"""Shares the wrong tokens that gateways at one database count, so that an address has its attempts but once.

Law: each gateway counts by itself, and what it learns from others only adds to that. Without the database, or for a
moment behind it, each has its own count alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated

import msgspec

from clawgate.policy.authentication import AuthLockout

_PER_MESSAGE = 80
"""PostgreSQL takes 8000 bytes in a notification."""
_REPEAT_SECONDS = 5.0
"""How often the addresses that are locked out are sent again, for gateways that start later."""

_Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
_Address = Annotated[str, msgspec.Meta(max_length=100)]


class _News(msgspec.Struct):
    failures: list[tuple[_Address, _Seconds]] = []
    """Addresses, and how many seconds ago each presented a wrong token."""
    locks: list[tuple[_Address, _Seconds]] = []
    """Addresses, and for how many seconds each is locked out."""


class SharedLockouts:
    """``lockout`` returns the one of now, which a new config replaces; ``now`` is its clock."""

    def __init__(self, lockout: Callable[[], AuthLockout | None], now: Callable[[], float]) -> None:
        self._lockout = lockout
        self._now = now
        self._repeated_at = -_REPEAT_SECONDS

    def news(self) -> Iterator[str]:
        """Yield the messages for the other gateways."""
        lockout, now = self._lockout(), self._now()
        if lockout is None:
            return
        failures = [(address, max(now - at, 0.0)) for address, at in lockout.take_news()]
        locks: list[tuple[str, float]] = []
        if now - self._repeated_at >= _REPEAT_SECONDS:
            self._repeated_at = now
            locks = [(address, until - now) for address, until in lockout.locked(now)]
        while failures or locks:
            message = _News(failures=failures[:_PER_MESSAGE], locks=locks[: _PER_MESSAGE - len(failures)])
            failures = failures[len(message.failures) :]
            locks = locks[len(message.locks) :]
            yield msgspec.json.encode(message).decode()

    def receive(self, text: str) -> None:
        """Count what another gateway has sent. What cannot be read, as from a later version, is ignored."""
        lockout, now = self._lockout(), self._now()
        try:
            news = msgspec.json.decode(text, type=_News)
        except msgspec.MsgspecError:
            return
        if lockout is None:
            return
        for address, age in news.failures:
            lockout.record_failure(address, now - age, is_own=False)
        for address, seconds in news.locks:
            lockout.lock(address, now, seconds)
