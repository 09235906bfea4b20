"""A change is written and its effect printed; one that cannot be written leaves the file as it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.config.config_file import TEXT, run


@pytest.mark.parametrize("path", ["agents.defaults.model.primary", "models.mode", "gateway.auth.mode"])
def test_a_change_that_applies_live_says_so(file: Path, path: str) -> None:
    value = {"models.mode": "replace", "gateway.auth.mode": "token"}.get(path, "owl/a")
    found = run("set", path, value)
    assert "Change will apply without restarting the gateway." in found.stdout


def test_an_equal_value_is_no_change(file: Path) -> None:
    found = run("set", "gateway.port", "0x4966")
    assert (found.exit_code, found.stdout) == (0, "No change\n")
    assert file.read_text() == TEXT and not Path(f"{file}.bak").exists()


def test_a_variable_that_overrides_the_file_is_warned_of(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that was started with it goes on with the value that it has."""
    assert "OPENCLAW_GATEWAY_PORT" not in run("set", "gateway.port", "18791").stderr
    monkeypatch.setenv("OPENCLAW_GATEWAY_PORT", "18999")
    assert (
        "environment variable OPENCLAW_GATEWAY_PORT overrides the file"
        in run("set", "gateway.port", "18792").stderr
    )
    assert (
        "environment variable OPENCLAW_GATEWAY_PORT overrides the file" in run("unset", "gateway.port").stderr
    )


def test_what_openclaw_needs_has_to_be_named(file: Path) -> None:
    """`unset gateway` would take gateway.mode along."""
    found = run("unset", "gateway")
    assert found.exit_code == 1 and "config unset gateway.mode" in found.stderr and file.read_text() == TEXT
    assert run("unset", "gateway.mode").exit_code == 0


def test_a_failed_write_is_an_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 1; the file is as it was."""

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    found = run("set", "gateway.port", "1")
    monkeypatch.undo()
    assert found.exit_code == 1 and "free space on the disk" in found.stderr
    assert file.read_text() == TEXT


def test_a_defect_of_the_editor_writes_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clawgate.settings.json5.edit._set", lambda text, *_: text.replace("18790", "1"))
    found = run("set", "gateway.port", "2")
    assert found.exit_code == 1 and "please report it" in found.stderr and file.read_text() == TEXT
