"""Keeps the runs of this gateway: starts them, and finds the one that a repeated or resumed request means.

Law: requests of one caller with the same idempotency key are one run, in this process, after a restart and in every
gateway of the same database. A run is found by its own caller alone. Runs that are over are kept for a while if a
client may come back for them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from clawgate.agents.run.events import RunEvent
from clawgate.agents.session.live_run import LiveRun
from clawgate.errors import GatewayError, IdempotencyMismatch, Overloaded, RunNotFound
from clawgate.state.records import Begun, IdempotencyResult, NewResponse
from clawgate.state.records import Finished as Served
from clawgate.state.store import Store

KEEP_SECONDS = 600.0
"""How long a run that is over can be resumed. One with an idempotency key is in the database for a day."""
MAX_KEPT = 1000
MAX_KEPT_SIZE = 64_000_000
"""Characters of all of them, about."""
MAX_LIVE = 2000
_POLL_SECONDS = 0.2
_CLOSE_SECONDS = 5.0

Emit = Callable[[RunEvent], None]
Work = Callable[[Emit], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Repeated:
    """The response of an earlier request with the same key, complete; ``run`` made it."""

    result: IdempotencyResult
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """What starts a run. ``key`` is its idempotency key, with the hash of its request; ``work`` does it.

    ``session`` is the key of the session of ``agent`` that it is a part of; empty for a run that leaves nothing there.
    """

    run: str
    caller: str
    created: int
    work: Work
    agent: str = ""
    session: str = ""
    is_detached: bool = False
    key: str | None = None
    body_hash: str = ""
    encoder: Callable[[], Any] | None = None
    """Makes what encodes the run's stream for a client that joins it later, by its id alone."""
    encoder_size: int = 0
    """Characters of the request that it keeps."""
    response: Callable[[], NewResponse] | None = None
    """Returns the response of the Responses API that it leaves to be retrieved, as it is before the run."""


