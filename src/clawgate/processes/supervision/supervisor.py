"""Who keeps a child alive? One owner task for each: it alone reads what happens, asks `lifecycle.step`, and acts.

Others ask it to stop or restart and look at its snapshot; nobody waits for a child to become ready. It knows no HTTP:
how a port is asked is passed in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import assert_never

from clawgate.policy.redaction import Redactor
from clawgate.processes.port_owner import port_owner
from clawgate.processes.supervision import status as condition
from clawgate.processes.supervision import subreaper as keeper
from clawgate.processes.supervision.child import Child
from clawgate.processes.supervision.child_state import (
    Abandon,
    Action,
    Event,
    PortOwnerExited,
    Probe,
    Probed,
    PublishStatus,
    RestartRequested,
    SignalKill,
    SignalTerm,
    Spawn,
    StartRequested,
    State,
    StopRequested,
    SupervisionLimits,
    Tick,
    WaitUntil,
)
from clawgate.processes.supervision.lifecycle import step
from clawgate.processes.supervision.output_tail import OutputTail
from clawgate.processes.supervision.pid_watch import PID, PidWatcher
from clawgate.processes.supervision.probe import Finding
from clawgate.processes.supervision.spec import SupervisedSpec
from clawgate.processes.supervision.status import ChildStatus

_ANSWER_SECONDS = 6.0
"""For one look at the port. A proxy that asks its program for the login takes up to 5 s."""


class Supervisor:
    """One child after the other, never two.

    ``clock`` is the monotonic time of the running loop, in seconds; ``random`` gives numbers from 0 to 1; ``probe``
    asks the port once and may raise OSError. ``on_change`` is called on the loop and must return at once.
    """

    def __init__(
        self,
        plan: SupervisedSpec,
        *,
        clock: Callable[[], float],
        probe: Callable[[], Awaitable[Finding]],
        random: Callable[[], float],
        on_change: Callable[[ChildStatus], None],
        log: logging.Logger,
        rules: SupervisionLimits | None = None,
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._probe = probe
        self._random = random
        self._on_change = on_change
        self._log = log
        self._rules = rules or plan.rules()
        self._clean = Redactor(plan.all_secrets()).clean
        self._output = OutputTail(self._clean)
        self._state = State(since=clock())
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._wake_at: float | None = None
        self._child: Child | None = None
        self._question: asyncio.Task[None] | None = None
        self._owner: asyncio.Task[None] | None = None
        self._at_rest = asyncio.Event()
        self._end_watch = PidWatcher(lambda holder: self._post(PortOwnerExited(holder)))

    async def start(self) -> None:
        """Begin to look after it, and start it if the plan says so; returns at once."""
        if self._owner is None:
            self._events = asyncio.Queue()
            self._owner = asyncio.get_running_loop().create_task(
                self._own(), name=f"supervisor {self._plan.name}"
            )
        self._post(StartRequested(spawn=self._plan.auto_start))

    async def restart(self) -> None:
        """End it if it runs, and start it again; returns at once. What crashed before is forgotten."""
        self._post(RestartRequested())

    async def stop(self) -> None:
        """End it, and all that came of it; returns when they are gone. An adopted proxy is left alone."""
        owner = self._owner
        if owner is None:
            return
        self._at_rest.clear()
        self._post(StopRequested())
        rest = asyncio.get_running_loop().create_task(self._at_rest.wait())
        try:
            await asyncio.wait((owner, rest), return_when=asyncio.FIRST_COMPLETED)
        finally:
            rest.cancel()
        owner.cancel()
        await asyncio.wait((owner,))
        self._owner = None

    def snapshot(self) -> ChildStatus:
        """How it is now."""
        return condition.status_of(self._plan.name, self._state, self._output.lines(), self._clock())

    def unavailable(self) -> tuple[str, int] | None:
        """Why requests cannot be served now, and the seconds for ``Retry-After``; None if they can be."""
        return None if self._state.healthy else condition.unavailable(self.snapshot())

    def _post(self, event: Event) -> None:
        self._events.put_nowait(event)

    async def _own(self) -> None:
        try:
            while True:
                event = await self._next()
                old = self._state
                self._state, actions = step(old, event, self._clock(), self._rules, self._random())
                for action in actions:
                    self._act(action, old)
                self._end_watch.watch(self._state.holder if self._state.phase == "adopted" else None)
                if isinstance(event, StopRequested) or old.phase != self._state.phase:
                    self._rest_or_not()
        except Exception:  # noqa: BLE001  # the outermost frame of the task: else it ends without a word
            self._log.exception("the supervision of %s failed", self._plan.name)
        finally:
            self._end_watch.close()
            if self._question is not None:
                self._question.cancel()
            if self._child is not None:
                self._child.abandon()
                self._child = None

    def _rest_or_not(self) -> None:
        if self._state.phase == "stopped" and self._state.wanted == "nothing":
            self._at_rest.set()

    async def _next(self) -> Event:
        """The next event, or a tick when the time for it has come."""
        wait = None if self._wake_at is None else max(self._wake_at - self._clock(), 0.0)
        try:
            async with asyncio.timeout(wait):
                return await self._events.get()
        except TimeoutError:
            return Tick()

    def _act(self, action: Action, old: State) -> None:
        match action:
            case Spawn():
                self._output.clear()
                self._child = child = Child(self._plan, self._output, self._post)
                child.start()
            case Probe(number):
                if self._question is not None:
                    self._question.cancel()
                self._question = asyncio.get_running_loop().create_task(self._ask(number))
            case SignalTerm() | SignalKill():
                if self._child is not None:
                    self._child.send(keeper.TERM if isinstance(action, SignalTerm) else keeper.KILL)
            case Abandon():
                if self._child is not None:
                    self._child.abandon()
            case WaitUntil(at):
                self._wake_at = at
            case PublishStatus():
                self._announce(old)
            case _:
                assert_never(action)
        if not self._state.spawned:
            self._child = None

    def _announce(self, old: State) -> None:
        shown = self.snapshot()
        if shown.phase != old.phase:
            bad = shown.phase in ("backing_off", "given_up", "port_taken", "unhealthy")
            self._log.log(logging.WARNING if bad else logging.INFO, "%s", shown)
            if old.spawned and not self._state.spawned and bad and shown.last_lines:
                self._log.warning("%s said last: %s", shown.name, " | ".join(shown.last_lines[-5:]))
        try:
            self._on_change(shown)
        except Exception:  # noqa: BLE001  # another's code: the child goes on without it
            self._log.exception("what waits for changes of %s failed", shown.name)

    async def _ask(self, number: int) -> None:
        """One look at the port: what answers there, and whose process it is."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                finding = await self._probe()
        except TimeoutError:
            finding = Finding("silent", f"no answer within {_ANSWER_SECONDS:g} s")
        except ConnectionRefusedError:
            finding = Finding("closed", "nobody listens there")
        except Exception as error:  # noqa: BLE001  # a probe that fails is no reason to leave the child alone
            finding = Finding("silent", str(error) or type(error).__name__)
        finding = replace(finding, detail=self._clean(finding.detail))
        if finding.answer != "closed" and self._plan.port:
            ancestor = self._child.keeper_pid if self._child is not None else 0
            holder, ours = await asyncio.to_thread(_holder, self._plan.port, ancestor)
            finding = replace(finding, holder=holder, ours=ours)
        self._post(Probed(finding, number))


def _holder(port: int, ancestor: int) -> tuple[str | None, bool | None]:
    """Who listens on the port, and whether it descends from ``ancestor``; None for what cannot be seen."""
    holder = port_owner(port)
    found = PID.search(holder or "")
    if found is None or not ancestor:
        return holder, None
    return holder, int(found[1]) in keeper.below(ancestor, keeper.family())
