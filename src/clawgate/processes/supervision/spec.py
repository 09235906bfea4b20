"""Derives the limits and the secrets of a supervised program from its `ChildSpec`."""

from __future__ import annotations

from clawgate.plugins.api import ChildSpec
from clawgate.policy.redaction import SHORTEST_SECRET
from clawgate.policy.secret_names import is_secret_variable
from clawgate.processes.supervision.child_state import SupervisionLimits


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
