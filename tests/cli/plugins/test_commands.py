"""`clawgate plugins list` and `inspect`; every command ends with one line for what does not exist."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.plugins.plugin_home import installed, run
from tests.plugins.samples import docs_tool_plugin, plugin_folder


def test_one_whose_files_were_spoiled_is_listed_with_its_problem(home: Path) -> None:
    run("install", str(plugin_folder(home / "a")), "--yes")
    (home / ".openclaw" / "clawgate" / "plugins" / "sample" / "installed.json").write_text("{")
    listed = run("list", "--json")
    assert listed.exit_code == 0 and "install the plugin again" in json.loads(listed.stdout)["diagnostics"][0]
    assert run("enable", "sample").exit_code == 1
    assert run("uninstall", "sample", "--yes").exit_code == 0 and installed(home) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("enable", "nope"), "plugin not found: nope; to see all plugins: clawgate plugins list"),
        (("disable", "nope"), "plugin not found: nope"),
        (("inspect", "no\x1bpe"), "plugin not found: no\\x1bpe"),
        (("uninstall", "../../etc"), "plugin not found: ../../etc"),
        (("install", "/nonexistent", "--yes"), "Plugin path not found: /nonexistent. Nothing was installed."),
    ],
)
def test_an_unknown_plugin_is_one_error_line(home: Path, arguments: tuple[str, ...], says: str) -> None:
    found = run(*arguments)
    assert found.exit_code == 1 and says in found.stderr and found.stderr.count("\n") == 1


def test_the_tools_of_a_plugin_are_shown_before_it_is_installed_and_after(home: Path) -> None:
    consent = run("install", str(docs_tool_plugin(home)), "--yes")
    assert "Tools     : days_between" in consent.stdout + consent.stderr
    run("enable", "house-calendar")
    (listed,) = (
        one for one in json.loads(run("list", "--json").stdout)["plugins"] if one["id"] == "house-calendar"
    )
    assert listed["toolNames"] == ["days_between"]
    loaded = run("inspect", "house-calendar", "--runtime")
    assert "  toolNames   : days_between" in loaded.stdout, loaded.stdout + loaded.stderr
    assert json.loads(run("inspect", "house-calendar", "--runtime", "--json").stdout)["toolNames"] == [
        "days_between"
    ]
