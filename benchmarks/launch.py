"""Where does a started contender live, and what is executed for it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.roles import Role


@dataclass(frozen=True)
class Place:
    """Its folder, its port, the upstreams' ports by role, its own role, and the token of this run."""

    folder: Path
    port: int
    upstreams: Mapping[Role, int]
    role: Role
    token: str

    @property
    def upstream(self) -> int:
        return self.upstreams[self.role]


@dataclass(frozen=True)
class Launch:
    """What to execute; `env` is all the environment there is beside PATH, HOME and LANG."""

    command: list[str]
    env: dict[str, str]
