"""The lists of tools in a config file are compared with what the manifests of all plugins list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clawgate.agents.definition import tool_diagnostics as module
from clawgate.agents.definition.tool_diagnostics import tool_diagnostics
from clawgate.settings.openclaw.config_file import read_config
from tests.plugins.host.test_discovery import installed
from tests.plugins.samples import docs_tool_plugin, plugin_folder


def found_in(folder: Path, config: dict[str, Any]) -> list[str]:
    path = folder / "openclaw.json"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    file = read_config(path, {"HOME": str(folder)}, required=True)
    return [str(one) for one in tool_diagnostics(file, folder)]


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
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    (text,) = found_in(tmp_path, config)
    assert (
        "tools.web.fetch" in text
        and "trafilatura is not installed" in text
        and "run: pip install 'clawgate[web]'" in text
    )
    assert found_in(tmp_path, {"tools": {"web": {"fetch": {"enabled": False}}}}) == []
