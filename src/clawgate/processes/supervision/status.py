"""Renders a supervised child's state as a service status and as the reason of a 503.

Pure: must not probe or read a clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from clawgate.plugins.api import ServiceStatus, Unavailable
from clawgate.processes.supervision.child_state import Phase, State

_LINES_IN_AN_ERROR = 3
_MAX_RETRY_SECONDS = 60
_SOON_SECONDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStatus:
    """A child at one moment. Times are in seconds; ``pid`` is None for a process that is not ours.

    ``reason`` is a phrase for people, ``next_step`` a sentence on what they can do, or empty.
    ``next_try``: seconds until the next automatic try. ``exit``: how the last process ended.
    """

    name: str
    phase: Phase
    serving: bool
    pid: int | None
    port_owner: str | None
    seconds: float
    restarts: int
    quick_crashes: int
    next_try: float | None
    reason: str
    next_step: str
    exit: str
    last_lines: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"{self.name}: {self.phase.replace('_', ' ')}"]
        if self.pid is not None:
            parts.append(f"pid {self.pid}")
        if self.reason:
            parts.append(self.reason)
        if self.next_try is not None:
            parts.append(f"next try in {self.next_try:.0f} s")
        return ", ".join(parts)


def status_of(name: str, state: State, lines: tuple[str, ...], now: float) -> ChildStatus:
    """Describe the state. ``lines`` are the child's last ones."""
    return ChildStatus(
        name=name,
        phase=state.phase,
        serving=state.healthy,
        pid=state.pid,
        port_owner=state.port_owner,
        seconds=max(now - state.since, 0.0),
        restarts=state.restarts,
        quick_crashes=state.quick_crashes,
        next_try=None if state.next_try_at is None else max(state.next_try_at - now, 0.0),
        reason=state.reason,
        next_step=_next_step(name, state),
        exit=state.exit,
        last_lines=lines,
    )


def _next_step(name: str, state: State) -> str:
    match state.phase:
        case "given_up":
            return f"Fix what its last lines report, then restart {name}; until then it is retried slowly."
        case "port_taken":
            other = f"Stop {state.port_owner or 'that process'}, or configure another port for {name}."
            return state.next_step or other
        case "stopped" if state.desired != "running":
            return f"Start {name}, or the program that should listen on its port."
        case "backing_off":
            return "No action is needed: it restarts automatically."
        case _:
            return state.next_step


def service_status(status: ChildStatus) -> ServiceStatus:
    """Return the status as plugins get it; what is not known is left out of the details."""
    details = {
        "pid": status.pid,
        "restarts": status.restarts,
        "quickCrashes": status.quick_crashes,
        "nextTrySeconds": None if status.next_try is None else round(status.next_try, 1),
        "holder": status.port_owner,
        "exit": status.exit or None,
    }
    return ServiceStatus(
        state=status.phase,
        ok=status.serving,
        reason=status.reason,
        next_step=status.next_step,
        details={name: value for name, value in details.items() if value is not None},
        lines=status.last_lines,
    )


def unavailable(status: ChildStatus) -> Unavailable | None:
    """Return why requests cannot be served; None if they can be."""
    if status.serving:
        return None
    reason = f" ({status.reason})" if status.reason else ""
    condition = {
        "starting": f"has been starting for {status.seconds:.0f} s",
        "backing_off": f"exited and restarts in {status.next_try or 0:.0f} s",
        "given_up": f"failed {status.quick_crashes} times in a row and is retried slowly",
        "port_taken": "cannot start",
        "stopping": "is stopping",
        "stopped": "is not running",
    }.get(status.phase, f"has been unhealthy for {status.seconds:.0f} s")
    message = f"{status.name} {condition}{reason}."
    if status.next_step:
        message = f"{message} {status.next_step}"
    if status.last_lines and status.phase in ("starting", "backing_off", "given_up", "stopped", "stopping"):
        message = f"{message} Its last lines: {' | '.join(status.last_lines[-_LINES_IN_AN_ERROR:])}"
    return Unavailable(reason=message, retry_after=_retry_after(status))


def _retry_after(status: ChildStatus) -> int:
    """Return whole seconds, at most a minute: a start is quick, a fix by an operator is not."""
    if status.next_try is not None:
        return min(math.ceil(status.next_try) + _SOON_SECONDS, _MAX_RETRY_SECONDS)
    return _SOON_SECONDS if status.phase in ("starting", "stopping") else _MAX_RETRY_SECONDS // 2
