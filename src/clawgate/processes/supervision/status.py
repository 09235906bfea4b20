"""What is said about a child: to people, and to a request that cannot be served now? Nothing is asked anew."""

from __future__ import annotations

import math
from dataclasses import dataclass

from clawgate.processes.supervision.child_state import Phase, State

_LINES_IN_AN_ERROR = 3
_LONGEST_WAIT = 60
_SOON = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStatus:
    """A child at one moment. Times are in seconds; ``pid`` is None for what is not ours.

    ``reason`` is a half sentence for people, ``next_step`` a sentence on what they can do, or empty.
    ``next_try``: seconds until it is tried again by itself. ``exit``: how the last one ended.
    """

    name: str
    phase: Phase
    serving: bool
    pid: int | None
    holder: str | None
    seconds: float
    restarts: int
    quick_crashes: int
    next_try: float | None
    reason: str
    next_step: str
    exit: str
    last_lines: tuple[str, ...]

    def __str__(self) -> str:
        words = [f"{self.name}: {self.phase.replace('_', ' ')}"]
        if self.pid is not None:
            words.append(f"pid {self.pid}")
        if self.reason:
            words.append(self.reason)
        if self.next_try is not None:
            words.append(f"next try in {self.next_try:.0f} s")
        return ", ".join(words)


def status_of(name: str, state: State, lines: tuple[str, ...], now: float) -> ChildStatus:
    """The state in words. ``lines`` are the child's last ones."""
    return ChildStatus(
        name=name,
        phase=state.phase,
        serving=state.healthy,
        pid=state.pid,
        holder=state.holder,
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
            return f"Mend what its last lines say, then restart {name}; meanwhile it is tried slowly."
        case "port_taken":
            return f"End {state.holder or 'that process'}, or give {name} another port."
        case "unhealthy":
            return f"If {name} is not logged in, run: claude login."
        case "stopped" if state.wanted != "child":
            return f"Start {name}, or what should listen on its port."
        case "backing_off":
            return "Nothing has to be done: it is started again by itself."
        case _:
            return ""


def unavailable(shown: ChildStatus) -> tuple[str, int] | None:
    """Why a request cannot be served now, and after how many seconds another try makes sense; None if it can be."""
    if shown.serving:
        return None
    reason = f" ({shown.reason})" if shown.reason else ""
    since = f"since {shown.seconds:.0f} s"
    what = {
        "starting": f"is starting, {since}",
        "backing_off": f"ended and is started again in {shown.next_try or 0:.0f} s",
        "given_up": f"ended {shown.quick_crashes} times in a row and is tried only now and then",
        "port_taken": "cannot be started",
        "stopping": "is being ended",
        "stopped": "is not running",
    }.get(shown.phase, f"is not well, {since}")
    said = f"{shown.name} {what}{reason}."
    if shown.next_step:
        said = f"{said} {shown.next_step}"
    if shown.last_lines and shown.phase in ("starting", "backing_off", "given_up", "stopped", "stopping"):
        said = f"{said} Its last lines: {' | '.join(shown.last_lines[-_LINES_IN_AN_ERROR:])}"
    return said, _retry_after(shown)


def _retry_after(shown: ChildStatus) -> int:
    """Whole seconds from 1 to a minute: a start takes a moment, and what people have to mend takes longer."""
    if shown.next_try is not None:
        return min(math.ceil(shown.next_try) + _SOON, _LONGEST_WAIT)
    return _SOON if shown.phase in ("starting", "stopping") else _LONGEST_WAIT // 2
