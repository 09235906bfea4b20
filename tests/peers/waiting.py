"""Waits for a fact that another coroutine makes true, without sleeping and without hanging.

Must not know HTTP. Every wait of a test has a limit, so that it fails with a sentence, not by hanging.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

DEFAULT_LIMIT = 60.0
"""Seconds after which a wait that names no limit of its own gives up."""


class Condition:
    """Wakes everyone who waits, each time something has changed; each waiter then looks for itself."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def beat(self) -> None:
        """Say that something has changed."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def until(
        self, ready: Callable[[], bool], what: Callable[[], str] = lambda: "", within: float | None = None
    ) -> None:
        """Return once `ready()` holds.

        `within` is in seconds, None for no limit. Raises TimeoutError with the text of `what()`, which
        should say what was awaited and what is known so far.
        """
        try:
            async with asyncio.timeout(within):
                while not ready():
                    future = asyncio.get_running_loop().create_future()
                    self._waiting.append(future)
                    await future
        except TimeoutError:
            raise TimeoutError(f"not within {within} s: {what()}") from None
