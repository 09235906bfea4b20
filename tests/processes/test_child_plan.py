"""A child gets the variables that it was given or needs, and no other of ours."""

from __future__ import annotations

from clawgate.processes.child_plan import ChildPlan, allowed_environment


def test_only_what_is_allowed_is_passed_on() -> None:
    ours = {
        "PATH": "/bin", "HOME": "/h", "LC_ALL": "C.UTF-8", "OPENAI_API_KEY": "sk", "LD_PRELOAD": "x",
        "OPENCLAW_GATEWAY_TOKEN": "t", "CLAUDE_CONFIG_DIR": "/c", "NODE_OPTIONS": "--require x",
    }  # fmt: skip
    assert allowed_environment(ours, names=["CLAUDE_CONFIG_DIR", "ABSENT"], extra={"HOME": "/other"}) == {
        "PATH": "/bin", "HOME": "/other", "LC_ALL": "C.UTF-8", "CLAUDE_CONFIG_DIR": "/c",
    }  # fmt: skip


def test_a_plan_shows_no_secret_and_knows_what_is_one() -> None:
    environment = {"MERIDIAN_API_KEY": "canary-key-1", "PORT_TOKEN": "short", "HOME": "/home/somebody"}
    plan = ChildPlan(name="p", argv=("x",), environment=environment, secrets=("canary-secret-2",))
    assert plan.all_secrets() == ["canary-secret-2", "canary-key-1"] and "canary" not in repr(plan)


def test_its_limits_are_those_of_the_plan() -> None:
    plan = ChildPlan(
        name="p", argv=("x",), environment={}, auto_restart=False, restart_delay=1, ready_timeout=2, grace=3
    )
    rules = plan.rules()
    assert (rules.auto_restart, rules.restart_delay, rules.ready_timeout, rules.grace) == (False, 1, 2, 3)
