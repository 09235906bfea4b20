"""The lists of tools in a config file are compared with what the manifests of all plugins list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clawgate.agents.definition.tool_diagnostics import tool_diagnostics
from clawgate.agents.tools.mcp.definitions import Definition
from clawgate.agents.tools.mcp.logins import login_of
from clawgate.agents.tools.mcp.pins import PinStore, pins_folder
from clawgate.settings import extras
from clawgate.settings.openclaw.config_file import ConfigFile, read_config
from clawgate.settings.openclaw.mcp_servers import mcp_servers
from tests.plugins.host.test_discovery import installed
from tests.plugins.samples import docs_tool_plugin, plugin_folder


def found_in(folder: Path, config: dict[str, Any]) -> list[str]:
    path = folder / "openclaw.json"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    return [str(one) for one in tool_diagnostics(file_of(folder), folder)]


def file_of(folder: Path) -> ConfigFile:
    return read_config(folder / "openclaw.json", {"HOME": str(folder)}, required=True)


def test_tools_of_plugins_are_known_and_others_are_named_with_their_line(tmp_path: Path) -> None:
    """Whether or not the plugin is enabled; its code does not run."""
    code = "raise SystemExit('this code ran')"
    installed(tmp_path, docs_tool_plugin(tmp_path))
    installed(tmp_path, plugin_folder(tmp_path / "b", "two", code, registers='["tool"]', tools='["find"]'))
    assert found_in(tmp_path, {"tools": {"allow": ["days_between", "find"], "deny": ["two"]}}) == []
    (text,) = found_in(tmp_path, {"tools": {"allow": ["days_betwen"]}})
    assert text.startswith(f"tools.allow[0] ({tmp_path}/openclaw.json:1:")
    assert text.endswith("did you mean 'days_between'?")


def test_a_tool_whose_packages_are_missing_is_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config: dict[str, Any] = {"tools": {"web": {"fetch": {}}}}
    assert found_in(tmp_path, config) == []
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    (text,) = found_in(tmp_path, config)
    assert (
        "tools.web.fetch" in text
        and "trafilatura is not installed" in text
        and extras.install_command("web") in text
    )
    assert found_in(tmp_path, {"tools": {"web": {"fetch": {"enabled": False}}}}) == []


def test_servers_that_are_not_used_and_tools_that_wait_are_named(tmp_path: Path) -> None:
    """Tools of a server that was reached are known by their names; nothing is started."""
    store = PinStore(pins_folder(tmp_path), lambda: 0.0)
    for description in ("one", "two"):
        listed = {"name": "search", "description": description, "inputSchema": {"type": "object"}}
        store.observe("docs", [Definition.of(listed)])
    servers = {"docs": {"command": "x"}, "new": {"command": "x"}, "none": {}, "off": {"enabled": False}}
    tools = {"allow": ["docs__search", "docs__*", "new__any", "bundle-mcp", "docs__serch"]}
    waiting, none, typo = sorted(found_in(tmp_path, {"mcp": {"servers": servers}, "tools": tools}))
    assert "1 of its tools are new or were changed" in waiting and "run: clawgate mcp show docs" in waiting
    assert none.startswith("mcp.servers.none (") and "has neither command nor url" in none
    assert typo.endswith("did you mean 'docs__search'?")


def test_without_the_sdk_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "mcp" else object())
    (text,) = found_in(tmp_path, {"mcp": {"servers": {"docs": {"command": "x"}}}})
    assert text.startswith("mcp.servers (") and text.endswith(extras.install_command("mcp"))


def test_a_server_that_waits_for_a_login_is_named_with_the_command(tmp_path: Path) -> None:
    server = {"url": "https://mcp.example/", "auth": "oauth"}
    (text,) = found_in(tmp_path, {"mcp": {"servers": {"docs": server}}})
    assert text.startswith("mcp.servers.docs (") and text.endswith(
        "there is no login; run: clawgate mcp login docs"
    )
    entry = mcp_servers(file_of(tmp_path).config, ())[0]
    login_of(pins_folder(tmp_path), entry).write(tokens={"access_token": "t"})
    assert found_in(tmp_path, {"mcp": {"servers": {"docs": server}}}) == []
    off = {**server, "enabled": False}
    assert found_in(tmp_path, {"mcp": {"servers": {"docs": off}}}) == []
