"""Keeps one child alive: feeds events to `lifecycle.step` and executes its actions.

One owner task per child reads all events; callers request a stop or restart and read the status, but do not wait for
the child to become ready. Must not know HTTP: the probe is passed in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from clawgate.plugins.api import ChildSpec, Probe, ProbeResult, ServiceStatus, Unavailable
from clawgate.policy.redaction import SHORTEST_SECRET, Redactor
from clawgate.policy.secret_names import is_secret_variable
from clawgate.processes.port_owner import distrust_reason, port_owner
from clawgate.processes.supervision import child_state, subreaper
from clawgate.processes.supervision import status as child_status
from clawgate.processes.supervision.child import Child
from clawgate.processes.supervision.child_state import PortStatus, State, SupervisionLimits
from clawgate.processes.supervision.lifecycle import step
from clawgate.processes.supervision.output_log import OutputLog
from clawgate.processes.supervision.output_tail import OutputTail
from clawgate.processes.supervision.pid_watch import PID, PidWatcher
from clawgate.processes.supervision.status import ChildStatus

_PROBE_SECONDS = 6.0
"""A proxy that checks the login of its program needs up to 5 s."""
_LOGGED_LINES = 5


class Supervisor:
    """Supervises one child; never runs two at once. It is the `ChildHandle` of the plugin interface.

    ``clock`` returns the monotonic time of the running loop in seconds, ``random`` numbers from 0 to 1. ``probe``
    probes the port once and may raise.
    """

    def __init__(
        self,
        spec: ChildSpec,
        *,
        clock: Callable[[], float],
        probe: Probe,
        random: Callable[[], float],
        log: logging.Logger,
        limits: SupervisionLimits | None = None,
    ) -> None:
        self._spec = spec
        self._clock = clock
        self._probe = probe
        self._random = random
        self._log = log
        self._limits = limits or limits_of(spec)
        self._redact = Redactor(secrets_of(spec)).redact
        self._output = OutputTail(self._redact, on_line=OutputLog(spec.name, log, clock))
        self._state = State(since=clock())
        self._events: asyncio.Queue[child_state.Event] = asyncio.Queue()
        self._wake_at: float | None = None
        self._child: Child | None = None
        self._probe_task: asyncio.Task[None] | None = None
        self._owner: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()
        self._port_owner_watch = PidWatcher(lambda owner: self._post(child_state.PortOwnerExited(owner)))

    async def start(self) -> None:
        """Begin supervision, and spawn the child if ``auto_start`` is set. Returns at once."""
        if self._owner is None:
            self._events = asyncio.Queue()
            self._owner = asyncio.get_running_loop().create_task(
                self._run(), name=f"supervisor {self._spec.name}"
            )
        self._post(child_state.StartRequested(spawn=self._spec.auto_start))

    async def restart(self) -> None:
        """Stop the child if it runs and start it again; earlier crashes are forgotten. Returns at once."""
        self._post(child_state.RestartRequested())

    def reconfigure(self, spec: ChildSpec) -> bool:
        """Use ``spec`` from the next probe and restart on, if it needs no new process."""
        old = self._spec
        same_process = replace(
            spec,
            cwd=spec.cwd or old.cwd,
            auto_restart=old.auto_restart,
            restart_delay=old.restart_delay,
            ready_timeout=old.ready_timeout,
            grace=old.grace,
            trusted_user=old.trusted_user,
        )
        if same_process != old:
            return False
        self._spec = replace(spec, cwd=old.cwd)
        self._limits = limits_of(self._spec)
        return True

    async def stop(self) -> None:
        """Stop the child with all its descendants; return when they are gone. An adopted program is left alone."""
        owner = self._owner
        if owner is None:
            return
        self._stopped.clear()
        self._post(child_state.StopRequested())
        stopped = asyncio.get_running_loop().create_task(self._stopped.wait())
        try:
            await asyncio.wait((owner, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        owner.cancel()
        await asyncio.wait((owner,))
        self._owner = None

    def status(self) -> ServiceStatus:
        return child_status.service_status(self.child_status())

    def child_status(self) -> ChildStatus:
        return ChildStatus(self._spec.name, self._state, self._output.lines(), self._clock())

    def unavailable(self) -> Unavailable | None:
        return None if self._state.healthy else child_status.unavailable(self.child_status())

    def _post(self, event: child_state.Event) -> None:
        self._events.put_nowait(event)

    async def _run(self) -> None:
        try:
            while True:
                event = await self._next_event()
                old = self._state
                self._state, actions = step(old, event, self._clock(), self._limits, self._random())
                for action in actions:
                    self._execute(action, old)
                adopted = self._state.phase == "adopted"
                self._port_owner_watch.watch(self._state.port_owner if adopted else None)
                if isinstance(event, child_state.StopRequested) or old.phase != self._state.phase:
                    self._notify_stopped()
        except Exception:  # noqa: BLE001  # the outermost frame of the task: it would end in silence
            self._log.exception("%s: supervision failed", self._spec.name)
        finally:
            self._port_owner_watch.close()
            if self._probe_task is not None:
                self._probe_task.cancel()
            if self._child is not None:
                self._child.abandon()
                self._child = None

    def _notify_stopped(self) -> None:
        if self._state.phase == "stopped" and self._state.desired == "stopped":
            self._stopped.set()

    async def _next_event(self) -> child_state.Event:
        """Wait for an event; a `Tick` if the requested time comes first."""
        seconds = None if self._wake_at is None else max(self._wake_at - self._clock(), 0.0)
        try:
            async with asyncio.timeout(seconds):
                return await self._events.get()
        except TimeoutError:
            return child_state.Tick()

    def _execute(self, action: child_state.Action, old: State) -> None:
        match action:
            case child_state.Spawn():
                self._output.clear()
                self._child = child = Child(self._spec, self._output, self._post)
                child.start()
            case child_state.Probe(probe_id):
                if self._probe_task is not None:
                    self._probe_task.cancel()
                self._probe_task = asyncio.get_running_loop().create_task(self._probe_port(probe_id))
            case child_state.SignalTerm() | child_state.SignalKill():
                if self._child is not None:
                    self._child.send(
                        subreaper.TERM if isinstance(action, child_state.SignalTerm) else subreaper.KILL
                    )
            case child_state.Abandon():
                if self._child is not None:
                    self._child.abandon()
            case child_state.WaitUntil(at):
                self._wake_at = at
            case child_state.PublishStatus():
                self._publish(old)
            case _:
                assert_never(action)
        if not self._state.spawned:
            self._child = None

    def _publish(self, old: State) -> None:
        status = self.child_status()
        phase = self._state.phase
        if phase != old.phase:
            bad = phase in ("backing_off", "given_up", "port_taken", "unhealthy")
            self._log.log(logging.WARNING if bad else logging.INFO, "%s", status)
            if old.spawned and not self._state.spawned and bad and status.last_lines:
                last_lines = " | ".join(status.last_lines[-_LOGGED_LINES:])
                self._log.warning("%s: its last lines: %s", status.name, last_lines)

    async def _probe_port(self, probe_id: int) -> None:
        self._post(child_state.Probed(await self._port_status(), probe_id))

    async def _port_status(self) -> PortStatus:
        """Probe once; add which process listens on the port."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                result = await self._probe()
        except TimeoutError:
            result = ProbeResult("silent", f"no response within {_PROBE_SECONDS:g} s")
        except ConnectionRefusedError:
            return PortStatus("closed", "connection refused")
        except Exception as error:  # noqa: BLE001  # a probe that fails must not end the supervision
            result = ProbeResult("silent", str(error) or type(error).__name__)
        detail, next_step = self._redact(result.reason), self._redact(result.next_step)
        if not self._spec.port:
            return PortStatus(result.health, detail, next_step=next_step)
        ancestor = self._child.subreaper_pid if self._child is not None else 0
        owner, is_own_child, distrust = await asyncio.to_thread(_inspect_port, self._spec, ancestor)
        if result.health == "silent" and owner is None:
            return PortStatus("closed", detail)
        status = PortStatus(result.health, detail, owner, is_own_child, next_step)
        if not status.is_expected or distrust is None:
            return status
        next_step = f"stop it, configure another port, or name that user in the config of {self._spec.name}"
        return PortStatus("stranger", distrust, owner, is_own_child, next_step)


