"""What is to be supervised, and with which of our variables? A command as a list, and an environment by allowlist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clawgate.processes.child_state import Rules

PASSED_ON = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE", "TERM",
    "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
})  # fmt: skip
"""What most programs need: where things are, in which language, and how the network is reached. No credentials."""

_SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "AUTH")
_SHORTEST_SECRET = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildPlan:
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

    def rules(self) -> Rules:
        """The limits of its life."""
        return Rules(
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


def allowed_environment(
    ours: Mapping[str, str], *, names: Iterable[str] = (), extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The variables for a child: of ours those in `PASSED_ON`, ``LC_*`` and ``names``; then ``extra``."""
    wanted = PASSED_ON | set(names)
    passed = {name: value for name, value in ours.items() if name in wanted or name.startswith("LC_")}
    return {**passed, **(extra or {})}
