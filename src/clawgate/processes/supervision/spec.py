"""What is to be supervised, with which variables, and what of its output may nobody see? A command is a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clawgate.processes.supervision.child_state import SupervisionLimits

_SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "AUTH")
_SHORTEST_SECRET = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisedSpec:
    """``environment`` is all that the child gets; times are in seconds. ``port`` 0: it serves none."""

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
    """What its output may hold and nobody may see, besides what the environment shows to be secret."""

    def rules(self) -> SupervisionLimits:
        """The limits of its life."""
        return SupervisionLimits(
            restart_delay=self.restart_delay,
            auto_restart=self.auto_restart,
            ready_timeout=self.ready_timeout,
            grace=self.grace,
        )

    def all_secrets(self) -> list[str]:
        """What is blotted out of its output."""
        told = [
            value
            for name, value in self.environment.items()
            if len(value) >= _SHORTEST_SECRET and any(word in name.upper() for word in _SECRET_WORDS)
        ]
        return [*self.secrets, *told]