def limits_of(spec: ChildSpec) -> SupervisionLimits:
    return SupervisionLimits(
        restart_delay=spec.restart_delay,
        auto_restart=spec.auto_restart,
        ready_timeout=spec.ready_timeout,
        grace=spec.grace,
    )


def secrets_of(spec: ChildSpec) -> list[str]:
    """Return what must be redacted in its output: its secrets, and variables whose names say that they hold one."""
    from_environment = [
        value
        for name, value in spec.environment.items()
        if len(value) >= SHORTEST_SECRET and is_secret_variable(name)
    ]
    return [*spec.secrets, *from_environment]


def _inspect_port(spec: ChildSpec, ancestor: int) -> tuple[str | None, bool | None, str | None]:
    """Return the listener of the port, whether it descends from ``ancestor``, and why it is not trusted.

    None for what is not visible. A listener that is not visible is trusted only while a child of ours runs: it is
    taken for the child then.
    """
    owner = port_owner(spec.port)
    match = PID.search(owner or "")
    is_own_child: bool | None = None
    if match is not None and ancestor:
        is_own_child = int(match[1]) in subreaper.descendants(ancestor, subreaper.process_table())
    if is_own_child:
        return owner, True, None
    unknown_is_trusted = ancestor != 0
    distrust = distrust_reason(spec.host, spec.port, spec.trusted_user, unknown_is_trusted=unknown_is_trusted)
    return owner, is_own_child, distrust
