"""Starts, finds and stops runs of agents for WebSockets, and sends what they report to their caller's connections.

Law: a run is that of `AgentService` and `Runs`, as for HTTP, with the same idempotency keys; one that begins here
continues without its client, as the protocol has it. It is found by its own caller alone, by `LiveRun.public_id`. The
runs of sessions are followed whatever started them, and are not kept under way by that; one without a session is seen
by none but the client that sent it. Imported only where agents are on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from clawgate.agents.definition.spec import Agents
from clawgate.agents.definition.toolset import opaque_session
from clawgate.agents.endpoint.service import DISCONNECT_HEADER, KEY_HEADER, TRACE_HEADER, AgentService
from clawgate.agents.request.target import AGENT_HEADER, MODEL_HEADER, SESSION_HEADER, Target, read_target
from clawgate.agents.run.events import Finished
from clawgate.agents.session.live_run import LiveRun
from clawgate.agents.session.runs import Repeated, Runs
from clawgate.control.websocket.approvals import Approvals
from clawgate.control.websocket.clients import Client, Clients
from clawgate.control.websocket.run_errors import in_words_of_the_protocol
from clawgate.control.websocket.run_events import (
    STOPPED_BY_CLIENT,
    STOPPED_BY_RESTART,
    TOOL,
    Event,
    RunEvents,
)
from clawgate.control.websocket.session_changes import HOLD_SECONDS, SessionChanges
from clawgate.control.websocket.transcript import MAIN_SESSION
from clawgate.errors import GatewayError, GatewayStopping, InvalidRequest, UpstreamTimedOut
from clawgate.policy.model_routing import DEFAULT_AGENT
from clawgate.state.records import Extent, StoredSession
from clawgate.state.store import Store

KEEP_MS = 600_000
MAX_KEPT = 1000
"""Runs that are over and can still be waited for; as long as `Runs` keeps them."""
MAX_KEPT_SIZE = 16_000_000
"""Characters of their texts."""
MOST_BYTES = 8_000_000
"""Of the turns that are read for one response."""
_READ_HERE = 262_144
"""Bytes of a message that are read on the loop: longer ones have images, and are read in a thread."""
_DELTA_SECONDS = 0.05
"""Text that comes within it is one event: each repeats the whole text, as in OpenClaw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Messages to an agent. ``seconds`` is how long their run may take, 0 for as long as the agent's may."""

    key: str
    target: Target
    messages: list[dict[str, Any]]
    effort: str | None = None
    seconds: float = 0.0
    traceparent: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class FollowedRun:
    """A run whose events go to its caller's connections. ``status`` is running, ok, error or aborted.

    ``seconds`` is how long it may take for the request that began it, 0 for as long as it takes.
    """

    id: str
    run: str
    caller: str
    agent: str
    session: str
    started_ms: int
    events: RunEvents
    seconds: float = 0.0
    clients: list[Client] = field(default_factory=list)
    """Those that sent it."""
    status: str = "running"
    error: GatewayError | None = None
    finished: Finished | None = None
    ended_ms: int | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] = field(init=False, repr=False)
    """Sends the events."""

    @property
    def is_over(self) -> bool:
        return self.ended_ms is not None


@dataclass(frozen=True, slots=True)
class Started:
    """What became of a turn. ``run`` is None where the database has the response: ``text``."""

    run: FollowedRun | None
    is_new: bool = False
    text: str = ""


