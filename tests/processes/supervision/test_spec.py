"""A plan says what a child may take up, and keeps its secrets."""

from __future__ import annotations

from clawgate.processes.supervision.spec import SupervisedSpec


def test_a_plan_shows_no_secret_and_knows_what_is_one() -> None:
    environment = {"MERIDIAN_API_KEY": "canary-key-1", "PORT_TOKEN": "short", "HOME": "/home/somebody"}
    plan = SupervisedSpec(name="p", argv=("x",), environment=environment, secrets=("canary-secret-2",))
    assert plan.all_secrets() == ["canary-secret-2", "canary-key-1"] and "canary" not in repr(plan)


def test_its_limits_are_those_of_the_plan() -> None:
    plan = SupervisedSpec(
        name="p", argv=("x",), environment={}, auto_restart=False, restart_delay=1, ready_timeout=2, grace=3
    )
    limits = plan.limits()
    assert (limits.auto_restart, limits.restart_delay, limits.ready_timeout, limits.grace) == (False, 1, 2, 3)
