"""The limits and the secrets of a child come from its spec."""

from __future__ import annotations

from clawgate.plugins.api import ChildSpec
from clawgate.processes.supervision.spec import limits_of, secrets_of


def test_a_spec_shows_no_secret_and_its_secrets_are_known() -> None:
    environment = {"MERIDIAN_API_KEY": "canary-key-1", "PORT_TOKEN": "short", "HOME": "/home/user"}
    spec = ChildSpec(name="p", argv=("x",), environment=environment, secrets=("canary-secret-2",))
    assert secrets_of(spec) == ["canary-secret-2", "canary-key-1"] and "canary" not in repr(spec)


def test_the_limits_are_those_of_the_spec() -> None:
    spec = ChildSpec(name="p", argv=("x",), auto_restart=False, restart_delay=1, ready_timeout=2, grace=3)
    limits = limits_of(spec)
    assert (limits.auto_restart, limits.restart_delay, limits.ready_timeout, limits.grace) == (False, 1, 2, 3)
