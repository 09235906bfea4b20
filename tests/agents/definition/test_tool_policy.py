"""A tool is allowed by every rule, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.agents.definition.tool_policy import NOTHING_KNOWN, KnownTools, ToolPolicy, rule_problems
from clawgate.settings.diagnostic import Severity
from clawgate.settings.schema.agents import ToolRules
from clawgate.settings.schema.openclaw import OpenClawConfig


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
        ("web_fetch", {"profile": "minimal", "alsoAllow": ["web_fetch"]}, {"alsoAllow": []}),
        ("web_fetch", {"profile": "minimal", "alsoAllow": ["web_fetch"]}, {"alsoAllow": ["exec"]}),
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


SERVERS = {"docs": ("docs__search",), "new": ()}
"""One server was reached, the other not yet."""


def unknown(**config: Any) -> list[str]:
    known = KnownTools({"Sky": ("get_weather", "Forecast"), "disk": ()}, SERVERS)
    found = rule_problems(OpenClawConfig.model_validate(config), known)
    diagnostics = list(found)
    assert all(one.severity is Severity.WARNING for one in diagnostics)
    return list(map(str, diagnostics))


KNOWN = ["*", "get_weather", "FORECAST", " forecast ", "get_*", "sky", "disk", "group:plugins", "group:web",
    "group:openclaw", "exec", "web_*", "bundle-mcp", "docs", "Docs__*", "docs__search", "new__any"]  # fmt: skip


@pytest.mark.parametrize("key", ["allow", "alsoAllow", "deny"])
def test_what_a_plugin_or_openclaw_has_is_known(key: str) -> None:
    assert unknown(tools={key: KNOWN}, agents={"entries": {"main": {"tools": {key: KNOWN}}}}) == []


def test_a_name_that_nothing_has_is_named_with_its_place() -> None:
    neither = "is neither a tool nor a plugin nor a group of tools"
    install = "remove it, or install the plugin that has it"
    assert unknown(tools={"allow": ["get_weather", "get_wheater"], "deny": ["group:fils"]}) == [
        f"tools.allow[1]: 'get_wheater' {neither}; did you mean 'get_weather'?",
        f"tools.deny[0]: 'group:fils' {neither}, so it denies every tool; did you mean 'group:fs'?",
    ]
    agents = {"entries": {"main": {"tools": {"alsoAllow": ["xyz_*"]}}}}
    assert unknown(agents=agents) == [f"agents.entries.main.tools.alsoAllow[0]: 'xyz_*' {neither}; {install}"]
    listed = {"list": [{"id": "main", "tools": {"deny": [""]}}]}
    assert unknown(agents=listed) == [f"agents.list[0].tools.deny[0]: '' {neither}; {install}"]


def approval_of(*entries: str) -> dict[str, Any]:
    settings = {"agents": {"main": {"approveTools": list(entries)}}}
    return {"plugins": {"entries": {"clawgate": {"config": settings}}}}


def test_a_name_to_approve_that_nothing_has_is_named_too() -> None:
    assert unknown(**approval_of(*KNOWN)) == []
    name, group = unknown(**approval_of("get_wheater", "group:fils"))
    place = "plugins.entries.clawgate.config.agents.main.approveTools[0]"
    neither = "is neither a tool nor a plugin nor a group of tools, so every call waits for approval"
    assert name == f"{place}: 'get_wheater' {neither}; did you mean 'get_weather'?"
    assert "a group of tools, so every call waits for approval; did you mean 'group:fs'?" in group


@pytest.mark.parametrize(
    ("entry", "plugin", "needs"),
    [
        ("web_fetch", "", True),
        (" WEB_* ", "", True),
        ("*", "", True),
        ("group:web", "", True),
        ("group:openclaw", "", True),
        ("sky", "Sky", True),
        ("group:plugins", "sky", True),
        ("group:plugins", "", False),
        ("group:fs", "", False),
        ("web", "", False),
        ("", "", False),
    ],
)
def test_tools_to_approve_are_named_as_in_the_other_lists(entry: str, plugin: str, needs: bool) -> None:
    assert ToolPolicy(approve=(entry,)).needs_approval("web_fetch", plugin) is needs
    assert not ToolPolicy().needs_approval("web_fetch", plugin)


def test_our_tool_is_approved_by_openclaws_name_of_it() -> None:
    assert ToolPolicy(approve=("view_image",)).needs_approval("image")


@pytest.mark.parametrize("entry", ["docs__serch", "doc__search", "newer__any"])
def test_a_tool_that_no_server_has_is_named(entry: str) -> None:
    (text,) = unknown(tools={"allow": [entry]})
    assert "is neither a tool nor a plugin nor a group of tools" in text


@pytest.mark.parametrize("entry", ["docs__search", "docs__*", "docs", "bundle-mcp", "group:plugins", "*"])
def test_tools_of_servers_are_named_one_by_one_by_their_server_or_all_at_once(entry: str) -> None:
    """`bundle-mcp` is OpenClaw's name for those of all servers."""

    def may(**rules: list[str]) -> bool:
        policy = ToolPolicy(ToolRules.model_validate(rules))
        return policy.permits("docs__search", "docs", "bundle-mcp")

    assert may(allow=[entry]) and not may(deny=[entry])
    assert not may(allow=["other__*"]) and may(deny=["other__*"])


@pytest.mark.parametrize(
    ("profile", "has"), [("full", True), ("coding", True), ("messaging", True), ("minimal", False)]
)
def test_profiles_have_the_tools_of_servers_that_they_have_in_openclaw(profile: str, has: bool) -> None:
    policy = ToolPolicy(ToolRules.model_validate({"profile": profile}))
    assert policy.permits("docs__search", "docs", "bundle-mcp") is has


def test_an_unknown_group_is_the_one_that_denies_everything() -> None:
    """What is said of it is what happens."""
    for entry in ("group:fils", "nope", "nope*"):
        (text,) = unknown(tools={"deny": [entry]})
        assert ("denies every tool" in text) == (not permits("get_weather", {"deny": [entry]}, plugin="sky"))


@pytest.mark.parametrize("key", ["byProvider", "toolsBySender"])
def test_a_rule_that_is_not_applied_allows_nothing_and_is_named(key: str) -> None:
    """It takes tools away in OpenClaw: to ignore it would give them."""
    rules: dict[str, Any] = {key: {"anthropic": {"deny": ["exec"]}}}
    for of_all, own in ((rules, {}), ({}, rules)):
        assert not permits("web_fetch", of_all, own)
    assert permits("web_fetch", {key: {}})
    config = OpenClawConfig.model_validate(
        {"tools": rules, "agents": {"entries": {"main": {"tools": rules}}}}, by_alias=True, by_name=False
    )
    found = list(rule_problems(config, NOTHING_KNOWN))
    assert [one.path for one in found] == [("tools", key), ("agents", "entries", "main", "tools", key)]
    assert {one.severity for one in found} == {Severity.WARNING} and "tools.deny" in str(found[0])


def test_rules_for_openclaws_name_of_a_tool_of_ours_count_for_it() -> None:
    for rules, permitted in (
        (ToolRules(deny=("view_image",)), False),
        (ToolRules(deny=("image",)), False),
        (ToolRules(allow=("view_image",)), True),
        (ToolRules(profile="coding"), True),
        (ToolRules(profile="messaging"), False),
        (ToolRules(deny=("group:media",)), False),
        (ToolRules(), True),
    ):
        assert ToolPolicy(rules).permits("image") is permitted, rules
    assert ToolPolicy(ToolRules(deny=("view_image",))).permits("image", "a-plugin")
