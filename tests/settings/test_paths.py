"""Places are where OpenClaw has them, and what is ours is for its owner alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clawgate.settings.paths import config_path, own_folder, state_dir
from clawgate.settings.problems import SettingsInvalid

HOME = {"HOME": "/h"}


@pytest.mark.parametrize(
    ("environment", "state"),
    [
        ({}, "/h/.openclaw"),
        ({"OPENCLAW_HOME": "/o"}, "/o/.openclaw"),
        ({"OPENCLAW_HOME": "~/svc"}, "/h/svc/.openclaw"),
        ({"OPENCLAW_HOME": "/o", "OPENCLAW_STATE_DIR": "/s"}, "/s"),
        ({"OPENCLAW_STATE_DIR": "~/s"}, "/h/s"),
        ({"OPENCLAW_STATE_DIR": " "}, "/h/.openclaw"),
        ({"OPENCLAW_HOME": "undefined", "OPENCLAW_STATE_DIR": "null"}, "/h/.openclaw"),
    ],
)
def test_the_state_folder(environment: dict[str, str], state: str) -> None:
    assert state_dir(HOME | environment) == Path(state)
    assert config_path(HOME | environment) == (Path(state) / "openclaw.json", False)


def test_a_flag_wins_over_the_variable_and_that_over_the_state_folder() -> None:
    environment = HOME | {"OPENCLAW_CONFIG_PATH": "~/c.json", "OPENCLAW_STATE_DIR": "/s"}
    assert config_path(environment) == (Path("/h/c.json"), True)
    assert config_path(environment, "/f.json") == (Path("/f.json"), True)


def test_our_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = own_folder({"OPENCLAW_STATE_DIR": str(tmp_path / "a" / "b")})
    assert folder == tmp_path / "a" / "b" / "clawgate"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.parent.stat().st_mode & 0o077 == 0


def test_a_folder_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "clawgate").mkdir(mode=0o755)
    (tmp_path / "clawgate").chmod(0o777)
    assert own_folder({"OPENCLAW_STATE_DIR": str(tmp_path)}).stat().st_mode & 0o777 == 0o700


def test_the_state_folder_itself_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    own_folder({"OPENCLAW_STATE_DIR": str(tmp_path)})
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_what_is_in_the_place_of_our_folder_is_a_problem_with_a_name(tmp_path: Path) -> None:
    (tmp_path / "clawgate").write_text("x")
    with pytest.raises(SettingsInvalid, match=r"clawgate: it cannot be created or used"):
        own_folder({"OPENCLAW_STATE_DIR": str(tmp_path)})


def test_somebody_elses_folder_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clawgate").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(SettingsInvalid, match="another user"):
        own_folder({"OPENCLAW_STATE_DIR": str(tmp_path)})


@pytest.mark.parametrize("environment", [{}, {"OPENCLAW_STATE_DIR": "~/s"}, {"OPENCLAW_HOME": "~"}])
def test_an_empty_home_is_a_problem_and_not_the_root_folder(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsInvalid, match="HOME: it is empty"):
        state_dir({"HOME": ""} | environment)


def test_a_name_with_a_nul_is_a_problem() -> None:
    with pytest.raises(SettingsInvalid, match="NUL"):
        own_folder({"OPENCLAW_STATE_DIR": "/tmp/a\0b"})
