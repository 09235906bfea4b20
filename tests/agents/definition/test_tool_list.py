"""Every tool that an agent could have is listed, on where a run would have it, else with the reason and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clawgate.agents.definition.tool_list import ListedTool, listed_tools, tools_of_agent
from clawgate.agents.definition.tool_policy import ToolPolicy
from clawgate.agents.tools.mcp.definitions import Definition
from clawgate.agents.tools.mcp.pins import PinStore, pins_folder
from clawgate.settings import extras
from clawgate.settings.openclaw.config_file import ConfigFile, read_config
from clawgate.settings.schema.agents import ToolRules
from tests.plugins.host.test_discovery import installed
from tests.plugins.samples import plugin_folder


def file_of(folder: Path, config: dict[str, Any]) -> ConfigFile:
    path = folder / "openclaw.json"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    return read_config(path, {"HOME": str(folder)}, required=True)


def known(folder: Path, config: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {one.name: (one.reason, one.fix) for one in listed_tools(file_of(folder, config), folder)}


def listed(name: str, description: str = "d") -> Definition:
    return Definition.of({"name": name, "description": description, "inputSchema": {"type": "object"}})


def test_our_own_tools_are_off_until_they_are_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert known(tmp_path, {}) == {
        "web_fetch": (
            "tools.web.fetch.enabled is not set",
            "run: clawgate config set tools.web.fetch.enabled true",
        ),
        "image": (
            "tools.media.image.enabled is not set, nor is agents.defaults.imageModel",
            "run: clawgate config set tools.media.image.enabled true",
        ),
    }
    on: dict[str, Any] = {"tools": {"web": {"fetch": {}}, "media": {"image": {"enabled": False}}}}
    assert known(tmp_path, on)["web_fetch"] == ("", "")
    assert known(tmp_path, on)["image"][0] == "tools.media.image.enabled is false"
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    reason, fix = known(tmp_path, on)["web_fetch"]
    assert reason == "trafilatura is not installed" and fix.endswith(extras.install_command("web"))


def test_tools_of_plugins_name_what_enables_them_and_no_code_runs(tmp_path: Path) -> None:
    code = "raise SystemExit('this code ran')"
    installed(tmp_path, plugin_folder(tmp_path / "b", "two", code, registers='["tool"]', tools='["find"]'))
    reason, fix = known(tmp_path, {})["find"]
    assert "plugins.entries" in reason and fix == "run: clawgate plugins enable two"
    assert known(tmp_path, {"plugins": {"entries": {"two": {"enabled": True}}}})["find"] == ("", "")


def test_each_tool_of_a_server_has_its_own_reason(tmp_path: Path) -> None:
    store = PinStore(pins_folder(tmp_path), lambda: 0.0)
    store.observe("docs", [listed("search"), listed("hidden"), listed("moved")])
    store.observe("docs", [listed("search"), listed("hidden"), listed("moved", "other"), listed("late")])
    docs = {"command": "x", "toolFilter": {"exclude": ["hidden"]}}
    tools = known(tmp_path, {"mcp": {"servers": {"docs": docs}}})
    show = "run: clawgate mcp show docs"
    assert {name: of for name, of in tools.items() if name.startswith("docs")} == {
        "docs__search": ("", ""),
        "docs__hidden": ("mcp.servers.docs.toolFilter does not let it pass", "change it there"),
        "docs__moved": ("the server changed it, and it was not accepted yet", show),
        "docs__late": ("it is new, and it was not accepted yet", show),
    }


@pytest.mark.parametrize(
    ("server", "reason", "fix"),
    [
        ({"command": "x"}, "mcp.servers.docs was not reached yet", "run: clawgate mcp test docs"),
        (
            {"command": "x", "enabled": False},
            "mcp.servers.docs.enabled is false",
            "run: clawgate config set mcp.servers.docs.enabled true",
        ),
        ({}, "mcp.servers.docs has neither command nor url, so the server is not used", "enter one of them"),
        (
            {"url": "https://mcp.example/", "auth": "oauth"},
            "mcp.servers.docs: there is no login",
            "run: clawgate mcp login docs",
        ),
    ],
)
def test_a_server_without_a_list_is_one_row(
    tmp_path: Path, server: dict[str, Any], reason: str, fix: str
) -> None:
    assert known(tmp_path, {"mcp": {"servers": {"docs": server}}})["docs__*"] == (reason, fix)


def test_without_the_sdk_no_tool_of_a_server_is_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    PinStore(pins_folder(tmp_path), lambda: 0.0).observe("docs", [listed("search")])
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    reason, fix = known(tmp_path, {"mcp": {"servers": {"docs": {"command": "x"}}}})["docs__search"]
    assert reason == "the MCP SDK is not installed" and fix.endswith(extras.install_command("mcp"))


@pytest.mark.parametrize(
    ("of_all", "own", "reason", "fix"),
    [
        ({"deny": ["group:web"]}, {}, "tools.deny takes it away", "remove it from that list"),
        ({}, {"deny": ["*"]}, "agents.entries.coder.tools.deny takes it away", "remove it from that list"),
        ({"allow": ["image"]}, {}, "tools.allow does not list it", "add it to that list"),
        (
            {"profile": "minimal"},
            {},
            "the profile of tools.profile does not have it",
            "add it to tools.alsoAllow",
        ),
        (
            {"alsoAllow": ["x"]},
            {"profile": "minimal", "alsoAllow": []},
            "the profile of agents.entries.coder.tools.profile does not have it",
            "add it to agents.entries.coder.tools.alsoAllow",
        ),
        (
            {"byProvider": {"a": {}}},
            {},
            "tools.byProvider is not applied, so no tool is allowed",
            "remove it",
        ),
    ],
)
def test_a_rule_that_takes_a_tool_away_is_named(
    tmp_path: Path, of_all: dict[str, Any], own: dict[str, Any], reason: str, fix: str
) -> None:
    file = file_of(tmp_path, {"agents": {"entries": {"coder": {}}}})
    policy = ToolPolicy(ToolRules.model_validate(of_all), ToolRules.model_validate(own))
    (tool,) = tools_of_agent([ListedTool(name="web_fetch")], file, "coder", policy)
    assert (tool.reason, tool.fix) == (reason, fix) and not policy.permits("web_fetch")


def test_of_two_tools_of_a_name_the_last_that_is_permitted_is_on(tmp_path: Path) -> None:
    both = [ListedTool(name="web_fetch"), ListedTool(name="web_fetch", plugin="two")]
    file = file_of(tmp_path, {})
    ours, theirs = tools_of_agent(both, file, "main", ToolPolicy())
    assert ours.reason == "the plugin 'two' has a tool of this name" and not theirs.reason
    ours, theirs = tools_of_agent(both, file, "main", ToolPolicy(ToolRules(deny=("two",))))
    assert not ours.reason and theirs.reason == "tools.deny takes it away"
