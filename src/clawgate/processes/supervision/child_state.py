"""Defines the state of a supervised child, the events that change it and the actions that follow.

Values only: `lifecycle` decides. Times are monotonic seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Phase = Literal[
    "stopped", "starting", "ready", "degraded", "unhealthy", "backing_off", "given_up", "adopted", "port_taken",
    "stopping",
]  # fmt: skip
"""starting: includes the check of the port before a spawn. given_up: still retried, but slowly.
adopted: a program of the expected kind already serves the port; it is used, and no child is spawned."""

Desired = Literal["stopped", "external", "running"]
"""external: a program that serves the port is adopted, but no child is spawned."""

Health = Literal["ready", "degraded", "unhealthy", "stranger", "silent", "closed"]
"""degraded: up, login unknown. unhealthy: up, cannot serve. stranger: another program responds.
silent: no usable response. closed: the port has no listener."""


@dataclass(frozen=True, slots=True)
class PortStatus:
    """The result of one probe. ``detail`` is a short text for people, ``next_step`` what they can do about it.

    ``owner``: the listening process as ``name (pid N)``, None if not visible. ``is_own_child``: whether that process
    descends from the spawned child, None if unknown. The supervisor sets these two.
    """

    health: Health
    detail: str = ""
    owner: str | None = None
    is_own_child: bool | None = None
    next_step: str = ""

    @property
    def is_expected(self) -> bool:
        """Whether the response came from a program of the expected kind, in whatever health."""
        return self.health in ("ready", "degraded", "unhealthy")


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionLimits:
    """Limits of a child's life; times in seconds."""

    restart_delay: float = 3.0
    auto_restart: bool = True
    ready_timeout: float = 90.0
    """From the spawn to the first expected response; a package may have to be downloaded first."""
    grace: float = 5.0
    """From SIGTERM to SIGKILL."""
    kill_timeout: float = 5.0
    """From SIGKILL until the child is abandoned."""
    max_restart_delay: float = 60.0
    healthy_after: float = 60.0
    """Of uninterrupted health, after which earlier crashes are forgotten."""
    max_quick_crashes: int = 5
    slow_retry_delay: float = 60.0
    startup_probe_interval: float = 0.25
    probe_interval: float = 10.0
    """Between two probes of a serving child, and between two checks of a port that is taken."""
    unhealthy_after: float = 10.0
    """Of silence from a child that had responded."""
    hang_timeout: float = 30.0
    """Of silence from a child that had responded: it hangs and is stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The state of one child. ``spawned``: a process may exist, even if its ``pid`` is not known yet."""

    phase: Phase = "stopped"
    desired: Desired = "stopped"
    spawned: bool = False
    pid: int | None = None
    since: float = 0.0
    restarts: int = 0
    quick_crashes: int = 0
    next_try_at: float | None = None
    reason: str = ""
    next_step: str = ""
    """What the last probe suggests; empty in phases that no probe led to."""
    exit: str = ""
    """How the last child ended."""
    port_owner: str | None = None
    """The process that has the port instead of the child."""
    healthy: bool = False
    """Requests may be sent to the child or the adopted program."""
    deadline: float | None = None
    healthy_since: float | None = None
    silent_since: float | None = None
    probe_id: int = 0
    """Of the last probe; results of earlier ones are ignored."""
    probe_pending: bool = False
    next_probe_at: float | None = None
    killed: bool = False
    crashed: bool = False
    """The child is being stopped because it failed, not on request."""
    started_before: bool = False


@dataclass(frozen=True, slots=True)
class StartRequested:
    """With ``spawn`` False a program that already serves the port is adopted, but no child is spawned."""

    spawn: bool = True


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The child must end and stay stopped."""


@dataclass(frozen=True, slots=True)
class RestartRequested:
    """An operator wants a restart now, regardless of earlier failures."""


@dataclass(frozen=True, slots=True)
class Started:
    """The child's process exists."""

    pid: int


@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """No process was created. ``lasting``: an immediate retry would fail the same way."""

    error: str
    lasting: bool = True


@dataclass(frozen=True, slots=True)
class Exited:
    """The child and all its descendants are gone. ``status``: negative for a signal, None if unknown."""

    status: int | None
    signal_name: str = ""


@dataclass(frozen=True, slots=True)
class Probed:
    """The result of the probe with that id."""

    result: PortStatus
    probe_id: int


@dataclass(frozen=True, slots=True)
class PortOwnerExited:
    """The process that had the port has exited: a new listener there is not the adopted one."""

    port_owner: str


@dataclass(frozen=True, slots=True)
class Tick:
    """The time of the last `WaitUntil` has come."""


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
    """Probe the port; a pending earlier probe is superseded."""

    probe_id: int


@dataclass(frozen=True, slots=True)
class SignalTerm:
    """Send SIGTERM to the child and all its descendants."""


@dataclass(frozen=True, slots=True)
class SignalKill:
    """Send SIGKILL to the child and all its descendants."""


@dataclass(frozen=True, slots=True)
class Abandon:
    """SIGKILL had no effect: give the child up. No `Exited` follows."""


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Send a `Tick` at that time; None: never. Replaces an earlier one."""

    at: float | None


@dataclass(frozen=True, slots=True)
class PublishStatus:
    """Something that is visible to people changed."""


Action = Spawn | Probe | SignalTerm | SignalKill | Abandon | WaitUntil | PublishStatus
