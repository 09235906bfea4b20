"""Places are where OpenClaw has them, and what is ours is for its owner alone."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from clawgate.settings.paths import config_path, folder_problem, own_folder, state_dir
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


def test_a_folder_that_can_be_made_has_no_problem(tmp_path: Path) -> None:
    assert folder_problem(tmp_path / "a" / "clawgate") is None and folder_problem(tmp_path) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["clawgate", "state", "parent"])
@pytest.mark.parametrize("is_link", [False, True])
def test_what_is_in_the_place_of_a_folder_or_its_parents_is_named(
    tmp_path: Path, place: str, is_link: bool
) -> None:
    folder = tmp_path / "parent" / "state" / "clawgate"
    (found,) = [one for one in (folder, *folder.parents) if one.name == place]
    found.parent.mkdir(parents=True, exist_ok=True)
    if is_link:
        found.symlink_to(tmp_path / "nowhere")
    else:
        found.write_text("x")
    problem = folder_problem(folder)
    assert problem is not None and problem.location == str(found) and "this is no folder" in problem.message
    assert "move it away" in problem.fix and "OPENCLAW_STATE_DIR" in problem.fix
    with pytest.raises(SettingsInvalid):
        own_folder({"OPENCLAW_STATE_DIR": str(folder.parent)})


@pytest.mark.parametrize(("flag", "reason"), [(os.ST_RDONLY, "read-only"), (0, "may not write")])
def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: int, reason: str
) -> None:
    """Root may write everywhere, so the system's replies are replaced."""
    monkeypatch.setattr(os, "access", lambda place, mode: Path(place) != tmp_path or not mode & os.W_OK)
    monkeypatch.setattr(os, "statvfs", lambda place: SimpleNamespace(f_flag=flag))
    problem = folder_problem(tmp_path / "state" / "clawgate")
    assert problem is not None and problem.location == str(tmp_path) and reason in problem.message
    assert "OPENCLAW_STATE_DIR" in problem.fix


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
