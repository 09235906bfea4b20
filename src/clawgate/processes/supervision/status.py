"""Renders a supervised child's state as a service status and as the reason of a 503.

Pure: must not probe or read a clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from clawgate.plugins.api import ServiceStatus, Unavailable
from clawgate.processes.supervision.child_state import State

_LINES_IN_AN_ERROR = 3
_MAX_RETRY_SECONDS = 60
_SOON_SECONDS = 2


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """The state of the child ``name`` at the monotonic time ``now``, with the last lines of its output."""

    name: str
    state: State
    last_lines: tuple[str, ...]
    now: float

    def __str__(self) -> str:
        state = self.state
        parts = [f"{self.name}: {state.phase.replace('_', ' ')}"]
        if state.pid is not None:
            parts.append(f"pid {state.pid}")
        if state.reason:
            parts.append(state.reason)
        if self.next_try is not None:
            parts.append(f"next try in {self.next_try:.0f} s")
        return ", ".join(parts)

    @property
    def next_try(self) -> float | None:
        """Seconds until the next automatic try."""
        at = self.state.next_try_at
        return None if at is None else max(at - self.now, 0.0)

    @property
    def next_step(self) -> str:
        """A sentence on what people can do, or empty."""
        state, name = self.state, self.name
        match state.phase:
            case "given_up":
                again = "it is tried again every minute, and at once after: clawgate gateway restart"
                return f"Fix what its last lines report; {again}." if state.exit else f"Fix that; {again}."
            case "port_taken":
                other = f"Stop {state.port_owner or 'that process'}, or configure another port for {name}."
                return state.next_step or other
            case "stopped" if state.desired != "running":
                return f"Start {name}, or the program that should listen on its port."
            case _:
                return state.next_step


def service_status(status: ChildStatus) -> ServiceStatus:
    """Return the status as plugins get it; what is not known is left out of the details."""
    state = status.state
    details = {
        "pid": state.pid,
        "restarts": state.restarts,
        "quickCrashes": state.quick_crashes,
        "nextTrySeconds": None if status.next_try is None else round(status.next_try, 1),
        "holder": state.port_owner,
        "exit": state.exit or None,
    }
    return ServiceStatus(
        state=state.phase,
        ok=state.healthy,
        reason=state.reason,
        next_step=status.next_step,
        details={name: value for name, value in details.items() if value is not None},
        lines=status.last_lines,
    )


def unavailable(status: ChildStatus) -> Unavailable | None:
    """Return why requests cannot be served; None if they can be."""
    state = status.state
    if state.healthy:
        return None
    seconds = max(status.now - state.since, 0.0)
    reason = f" ({state.reason})" if state.reason else ""
    next_try = f"{status.next_try or 0:.0f} s"
    condition = {
        "starting": f"has been starting for {seconds:.0f} s",
        "backing_off": f"exited and restarts in {next_try}"
        if state.exit
        else f"could not be started and is tried again in {next_try}",
        "given_up": f"failed {state.quick_crashes} times in a row and is retried slowly"
        if state.exit
        else "could not be started",
        "port_taken": "cannot start",
        "stopping": "is stopping",
        "stopped": "is not running",
    }.get(state.phase, f"has been unhealthy for {seconds:.0f} s")
    message = f"{status.name} {condition}{reason}."
    if status.next_step:
        message = f"{message} {status.next_step}"
    shows_lines = state.phase in ("starting", "backing_off", "given_up", "stopped", "stopping")
    lines = status.last_lines[-_LINES_IN_AN_ERROR:] if shows_lines else ()
    return Unavailable(reason=message, retry_after=_retry_after(status), lines=lines)


def _retry_after(status: ChildStatus) -> int:
    """Return whole seconds, at most a minute: a start is quick, a fix by an operator is not."""
    if status.next_try is not None:
        return min(math.ceil(status.next_try) + _SOON_SECONDS, _MAX_RETRY_SECONDS)
    return _SOON_SECONDS if status.state.phase in ("starting", "stopping") else _MAX_RETRY_SECONDS // 2
