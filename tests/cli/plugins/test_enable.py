"""A plugin is enabled within the limits of the config, and its problems are listed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.plugins.plugin_home import installed, run
from tests.plugins.samples import plugin_folder


def test_a_broken_plugin_can_be_enabled_and_removed(home: Path) -> None:
    run("install", str(plugin_folder(home / "a", code="1 / 0\n")), "--yes")
    found = run("enable", "sample")
    assert found.exit_code == 0 and "the plugin 'sample' cannot be used: ZeroDivisionError" in found.stderr
    runtime = run("inspect", "sample", "--runtime", "--json")
    assert runtime.exit_code == 1 and json.loads(runtime.stdout)["status"] == "error"
    assert run("uninstall", "sample", "--yes").exit_code == 0 and installed(home) == []


def test_enable_minds_the_lists_of_what_may_be_on(home: Path, path: Path) -> None:
    """It joins a list of what is allowed, and does not go against one of what is not."""
    path.write_text('{ plugins: { allow: ["discord"] } } // mine\n')
    assert run("enable", "proxy-bridge").exit_code == 0
    assert '["discord", "proxy-bridge"]' in " ".join(path.read_text().split()).replace("[ ", "[").replace(
        " ]", "]"
    )
    assert path.read_text().endswith("// mine\n")
    refusing = '{ plugins: { deny: ["proxy-bridge"] } }\n'
    path.write_text(refusing)
    found = run("enable", "proxy-bridge")
    assert found.exit_code == 1 and "plugins.deny lists 'proxy-bridge'" in found.stderr
    assert path.read_text() == refusing
    shown = json.loads(run("list", "--json").stdout)["plugins"]
    assert [one["enabled"] for one in shown if one["id"] == "proxy-bridge"] == [False]


def test_enable_warns_when_all_plugins_are_disabled(home: Path, path: Path) -> None:
    path.write_text("{ plugins: { enabled: false } }")
    run("install", str(plugin_folder(home / "a")), "--yes")
    assert "to change that: clawgate config set plugins.enabled true" in run("enable", "sample").stderr
    assert "All plugins are disabled: plugins.enabled is false" in run("list").stdout
    assert "is not enabled; enable it with" in run("inspect", "sample", "--runtime").stderr