class AgentRuns:
    """``store`` returns the database, which the first run opens; ``now_ms`` is milliseconds of UNIX time."""

    def __init__(
        self,
        service: AgentService,
        runs: Runs,
        store: Callable[[], Awaitable[Store]],
        clients: Clients,
        now_ms: Callable[[], int],
    ) -> None:
        self._service = service
        self._runs = runs
        self.store = store
        self.changes = SessionChanges(service, store, clients, now_ms)
        self.approvals = Approvals(clients, now_ms)
        self._clients = clients
        self._now_ms = now_ms
        self._followed: dict[str, FollowedRun] = {}
        """By what `Runs` knows them by."""
        self._starting: dict[asyncio.Future[None], tuple[str, str, str]] = {}
        """The caller, session and key of each turn that was sent and has no run yet."""
        self._arrivals: set[asyncio.Future[None]] = set()
        """Who waits for the next run."""
        self._over: deque[FollowedRun] = deque()
        self._kept_size = 0
        self._tasks: set[asyncio.Task[None]] = set()
        runs.on_session_run = self._session_run

    @property
    def agents(self) -> Agents:
        return self._service.config.agents

    def target(self, key: str, agent: str = "") -> Target:
        """Return which agent and session ``key`` means, of the agent that it or ``agent`` names.

        Raises `InvalidRequest`.
        """
        owner = key.split(":", 2)[1] if key.lower().startswith("agent:") and key.count(":") >= 2 else ""
        headers = {SESSION_HEADER: key or MAIN_SESSION, AGENT_HEADER: agent or owner}
        try:
            return read_target("", headers, "", self.agents.names, fresh="")
        except InvalidRequest as error:
            raise in_words_of_the_protocol(error) from None

    async def start(self, client: Client, key: str, target: Target, **turn: Any) -> Started:
        """Start a run, or find the one of the same key; ``turn`` are the other fields of `Turn`.

        Raises what `AgentService.prepare` and `Runs.start` raise.
        """
        begun = asyncio.get_running_loop().create_future()
        self._starting[begun] = client.caller, target.session.text, key
        try:
            return await self._start(client, Turn(key=key, target=target, **turn))
        except GatewayError as error:
            raise in_words_of_the_protocol(error) from None
        finally:
            del self._starting[begun]
            begun.set_result(None)

    async def _start(self, client: Client, turn: Turn) -> Started:
        session = turn.target.session.text
        headers = {
            SESSION_HEADER: session,
            KEY_HEADER: turn.key,
            DISCONNECT_HEADER: "detach",
            **({MODEL_HEADER: turn.target.model} if turn.target.model else {}),
            **({TRACE_HEADER: turn.traceparent} if turn.traceparent else {}),
        }
        body: dict[str, Any] = {"model": f"{DEFAULT_AGENT}/{turn.target.agent}", "messages": turn.messages}
        if turn.effort is not None:
            body["reasoning_effort"] = turn.effort
        encoded = msgspec.json.encode(body)
        approve = partial(self.approvals.refusal, client.caller, turn.target.agent, session, turn.key)
        prepare = partial(self._service.prepare, client.caller, headers, encoded, approve=approve)
        start = (prepare() if len(encoded) <= _READ_HERE else await asyncio.to_thread(prepare)).start
        found = await self._runs.start(start)
        if isinstance(found, Repeated):
            return Started(None, text=_text_of(found))
        self._forget()
        run = self._followed.get(found.run)
        if run is None:
            if found.is_over:
                return Started(None, text=_final_text(found))  # what became of it was sent, and is forgotten
            run = self._follow(found, session)
        is_new = found.run == start.run
        if is_new:
            run.seconds = turn.seconds  # its task has not begun: nothing was awaited since the run did
        if not run.is_over:
            client.runs.add(run.run)
            run.clients.append(client)
        return Started(run, is_new=is_new)

    async def session(self, caller: str, key: str, *, last: int) -> StoredSession | None:
        """Return a session of ``caller`` with its last turns."""
        return await (await self.store()).session(caller, key, Extent(last, MOST_BYTES))

    async def delete(self, caller: str, key: str) -> bool:
        """Stop the runs of a session, then delete it; return whether there was one."""
        await self.stop(caller, key)
        store = await self.store()
        async with store.locks.hold(caller, key, HOLD_SECONDS):
            return await store.delete_session(caller, key)

    def find(self, caller: str, run_id: str) -> FollowedRun | None:
        """Return the last run of ``caller`` that it knows by this id."""
        runs = reversed(self._followed.values())
        return next((run for run in runs if (run.caller, run.id) == (caller, run_id)), None)

    def active(self, caller: str, session: str | None = None) -> list[LiveRun]:
        """Return the runs of ``caller`` that are under way, in ``session`` or in any; whatever started them."""
        return self._runs.under_way(caller, session)

    async def stop(self, caller: str, session: str | None, run_id: str = "") -> list[str]:
        """Stop one run of ``caller``, or without ``run_id`` all in ``session``; what was sent and has none yet, too.

        Returns their ids once each has stored what it leaves, and that was reported.
        """

        def is_meant(of_caller: str, of_session: str, key: str) -> bool:
            return of_caller == caller and (key == run_id if run_id else of_session == session)

        if starting := [begun for begun, place in self._starting.items() if is_meant(*place)]:
            await asyncio.wait(starting, timeout=HOLD_SECONDS)
        stopped = [
            run
            for run in self._followed.values()
            if not run.is_over
            and is_meant(run.caller, run.session, run.id)
            and (live := self._runs.cancel(caller, run.run)) is not None
            and live.is_cancelled
        ]
        for run in stopped:
            await run.over.wait()
        return [run.id for run in stopped]

    async def arrival(self, caller: str, run_id: str) -> FollowedRun:
        """Return the run of ``caller`` that it knows by this id, once it has begun."""
        while (run := self.find(caller, run_id)) is None:
            arrived = asyncio.get_running_loop().create_future()
            self._arrivals.add(arrived)
            try:
                await arrived
            finally:
                self._arrivals.discard(arrived)
        return run

    def progress(self, live: LiveRun) -> dict[str, Any]:
        """Return what a history says of a run under way: its text as far as events have had it."""
        run = self._followed[live.run]
        return {"runId": run.id, "text": run.events.text, "startedAt": run.started_ms}

    def stopped(self, caller: str, *, restarts: bool) -> None:
        """Report the runs of ``caller`` as aborted: they end with the gateway, and its sockets before them."""
        for run in self._followed.values():
            if run.caller == caller and run.status == "running":
                run.task.cancel()
                error = GatewayStopping("the run was stopped before it was complete")
                self._fail(run, error, STOPPED_BY_RESTART if restarts else STOPPED_BY_CLIENT)

    async def close(self) -> None:
        """Follow no run any more: they were stopped."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _session_run(self, live: LiveRun) -> None:
        """A run of a session has begun, or is over."""
        if not live.is_over:
            self._forget()
            self._follow(live, live.session)
        self._clients.session_changed(live.caller, live.session, live.agent, "run")

    def _follow(self, live: LiveRun, session: str) -> FollowedRun:
        now = self._now_ms()
        run = FollowedRun(
            id=live.public_id,
            run=live.run,
            caller=live.caller,
            agent=live.agent,
            session=session,
            started_ms=now,
            events=RunEvents(live.public_id, session, live.agent, now),
        )
        self._followed[run.run] = run
        for arrived in self._arrivals:
            if not arrived.done():
                arrived.set_result(None)
        run.task = asyncio.get_running_loop().create_task(self._send_events(run, live))
        self._tasks.add(run.task)
        run.task.add_done_callback(self._tasks.discard)
        return run

    async def _send_events(self, run: FollowedRun, live: LiveRun) -> None:
        """Send what a run reports until it is over."""
        try:
            self._send(run.caller, run.events.started())
            try:
                async with asyncio.timeout(run.seconds or None):
                    await self._send_reports(run, live)
            except TimeoutError:
                self._runs.cancel(run.caller, run.run)
                await live.ended()
                raise UpstreamTimedOut(
                    f"the run was not complete within {run.seconds:g} s, which its request allows",
                    limit="total",
                    seconds=run.seconds,
                ) from None
        except GatewayError as error:
            is_aborted = live.is_stopping and not isinstance(error, UpstreamTimedOut)
            self._fail(run, error, STOPPED_BY_CLIENT if is_aborted else "")
        finally:
            run.ended_ms = self._now_ms()
            run.over.set()
            for client in run.clients:
                client.runs.discard(run.run)
            self._over.append(run)
            self._kept_size += len(run.events.text)

    def _fail(self, run: FollowedRun, error: GatewayError, stop_reason: str = "") -> None:
        """Send how a run ended: as aborted for ``stop_reason``, or without one as failed."""
        now = self._now_ms()
        run.error, run.status = error, "aborted" if stop_reason else "error"
        ends = run.events.aborted(now, stop_reason) if stop_reason else run.events.failed(error, now)
        for event in ends:
            self._send(run.caller, event)

    async def _send_reports(self, run: FollowedRun, live: LiveRun) -> None:
        async with contextlib.aclosing(live.follow(keeps=False)) as batches:
            async for batch in batches:
                for event in run.events.of(batch, self._now_ms()):
                    self._send(run.caller, event)
                if isinstance(batch[-1], Finished):
                    run.finished, run.status = batch[-1], "ok"
                else:
                    await asyncio.sleep(_DELTA_SECONDS)

    def _send(self, caller: str, event: Event) -> None:
        name, payload = event
        needs_cap = name == "agent" and payload["stream"] == TOOL
        for client in self._clients.readers(caller):
            if not needs_cap or "tool-events" in client.caps:
                client.event(name, payload)

    def session_id(self, caller: str, key: str) -> str:
        return opaque_session(caller, key)

    def _forget(self) -> None:
        """Forget the runs that have been over for long, and the first of too many."""
        before = self._now_ms() - KEEP_MS
        while self._over:
            run = self._over[0]
            is_old = run.ended_ms is None or run.ended_ms < before
            if not (is_old or len(self._over) > MAX_KEPT or self._kept_size > MAX_KEPT_SIZE):
                return
            self._over.popleft()
            self._kept_size -= len(run.events.text)
            del self._followed[run.run]


def _final_text(live: LiveRun) -> str:
    return next((event.text or event.refusal for event in live.events if isinstance(event, Finished)), "")


def _text_of(repeated: Repeated) -> str:
    """Return what a stored response says: a chat completion, as `AgentRuns.start` requests it."""
    completion = msgspec.json.decode(repeated.result.body)
    return str(completion["choices"][0]["message"]["content"] or "")
