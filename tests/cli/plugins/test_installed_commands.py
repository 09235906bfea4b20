"""Help lists the commands of installed plugins by the notes of their installation, and trusts none of them."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from clawgate.cli.main import clawgate
from clawgate.cli.plugins.installed_commands import bundled_commands, installed_commands
from clawgate.plugins.host.bundled import bundled_manifests
from tests.cli.catalogs import alone
from tests.plugins.samples import docs_plugin, imports_undone


def note(home: Path, plugin: str, text: str) -> None:
    folder = home / ".openclaw" / "clawgate" / "plugins" / plugin
    folder.mkdir(parents=True)
    (folder / "installed.json").write_text(text)


def test_an_installed_command_is_in_the_help_without_a_line_of_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone(tmp_path, monkeypatch)
    plugin = docs_plugin(tmp_path / "a")
    (plugin / "house_model" / "__init__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with imports_undone():
        assert CliRunner().invoke(clawgate, ["plugins", "install", str(plugin), "--yes"]).exit_code == 0
        shown = CliRunner().invoke(clawgate, ["--help"]).output
        words = [one.value for one in clawgate.shell_complete(click.Context(clawgate), "")]
    assert {"house-model", "proxy-bridge", "gateway"} <= set(words)
    assert "house-model" in shown and "An OpenAI-compatible server in the house." in shown
    assert "proxy-bridge" in shown and not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"commands": ["x"]}', '{"commands": 3, "description": ""}',
     json.dumps({"commands": [1, None, "\x1b[31m"], "description": "d"})],
)  # fmt: skip
def test_a_note_that_is_none_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    alone(tmp_path, monkeypatch)
    note(tmp_path, "odd", text)
    note(tmp_path, ".new-1-2", json.dumps({"commands": ["staged"], "description": "d"}))
    note(tmp_path, "good", json.dumps({"commands": ["one"], "description": "\x1b[31m"}))
    assert installed_commands() == {"one": ""}


def test_without_a_home_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCLAW_STATE_DIR", "/nowhere\\0".replace("\\0", ""))
    assert installed_commands() == {}


def test_the_commands_of_bundled_plugins_are_those_of_their_manifests() -> None:
    expected = {name: one.description for one in bundled_manifests() for name in one.commands}
    assert bundled_commands() == expected and len(expected) >= 2
