"""A tool is allowed by every rule, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.agents.tool_policy import ToolPolicy
from clawgate.settings.schema.agents import ToolRules


def permits(tool: str, of_all: dict[str, Any], own: dict[str, Any] | None = None, plugin: str = "") -> bool:
    return ToolPolicy(ToolRules.model_validate(of_all), ToolRules.model_validate(own or {})).permits(
        tool, plugin
    )


@pytest.mark.parametrize(
    ("tool", "of_all", "own"),
    [
        ("web_fetch", {}, {}),
        ("web_fetch", {"allow": []}, {}),
        ("web_fetch", {"allow": ["WEB_*"]}, {}),
        ("Web_Fetch", {"allow": [" web_fetch "]}, {}),
        ("web_fetch", {"allow": ["group:web"]}, {"allow": ["*"]}),
        ("web_fetch", {"profile": "coding"}, {}),
        ("web_fetch", {"profile": "minimal"}, {"profile": "full"}),
        ("web_fetch", {"profile": "minimal", "alsoAllow": ["group:web"]}, {}),
        ("web_fetch", {"profile": "minimal"}, {"alsoAllow": ["web_fetch"]}),
        ("web_fetch", {"deny": ["group:fs", "exec", "web_search"]}, {}),
        ("web_fetch", {"allow": ["group:openclaw"]}, {}),
    ],
)
def test_a_tool_that_every_rule_allows_is_allowed(
    tool: str, of_all: dict[str, Any], own: dict[str, Any]
) -> None:
    assert permits(tool, of_all, own)


@pytest.mark.parametrize(
    ("tool", "of_all", "own"),
    [
        ("web_fetch", {"deny": ["web_fetch"]}, {"allow": ["web_fetch"]}),
        ("web_fetch", {"allow": ["web_fetch"]}, {"deny": ["group:web"]}),
        ("web_fetch", {"allow": ["web_search"]}, {}),
        ("web_fetch", {"allow": ["web_fetch"]}, {"allow": ["web_search"]}),
        ("web_fetch", {"profile": "messaging"}, {}),
        ("web_fetch", {"profile": "coding"}, {"profile": "minimal"}),
        ("web_fetch", {"deny": ["*"]}, {}),
        ("web_fetch", {"deny": ["group:of_next_year"]}, {}),
        ("web_fetch", {"allow": ["group:of_next_year"]}, {}),
        ("web_fetch", {"allow": ["group:plugins"]}, {}),
        ("exec", {"allow": ["group:openclaw"]}, {}),
        ("webxfetch", {"allow": ["web.fetch"]}, {}),
    ],
)
def test_a_tool_that_one_rule_denies_is_not(tool: str, of_all: dict[str, Any], own: dict[str, Any]) -> None:
    assert not permits(tool, of_all, own)


def test_a_plugins_tools_can_be_named_by_the_plugin() -> None:
    for name in ("sky", "group:plugins"):
        assert permits("weather", {"allow": [name]}, plugin="sky") and not permits(
            "weather", {"allow": [name]}
        )
        assert not permits("weather", {"deny": [name]}, plugin="Sky")
