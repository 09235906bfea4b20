"""An agent is what the config says, with OpenClaw's meaning of its keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from clawgate.agents.definition.spec import Agents, AgentSpec, read_agents
from clawgate.agents.definition.tool_policy import ToolPolicy
from clawgate.agents.run.history import HistoryLimit
from clawgate.agents.run.step import RunLimits
from clawgate.policy.model_routing import ModelRef
from clawgate.settings.openclaw.own_settings import AgentSettings, own_settings
from clawgate.settings.schema.agents import Tools
from clawgate.settings.schema.openclaw import OpenClawConfig

BIG, SMALL, OTHER = ModelRef("owl", "big"), ModelRef("owl", "small"), ModelRef("elk", "x")


@dataclass(frozen=True)
class Models:
    providers: tuple[str, ...] = ("owl", "elk")
    aliases: dict[str, ModelRef] = field(default_factory=lambda: {"fast": SMALL})
    primary: ModelRef | None = BIG
    fallbacks: tuple[ModelRef, ...] = (SMALL, ModelRef("gone", "y"))


def agents(own: Any = None, tools: Any = None, models: Models | None = None, **keys: Any) -> Agents:
    plugins = {"entries": {"clawgate": {"config": {"agents": own or {}}}}}
    config = OpenClawConfig.model_validate({"agents": keys, "plugins": plugins, "tools": tools or {}})
    return read_agents(config, own_settings(config), models or Models(), "/state")


def spec(entry: dict[str, Any] | None = None, **more: Any) -> AgentSpec:
    return agents(**{"entries": {"main": entry or {}}} | more).specs["main"]


def test_without_agents_there_is_one() -> None:
    found = agents()
    assert found.default == "main" and list(found.specs) == ["main"]
    assert found.specs["main"] == AgentSpec(
        id="main", name="main", chain=(BIG, SMALL), tools=ToolPolicy(Tools()), workspace="/state/workspace"
    )


def test_agents_of_both_forms_are_found_by_their_ids_in_lower_case() -> None:
    found = agents(
        entries={"ops": {"name": "Operations", "description": "d"}}, list=[{"id": "Web", "default": True}]
    )
    assert (list(found.specs), found.default) == (["ops", "web"], "web")
    assert (found.specs["ops"].name, found.specs["ops"].description) == ("Operations", "d")
    assert found.names.find("OPS") == "ops" and found.names.find("default") == "web"


@pytest.mark.parametrize(
    ("model", "chain"),
    [
        (None, (BIG, SMALL)),
        ("elk/x", (OTHER,)),
        ("fast", (SMALL,)),
        ({"primary": "elk/x"}, (OTHER,)),
        ({"primary": "elk/x", "fallbacks": ["owl/big", "gone/z", "elk/x"]}, (OTHER, BIG)),
        ({"fallbacks": ["elk/x"]}, (BIG, OTHER)),
        ({"fallbacks": []}, (BIG,)),
    ],
)
def test_an_agents_own_model_has_its_own_fallbacks_alone(model: Any, chain: tuple[ModelRef, ...]) -> None:
    assert spec({} if model is None else {"model": model}).chain == chain


def test_without_a_default_model_the_chain_is_empty() -> None:
    assert spec(models=Models(primary=None)).chain == ()
    assert spec({"model": "elk/x"}, models=Models(primary=None)).chain == (OTHER,)


@pytest.mark.parametrize(
    ("keys", "workspace"),
    [
        ({}, "/state/workspace"),
        ({"defaults": {"workspace": "~/w"}}, "~/w"),
        ({"defaults": {"workspace": "~/w"}, "entries": {"main": {"workspace": "/own"}}}, "/own"),
        ({"defaults": {"workspace": "~/w"}, "entries": {"main": {}, "b": {}}}, "~/w/main"),
        ({"entries": {"main": {}, "b": {}}}, "/state/workspace-main"),
    ],
)
def test_an_agent_beside_others_has_a_workspace_of_its_own(keys: dict[str, Any], workspace: str) -> None:
    assert agents(**keys).specs["main"].workspace == workspace


@pytest.mark.parametrize(
    ("own", "defaults", "effort"),
    [(None, None, None), (None, "low", "low"), ("high", "low", "high"), ("off", "high", "none"), ("ultra", None, "max"),
     ("adaptive", "high", None)],
)  # fmt: skip
def test_how_much_a_model_thinks(own: str | None, defaults: str | None, effort: str | None) -> None:
    entry = {} if own is None else {"thinkingDefault": own}
    of_all = {} if defaults is None else {"thinkingDefault": defaults}
    assert spec(entry, defaults=of_all).reasoning_effort == effort


def test_limits_have_defaults_and_can_be_set() -> None:
    assert (spec().limits, spec().history) == (
        RunLimits(max_turns=50, max_tool_calls=200),
        HistoryLimit(200, 400_000),
    )
    own = {"defaults": {"maxTurns": 5, "maxCost": 0.1}, "main": {"maxTokens": 7, "maxToolCalls": 3, "historyTurns": 9,
           "historyCharacters": 99}}  # fmt: skip
    found = spec(own=own)
    assert found.limits == RunLimits(max_turns=5, max_tool_calls=3, max_tokens=7, max_cost=Decimal("0.1"))
    assert found.history == HistoryLimit(9, 99)


def test_the_descriptions_of_the_settings_name_the_defaults() -> None:
    defaults = {"max_turns": RunLimits().max_turns, "max_tool_calls": RunLimits().max_tool_calls,
                "history_turns": HistoryLimit().turns, "history_characters": HistoryLimit().characters}  # fmt: skip
    for name, default in defaults.items():
        assert f"{default} unless it is set" in str(AgentSettings.model_fields[name].description)


@pytest.mark.parametrize(
    ("own", "seconds", "expected"),
    [({}, None, 172_800.0), ({}, 60, 60.0), ({}, 0, None), ({"main": {"timeout": 5}}, 60, 5.0)],
)
def test_the_time_of_a_run(own: Any, seconds: int | None, expected: float | None) -> None:
    assert spec(own=own, defaults={"timeoutSeconds": seconds}).timeout_seconds == expected


def test_a_run_is_cancelled_at_a_disconnect_unless_it_is_detached() -> None:
    assert not spec().detaches and spec(own={"main": {"disconnect": "detach"}}).detaches


def test_the_prompt_is_that_of_the_config_or_of_the_files() -> None:
    files = {"SOUL.md": "soul\n", "AGENTS.md": " rules", "OTHER.md": "x"}
    assert spec(own={"main": {"systemPrompt": "own"}}).prompt(files) == "own"
    assert spec(own={"main": {"systemPrompt": ""}}).prompt(files) == ""
    assert spec().prompt(files) == "# AGENTS.md\n\nrules\n\n# SOUL.md\n\nsoul"
    assert spec().prompt({}) == spec({"contextInjection": "never"}).prompt(files) == ""


def test_long_files_are_cut_and_the_model_sees_that() -> None:
    files = {"AGENTS.md": "a" * 100, "SOUL.md": "b" * 100}
    found = spec({"bootstrapMaxChars": 90, "bootstrapTotalMaxChars": 120}).prompt(files)
    assert (
        found.count("a" * 90) == 1
        and "a" * 91 not in found
        and found.endswith("[SOUL.md is longer: it was cut here.]")
    )
    assert found.count("b" * 30) == 1 and "b" * 31 not in found
    assert len(spec().prompt({"AGENTS.md": "a" * 500_000, "SOUL.md": "b" * 500_000})) < 41_000


def test_a_request_may_choose_a_model_that_the_policy_allows() -> None:
    aliases = Models().aliases
    assert spec().may_choose(OTHER, aliases)
    some = spec(
        {"modelPolicy": {"allow": ["fast", "elk/*"]}}, defaults={"modelPolicy": {"allow": ["owl/big"]}}
    )
    assert (
        some.may_choose(SMALL, aliases) and some.may_choose(OTHER, aliases) and some.may_choose(BIG, aliases)
    )
    assert not some.may_choose(ModelRef("owl", "huge"), aliases) and not some.may_choose(
        ModelRef("elks", "x"), aliases
    )


def test_tools_are_those_of_all_rules() -> None:
    found = spec({"tools": {"allow": ["web_*"]}}, tools={"deny": ["web_search"]}).tools
    assert found.permits("web_fetch") and not found.permits("web_search") and not found.permits("image")
