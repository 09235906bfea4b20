"""A run under way, and who follows it: any number of clients, each from the event where it joined.

Law: every follower sees the same events in the same order, none twice and none left out. A run without followers is
cancelled, unless it is detached. It ends once, and then stays as it ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any

from clawgate.agents.run.events import Finished, RunEvent, TextDelta, ToolEnded
from clawgate.agents.session.ended_elsewhere import STOPPED
from clawgate.errors import GatewayError, GatewayStopping, InternalError, InvalidRequest
from clawgate.state.records import NewResponse

logger = logging.getLogger("clawgate.agents")

_EVENT_SIZE = 100
"""What an event takes beside its text."""

Work = Callable[[Callable[[RunEvent], None]], Awaitable[None]]
"""Does the run, and reports its events through what it is given. Raises `GatewayError`."""


class LiveRun:
    """One run. ``created`` is its begin in UNIX seconds; ``is_detached``: it continues without followers."""

    def __init__(self, run: str, caller: str, *, created: int = 0, is_detached: bool = False) -> None:
        self.run = run
        self.created = created
        self.caller = caller
        self.is_detached = is_detached
        self.events: list[RunEvent] = []
        self.error: GatewayError | None = None
        self.is_over = False
        self.is_stopping = False
        """Whether it was cancelled, and may still have to store what it leaves."""
        self.is_cancelled = False
        """Whether its caller stopped it, while it was under way."""
        self.agent = self.session = ""
        self.key: str | None = None
        self.encoder: Callable[[], Any] | None = None
        self.response: Callable[[], NewResponse] | None = None
        """All five as in `RunStart`, the last one until it is over."""
        self.followers = 0
        self.size = 0
        """Characters of the events so far, about, and of what its encoder keeps."""
        self._waiting: list[asyncio.Future[None]] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def public_id(self) -> str:
        """What its caller knows it by: its idempotency key, or its own id without one."""
        return self.run if self.key is None else self.key

    @property
    def text(self) -> str:
        """Return all text of its model so far."""
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    def start(self, work: Work) -> asyncio.Task[None]:
        """Begin the run in a task of its own; the caller keeps a reference to it."""
        self._task = asyncio.get_running_loop().create_task(self._run(work))
        # one that is cancelled before its first step never comes to its frame
        self._task.add_done_callback(lambda _: None if self.is_over else self._end(self._stopped()))
        return self._task

    def cancel(self) -> None:
        """Have no effect on a run that is stopping already: it stores what it leaves."""
        if self._task is not None and not (self.is_over or self.is_stopping):
            self.is_stopping = True
            self._task.cancel()

    async def ended(self) -> None:
        """Return when it is over, however it ended."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def follow(self, start: int = 0, *, keeps: bool = True) -> AsyncGenerator[Sequence[RunEvent], None]:
        """Yield the events from number ``start`` on, as many at a time as there are. Raises the error behind them.

        Leaving early may end the run, unless ``keeps`` is False: the run is not for this follower.
        """
        self.followers += keeps
        try:
            while True:
                if start < len(self.events):
                    batch = self.events[start:]
                    start += len(batch)
                    yield batch
                elif self.error is not None:
                    raise self.error
                elif self.is_over:
                    return
                else:
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiting.append(waiter)
                    await waiter
        finally:
            self.followers -= keeps
            if keeps and not (self.followers or self.is_over or self.is_detached):
                self.cancel()

    async def _run(self, work: Work) -> None:
        """The outermost frame of the task: whatever happens, its followers learn of it."""
        error: GatewayError | None = None
        try:
            await work(self._emit)
        except GatewayError as failure:
            error = failure
        except asyncio.CancelledError:
            error = self._stopped()
            raise
        except Exception:
            logger.exception("run %s failed with an unforeseen error", self.run)
            error = InternalError("an internal error; the log of clawgate says more")
        finally:
            self._end(error)

    def _stopped(self) -> GatewayError:
        """Return the error of a run that was cancelled: clients repeat what failed with a 5xx, and no 4xx."""
        if self.is_cancelled:
            return InvalidRequest(STOPPED)
        return GatewayStopping("the run was stopped before it was complete")

    def _end(self, error: GatewayError | None) -> None:
        self.error = error
        self.is_over = True
        self._wake()

    def _emit(self, event: RunEvent) -> None:
        self.events.append(event)
        self.size += _EVENT_SIZE + _characters(event)
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)


def _characters(event: RunEvent) -> int:
    match event:
        case TextDelta(text) | Finished(text):
            return len(text)
        case ToolEnded():
            return len(event.result)
    return 0