class Runs:
    """``store`` is opened when it is needed. ``now`` returns seconds of a clock that does not go back.

    ``on_session_run`` is called with each run of a session when it has started, and when it is over.
    """

    def __init__(self, store: Callable[[], Awaitable[Store]], now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self.on_session_run: Callable[[LiveRun], None] = lambda live: None
        self._in_sessions: dict[LiveRun, None] = {}
        """The runs of sessions that are under way, in the order of their starts."""
        self._by_id: dict[str, LiveRun] = {}
        self._by_key: dict[tuple[str, str], tuple[str, LiveRun]] = {}
        self._reading: dict[tuple[str, str], asyncio.Event] = {}
        """The keys that the database is being read for: one request reads, the others wait for what it finds."""
        self._kept_size = 0
        self._over: dict[str, tuple[float, tuple[str, str] | None]] = {}
        """When each run that is over ended, in that order, and its caller and key."""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running_count(self) -> int:
        return len(self._tasks)

    def find(self, caller: str, run: str) -> LiveRun | None:
        """Return the run of ``caller`` with this id."""
        self._forget()
        found = self._by_id.get(run)
        return found if found is not None and found.caller == caller else None

    def under_way(self, caller: str, session: str | None = None) -> list[LiveRun]:
        """Return the runs of ``caller`` that are under way in ``session``, or in any of its sessions."""
        return [
            live for live in self._in_sessions if live.caller == caller and session in (None, live.session)
        ]

    def cancel(self, caller: str, run: str) -> LiveRun | None:
        """Stop a run of ``caller`` at its wish; None if there is none. `LiveRun.ended` returns once it has stopped."""
        live = self.find(caller, run)
        if live is not None and not live.is_over:
            live.is_cancelled = True
            live.cancel()
        return live

    def forget(self, caller: str, run: str) -> None:
        """Forget a run of ``caller`` that is over: it can be resumed no more, and its key is new here."""
        if self.find(caller, run) is not None and run in self._over:
            self._drop(run)

    async def start(self, start: RunStart) -> LiveRun | Repeated:
        """Start a run, or return the one that was started by the same request, or its response.

        Raises `IdempotencyMismatch`, `StoreUnavailable`, `Overloaded`.
        """
        self._forget()
        if start.key is None:
            return self._begin(start)
        place = (start.caller, start.key)
        while True:
            if (known := self._by_key.get(place)) is not None:
                body_hash, live = known
                if body_hash != start.body_hash:
                    raise IdempotencyMismatch(
                        f"Idempotency-Key '{start.key}': it was used with another request; use a new key for each"
                    )
                if live.run in self._over and (await self._store()).shared is not None:
                    self.forget(start.caller, live.run)  # another gateway may have deleted what it made
                    continue
                if live.is_over or not live.is_stopping:
                    live.is_detached |= start.is_detached
                    return live
                await live.ended()  # its client left, and comes back: the request is new
                continue
            if (reading := self._reading.get(place)) is not None:
                await reading.wait()
                continue
            self._reading[place] = reading = asyncio.Event()
            try:
                found = await self._find_stored(start, start.key)
                if found is not None:
                    return found
            finally:
                del self._reading[place]
                reading.set()
            await asyncio.sleep(_POLL_SECONDS)  # another gateway runs it

    async def _find_stored(self, start: RunStart, key: str) -> LiveRun | Repeated | None:
        """Start a run whose key is new, or return an earlier one's response; None while another gateway runs it."""
        store = await self._store()
        found = await store.begin_idempotent(start.caller, key, start.body_hash, start.run)
        if isinstance(found, Served):
            return Repeated(found.result, found.run)
        if isinstance(found, Begun):
            return self._begin(start)
        if found.is_own and found.run not in self._by_id:
            # Its client left before it was begun, or the database was gone when it ended.
            await store.abandon_idempotent(start.caller, key, found.run)
        return None

    def _begin(self, start: RunStart) -> LiveRun:
        if len(self._tasks) >= MAX_LIVE:
            raise Overloaded(
                f"{MAX_LIVE} runs are under way, the most there may be; try again", retry_after=1
            )
        live = LiveRun(start.run, start.caller, created=start.created, is_detached=start.is_detached)
        live.agent, live.session, live.key = start.agent, start.session, start.key
        live.encoder, live.response = start.encoder, start.response
        live.size = start.encoder_size
        self._by_id[live.run] = live
        if start.key is not None:
            self._by_key[start.caller, start.key] = (start.body_hash, live)
        task = live.start(start.work)
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._ended(task, live, start))
        if live.session:
            self._in_sessions[live] = None
            self.on_session_run(live)
        return live

    def _ended(self, task: asyncio.Task[None], live: LiveRun, start: RunStart) -> None:
        self._tasks.discard(task)
        live.response = None  # it has the whole input, and what is stored is shown from now on
        if not task.cancelled():
            task.exception()
        failed = live.error is not None or task.cancelled()
        if failed and start.key is not None:
            self._spawn(self._abandon(start.caller, start.key, live.run))
        place = (start.caller, start.key) if start.key is not None else None
        if failed and place is not None:
            del self._by_key[place]
            place = None
        if live.is_detached or place is not None:
            self._over[live.run] = (self._now(), place)
            self._kept_size += live.size
        else:
            del self._by_id[live.run]
        if live.session:
            del self._in_sessions[live]
            self.on_session_run(live)

    async def _abandon(self, caller: str, key: str, run: str) -> None:
        """What fails here is done by the next request with the key."""
        with contextlib.suppress(GatewayError):
            await (await self._store()).abandon_idempotent(caller, key, run)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _forget(self) -> None:
        """Forget the runs that have been over for long."""
        before = self._now() - KEEP_SECONDS
        while self._over:
            run, (ended, _) = next(iter(self._over.items()))
            if ended > before and len(self._over) <= MAX_KEPT and self._kept_size <= MAX_KEPT_SIZE:
                return
            self._drop(run)

    def _drop(self, run: str) -> None:
        _, place = self._over.pop(run)
        self._kept_size -= self._by_id.pop(run).size
        if place is not None:
            del self._by_key[place]

    async def close(self) -> None:
        """Stop every run, and give each time to store what it leaves."""
        for live in list(self._by_id.values()):
            live.cancel()
        loop = asyncio.get_running_loop()
        until = loop.time() + _CLOSE_SECONDS
        while self._tasks and (left := until - loop.time()) > 0:
            await asyncio.wait(self._tasks, timeout=left)


def not_found(run: str) -> RunNotFound:
    return RunNotFound(
        f"last-event-id: there is no run '{run[:80]}' that can be resumed; send the request without the header",
        param="last-event-id",
    )
