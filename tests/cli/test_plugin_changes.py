"""What plugin commands do with the config file, and what they say when they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.cli.plugin_changes import failed, known, plugin_of, tell_written, write
from clawgate.settings.json5.edit import set_value, unset_value
from tests.cli.catalogs import alone


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    alone(tmp_path, monkeypatch)
    file = tmp_path / "openclaw.json"
    file.write_text('{ gateway: { mode: "local" }, // mine\n}\n')
    file.chmod(0o600)
    return file


def test_a_failure_is_one_line_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        failed("no")
    assert caught.value.code == 1 and capsys.readouterr().err == "clawgate: no\n"


def test_a_change_is_written_and_told_with_its_backup(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = write(path, lambda text: set_value(text, ("plugins", "entries", "x", "enabled"), True))
    tell_written(path, written)
    assert (
        "// mine" in path.read_text()
        and f"Updated config: {path}\n  Backup: {path}.bak" in capsys.readouterr().out
    )


@pytest.mark.parametrize("path_of", [("gateway", "mode"), ("nothing", "there")])
def test_a_change_that_cannot_be_leaves_the_file(
    path: Path, capsys: pytest.CaptureFixture[str], path_of: tuple[str, ...]
) -> None:
    before = path.read_bytes()
    with pytest.raises(SystemExit):
        write(path, lambda text: unset_value(text, path_of))
    assert path.read_bytes() == before and "Config was not changed." in capsys.readouterr().err


def test_a_change_that_brings_problems_is_refused(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        write(path, lambda text: set_value(text, ("plugins", "entries", "x", "enabled"), "maybe"))
    assert "Config was not changed." in capsys.readouterr().err and "maybe" not in path.read_text()


def test_places_are_found_and_plugins_in_them_are_not(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where, file = known(str(path))
    assert where.config == path and file.config.gateway.mode == "local"
    with pytest.raises(SystemExit):
        plugin_of(where, "nope")
    assert "Plugin not found: nope" in capsys.readouterr().err
