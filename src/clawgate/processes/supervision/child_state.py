"""What can be known of a supervised child, what can happen to it, and what can be done about it? Values and no more.

What follows from what is decided in `processes.supervision.lifecycle`. Times are monotonic seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clawgate.processes.supervision.probe import Finding

Phase = Literal[
    "stopped", "starting", "ready", "degraded", "unhealthy", "backing_off", "given_up", "adopted", "port_taken",
    "stopping",
]  # fmt: skip
"""starting: also while it is looked who has the port, before a child is started. given_up: tried again, but slowly."""

Wanted = Literal["nothing", "somebody", "child"]
"""somebody: whoever serves the port is welcome, but no child is started by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionLimits:
    """The limits, in seconds."""

    restart_delay: float = 3.0
    auto_restart: bool = True
    ready_timeout: float = 90.0
    """From the start to the first answer; a package may have to be fetched first."""
    grace: float = 5.0
    """From SIGTERM to SIGKILL."""
    kill_wait: float = 5.0
    longest_delay: float = 60.0
    healthy_after: float = 60.0
    """Of health without a break: then earlier crashes are forgotten."""
    quick_crashes: int = 5
    slow_retry: float = 60.0
    starting_pace: float = 0.25
    pace: float = 10.0
    """Between two questions to one that serves, and between two looks at a port that others have."""
    doubt_after: float = 10.0
    silence_limit: float = 30.0
    """Of no answer from one that had answered: then it hangs, and is ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where a child is. ``spawned``: somebody may still be there, with a known ``pid`` or not."""

    phase: Phase = "stopped"
    wanted: Wanted = "nothing"
    spawned: bool = False
    pid: int | None = None
    since: float = 0.0
    restarts: int = 0
    quick_crashes: int = 0
    next_try_at: float | None = None
    reason: str = ""
    exit: str = ""
    """How the last child ended."""
    holder: str | None = None
    """Who has the port instead of a child of ours."""
    healthy: bool = False
    """An adopted proxy, or a child, that requests may be sent to."""
    limit_at: float | None = None
    healthy_since: float | None = None
    silent_since: float | None = None
    question: int = 0
    """The number of the last question; answers to earlier ones are not listened to."""
    asking: bool = False
    ask_at: float | None = None
    killed: bool = False
    crashed: bool = False
    """What is being stopped is stopped for a failure of its own."""
    started_before: bool = False


@dataclass(frozen=True, slots=True)
class StartRequested:
    """By the owner, or a person. With ``spawn`` False only who is already there is used."""

    spawn: bool = True


@dataclass(frozen=True, slots=True)
class StopRequested:
    """For good."""


@dataclass(frozen=True, slots=True)
class RestartRequested:
    """By a person: at once, whatever went wrong before."""


@dataclass(frozen=True, slots=True)
class Started:
    """The child is there."""

    pid: int


@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """There is no child. ``lasting``: another try soon would end in the same way."""

    error: str
    lasting: bool = True


@dataclass(frozen=True, slots=True)
class Exited:
    """The child and all that came of it are gone. ``status`` is negative for a signal, None if it is not known."""

    status: int | None
    signal_name: str = ""


@dataclass(frozen=True, slots=True)
class Probed:
    """The answer to the question of that number."""

    finding: Finding
    question: int


@dataclass(frozen=True, slots=True)
class PortOwnerExited:
    """The process of that name, which had the port, is gone: who answers there now is not who was adopted."""

    holder: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = (
    StartRequested
    | StopRequested
    | RestartRequested
    | Started
    | SpawnFailed
    | Exited
    | Probed
    | PortOwnerExited
    | Tick
)


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start the child."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask the port; an earlier question that is still out is not listened to any more."""

    question: int


@dataclass(frozen=True, slots=True)
class SignalTerm:
    """Ask the child, and all that came of it, to end."""


@dataclass(frozen=True, slots=True)
class SignalKill:
    """End them."""


@dataclass(frozen=True, slots=True)
class Abandon:
    """Not even that helped: let go of it. No `Exited` follows."""


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Send a `Tick` then; None: no time is awaited. It takes the place of an earlier one."""

    at: float | None


@dataclass(frozen=True, slots=True)
class PublishStatus:
    """Something changed that people may want to know."""


Action = Spawn | Probe | SignalTerm | SignalKill | Abandon | WaitUntil | PublishStatus
