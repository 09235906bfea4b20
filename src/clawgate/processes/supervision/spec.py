"""Describes a program to supervise: command, environment, limits, secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clawgate.processes.supervision.child_state import SupervisionLimits

_SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "AUTH")
_SHORTEST_SECRET = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisedSpec:
    """``environment`` is the child's whole environment; times are in seconds. ``port`` 0: it serves none."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    cwd: Path | None = None
    auto_start: bool = True
    auto_restart: bool = True
    restart_delay: float = 3.0
    ready_timeout: float = 90.0
    grace: float = 5.0
    host: str = "127.0.0.1"
    port: int = 0
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Redacted from its output, in addition to secrets in its environment."""

    def limits(self) -> SupervisionLimits:
        return SupervisionLimits(
            restart_delay=self.restart_delay,
            auto_restart=self.auto_restart,
            ready_timeout=self.ready_timeout,
            grace=self.grace,
        )

    def all_secrets(self) -> list[str]:
        """Return what must be redacted from its output."""
        from_environment = [
            value
            for name, value in self.environment.items()
            if len(value) >= _SHORTEST_SECRET and any(word in name.upper() for word in _SECRET_WORDS)
        ]
        return [*self.secrets, *from_environment]
