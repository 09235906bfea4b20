"""Lets one run at a time use a session: a queue in this process, and, on a shared database, a lock among gateways.

Law: a lock ends with the process that holds it. A run whose lock was lost is found out by `Store.commit`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, Protocol

from clawgate.errors import SessionBusy
from clawgate.state.records import Extent

MAX_WAITING = 8
"""Runs that wait for one session; the next one is refused."""
RETRY_AFTER_SECONDS = 5


Rows = Sequence[Sequence[Any]]


class SharedLocks(Protocol):
    """Locks that every gateway at the same database sees."""

    async def acquire(self, number: int, session: tuple[str, str, Extent] | None = None) -> Rows | None:
        """Return the rows of ``session`` where they came with the lock; None where it has still to be read."""

    async def release(self, number: int) -> None: ...

    async def announce_owner(self) -> None:
        """Let the others see that this process lives."""

    async def exchange(self, messages: Iterable[str], on_message: Callable[[str], None]) -> None:
        """Send ``messages`` to the other gateways, and have theirs given to ``on_message`` from now on."""


class _Queue:
    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class SessionLocks:
    def __init__(self, shared: SharedLocks | None = None, *, max_waiting: int = MAX_WAITING) -> None:
        self._shared = shared
        self._max_waiting = max_waiting
        self._queues: dict[tuple[str, str], _Queue] = {}

    @contextlib.asynccontextmanager
    async def hold(
        self, caller: str, session: str, wait_seconds: float, extent: Extent | None = None
    ) -> AsyncIterator[Rows | None]:
        """Hold the session; runs that wait for it get it in the order in which they came.

        Yields what `SharedLocks.acquire` returns, None without an ``extent``.
        Raises SessionBusy if too many wait, or after ``wait_seconds``.
        """
        queue = self._queues.setdefault((caller, session), _Queue())
        if queue.users > self._max_waiting:
            raise SessionBusy(
                f"session {session!r}: {self._max_waiting} requests wait for it; send them one after another",
                retry_after=RETRY_AFTER_SECONDS,
            )
        queue.users += 1
        try:
            async with contextlib.AsyncExitStack() as held:
                try:
                    async with asyncio.timeout(wait_seconds):
                        rows = await self._acquire(held, queue.lock, caller, session, extent)
                except TimeoutError:
                    raise SessionBusy(
                        f"session {session!r}: another run has held it for {wait_seconds:g} s; retry",
                        retry_after=RETRY_AFTER_SECONDS,
                    ) from None
                yield rows
        finally:
            queue.users -= 1
            if not queue.users:
                del self._queues[caller, session]

    async def _acquire(
        self,
        held: contextlib.AsyncExitStack,
        lock: asyncio.Lock,
        caller: str,
        session: str,
        extent: Extent | None,
    ) -> Rows | None:
        await held.enter_async_context(lock)
        if self._shared is None:
            return None
        number = lock_number(caller, session)
        rows = await self._shared.acquire(number, (caller, session, extent) if extent else None)
        held.push_async_callback(self._shared.release, number)
        return rows


def lock_number(*parts: str) -> int:
    """Return the 63-bit number that stands for ``parts`` in every gateway."""
    digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) >> 1
