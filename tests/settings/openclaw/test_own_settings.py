"""The gateway's own settings have bounds, key paths and suggestions, and a provider's own precede those of all."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.settings.diagnostic import Severity
from clawgate.settings.key_path import format_key_path
from clawgate.settings.openclaw.key_catalog import known_key
from clawgate.settings.openclaw.own_settings import (
    OwnSettings,
    approval_lists,
    misplaced,
    own_settings,
    problems,
)
from clawgate.settings.openclaw.validate import problems as all_problems
from clawgate.settings.schema.openclaw import OpenClawConfig

KEY = "plugins.entries.clawgate.config"


def config(own: Any) -> OpenClawConfig:
    return OpenClawConfig.model_validate({"plugins": {"entries": {"clawgate": {"config": own}}}})


def test_without_an_entry_there_are_defaults() -> None:
    assert own_settings(OpenClawConfig()) == OwnSettings()
    assert OwnSettings().connections_of("any") == (1000, 10.0, f"{KEY}.maxUpstreamConnections")


def test_what_is_set_for_a_provider_precedes_what_is_set_for_all() -> None:
    own = own_settings(
        config(
            {
                "maxUpstreamConnections": 50,
                "upstreamWaitTimeout": 3,
                "providers": {"owl": {"maxUpstreamConnections": 4}, "b.c": {"upstreamWaitTimeout": 0.5}},
            }
        )
    )
    assert own.connections_of("owl") == (4, 3.0, f"{KEY}.providers.owl.maxUpstreamConnections")
    assert own.connections_of("b.c") == (50, 0.5, f"{KEY}.maxUpstreamConnections")
    assert own.connections_of("other") == (50, 3.0, f"{KEY}.maxUpstreamConnections")


def test_what_is_set_for_an_agent_precedes_what_is_set_for_all() -> None:
    own = own_settings(
        config(
            {
                "agents": {
                    "defaults": {"maxTurns": 5, "maxCost": 1},
                    "main": {"maxTurns": 9, "disconnect": "detach"},
                }
            }
        )
    )
    main, other = own.agent("main"), own.agent("other")
    assert (main.max_turns, main.max_cost, main.disconnect) == (9, 1.0, "detach")
    assert (other.max_turns, other.max_cost, other.disconnect) == (5, 1.0, None)


def test_an_agents_own_list_of_tools_to_approve_takes_the_place_of_that_of_all() -> None:
    made = own_settings(
        config({"agents": {"defaults": {"approveTools": "all"}, "main": {"approveTools": []}, "a": {}}})
    )
    assert (made.agent("main").approve_tools, made.agent("a").approve_tools) == ((), ("*",))


@pytest.mark.parametrize("every", ["all", "ALL", ["all"], ["web_fetch", " All "]])
def test_all_is_every_tool_to_approve_in_each_spelling(every: Any) -> None:
    made = config({"agents": {"main": {"approveTools": every}}})
    assert own_settings(made).agent("main").approve_tools == ("*",)
    assert [list(entries) for _, entries in approval_lists(made)] == [["*"]]


def test_an_entry_that_differs_from_ours_in_its_case_alone_is_an_error() -> None:
    made = OpenClawConfig.model_validate({"plugins": {"entries": {"Clawgate": {"config": {}}, "claw": {}}}})
    (found,) = problems(made)
    assert str(found.key) == "plugins.entries.Clawgate" and "did you mean 'clawgate'?" in str(found)


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        ("tools.approveTools", f"{KEY}.agents.defaults.approveTools"),
        ("agents.entries.main.approve_tools", f"{KEY}.agents.defaults.approveTools"),
        ("plugins.entries.clawgate.agents", f"put it into {KEY}"),
        ("plugins.entries.other.agents", None),
        ("tools.approve", f"set {KEY}.agents.defaults.approveTools"),
        ("tools.profile", None),
        ("gateway.askAgain", None),
    ],
)
def test_a_key_of_these_settings_elsewhere_is_an_error(key: str, fix: str | None) -> None:
    found = misplaced(tuple(key.split(".")))
    assert (
        (fix in str(found) and found is not None and found.severity is Severity.ERROR) if fix else not found
    )


def test_models_are_discovered_unless_it_is_turned_off() -> None:
    assert OwnSettings().discovers_models_of("any")
    own = own_settings(config({"discoverModels": False, "providers": {"owl": {"discoverModels": True}}}))
    assert own.discovers_models_of("owl") and not own.discovers_models_of("other")


@pytest.mark.parametrize(
    ("block", "path", "text"),
    [
        ({"maxUpstreamConnections": 0}, "maxUpstreamConnections", "must be greater than or equal to 1"),
        ({"maxUpstreamConnections": True}, "maxUpstreamConnections", "must be a number"),
        ({"upstreamWaitTimeout": 0}, "upstreamWaitTimeout", "must be greater than 0"),
        ({"upstreamWaitTimeout": "x"}, "upstreamWaitTimeout", "must be a number"),
        ({"maxUpstreamConnection": 5}, "maxUpstreamConnection", "did you mean 'maxUpstreamConnections'?"),
        (
            {"zzz": 5},
            "zzz",
            "use one of agents, allowHost, database, directModels, discoverModels, drainTimeout, ",
        ),
        ({"providers": {"owl": {"max": 1}}}, "providers.owl.max", "use one of"),
        (
            {"providers": {"timeouts": {"timeouts": {"firstBite": 3}}}},
            "providers.timeouts.timeouts.firstBite",
            "did you mean 'firstByte'?",
        ),
        ({"network": {"fakeIp": {"range": []}}}, "network.fakeIp.range", "did you mean 'ranges'?"),
        (
            {"mcp": {"servers": {"a": {"allow": True}}}},
            "mcp.servers.a.allow",
            "use one of allowPrivateNetwork",
        ),
        ({"discoverModels": "no"}, "discoverModels", "must be"),
        ({"discoverModel": False}, "discoverModel", "did you mean 'discoverModels'?"),
        ({"providers": {"owl": 1}}, "providers.owl", "must be"),
        ({"agents": []}, "agents", "must be an object"),
        ({"sessions": {"maxAge": 5}}, "sessions.maxAge", "did you mean 'maxAgeDays'?"),
        ({"sessions": {"maxTurns": 0}}, "sessions.maxTurns", "must be greater than or equal to 1"),
        ({"database": 5}, "database", "must be text"),
        ({"agents": {"main": {"maxTurn": 5}}}, "agents.main.maxTurn", "did you mean 'maxTurns'?"),
        ({"agents": {"main": {"maxTurns": 0}}}, "agents.main.maxTurns", "must be greater than or equal to 1"),
        (
            {"agents": {"defaults": {"maxToolCalls": True}}},
            "agents.defaults.maxToolCalls",
            "must be a number",
        ),
        ({"agents": {"main": {"maxCost": 0}}}, "agents.main.maxCost", "must be greater than 0"),
        (
            {"agents": {"main": {"disconnect": "stop"}}},
            "agents.main.disconnect",
            "must be 'cancel' or 'detach'",
        ),
        ({"agents": {"main": {"systemPrompt": "x" * 60_001}}}, "agents.main.systemPrompt", "at most 60000"),
        ({"agents": {"main": {"approveTools": "web_fetch"}}}, "agents.main.approveTools", "must be a list"),
        ({"agents": {"main": {"approveTools": [1]}}}, "agents.main.approveTools[0]", "must be text"),
        ({"agents": {"main": {"timeout": 0}}}, "agents.main.timeout", "must be greater than 0"),
    ],
)
def test_what_is_wrong_is_found_with_its_key_path(block: dict[str, Any], path: str, text: str) -> None:
    (problem,) = problems(config(block))
    assert format_key_path(problem.path) == f"{KEY}.{path}"
    assert text in problem.text
    assert list(all_problems(config(block), ())) == [problem]


def test_the_keys_are_known_to_explain() -> None:
    for key, default in (("maxUpstreamConnections", 1000), ("upstreamWaitTimeout", 10.0)):
        info = known_key(("plugins", "entries", "clawgate", "config", key))
        assert info is not None and info.default == default and info.flag is None
    assert known_key(("plugins", "entries", "clawgate", "config", "providers", "owl", "upstreamWaitTimeout"))
