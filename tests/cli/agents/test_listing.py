"""What is known of an agent is said in one line each."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from clawgate.agents.definition.spec import AgentSpec
from clawgate.agents.definition.tool_policy import ToolPolicy
from clawgate.agents.run.step import RunLimits
from clawgate.cli.agents.listing import AgentRow, prompt_text, tools_text
from clawgate.settings.schema.agents import ToolRules

SPEC = AgentSpec(id="a", name="a", chain=(), workspace="~/w")


@pytest.mark.parametrize(
    ("of_all", "own", "text"),
    [
        ({}, {}, "every tool that is registered"),
        ({"deny": ["exec"]}, {}, "all agents: not exec"),
        (
            {"profile": "minimal", "also_allow": ["a", "b"]},
            {"allow": ["a"], "deny": ["c"]},
            "all agents: profile minimal, also a, b; this one: only a, not c",
        ),
    ],
)
def test_tools(of_all: dict[str, object], own: dict[str, object], text: str) -> None:
    policy = ToolPolicy(ToolRules.model_validate(of_all), ToolRules.model_validate(own))
    assert tools_text(replace(SPEC, tools=policy)) == text


def test_the_prompt_is_not_printed() -> None:
    assert prompt_text(replace(SPEC, system_prompt="secret" * 400)) == "of the config, 2,400 characters"
    assert prompt_text(replace(SPEC, reads_files=False)) == "(none)"


def test_an_agent_without_a_model_and_with_a_budget() -> None:
    limits = RunLimits(max_turns=2, max_cost=Decimal("0.5"))
    row = AgentRow(replace(SPEC, name="A", description="d", limits=limits, timeout_seconds=None), False, None)
    facts = dict(row.facts())
    assert (facts["Agent"], facts["Name"], facts["About"], facts["Model"]) == ("a", "A", "d", "(none)")
    assert facts["Limits"].startswith("2 model calls") and facts["Limits"].endswith("0.5 US dollars")
    assert row.to_json()["model"] is None
    assert "Approval" not in facts and row.to_json()["approveTools"] == []


def test_the_tools_whose_calls_need_approval() -> None:
    row = AgentRow(replace(SPEC, tools=ToolPolicy(approve=("exec", "web_*"))), False, None)
    assert dict(row.facts())["Approval"] == "the caller approves each call of: exec, web_*"
    assert row.to_json()["approveTools"] == ["exec", "web_*"]


def test_a_name_to_approve_that_nothing_has_is_said_with_what_it_does() -> None:
    row = AgentRow(replace(SPEC, tools=ToolPolicy(approve=("exec", "exce"))), False, None, ["exce"])
    assert (
        dict(row.facts())["Approval"] == "the caller approves every call, since nothing has the name 'exce'"
    )
    assert row.to_json()["approveToolsUnknown"] == ["exce"]
