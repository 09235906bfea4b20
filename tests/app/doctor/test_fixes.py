"""Mending: each change does what it says, can be done twice, and touches nothing else."""

from __future__ import annotations

import stat
from pathlib import Path

import pyjson5
import pytest

from clawgate.app.doctor.checks import Fix
from clawgate.app.doctor.fixes import CannotFix, apply_fix


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_mode_is_set(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("")
    path.chmod(0o644)
    for _ in range(2):
        assert apply_fix(Fix("close_to_others", str(path), 0o600), {}) == [f"Set the mode of {path} to 0600"]
    assert mode(path) == 0o600


def test_the_target_of_a_link_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("")
    (tmp_path / "target").chmod(0o644)
    (tmp_path / "x").symlink_to("target")
    with pytest.raises(CannotFix, match="Too many levels"):
        apply_fix(Fix("close_to_others", str(tmp_path / "x"), 0o600), {})
    assert mode(tmp_path / "target") == 0o644


def test_what_was_left_behind_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("")
    for _ in range(2):
        apply_fix(Fix("remove", str(path)), {})
    assert not path.exists()


def test_a_token_is_made_where_there_is_no_config(tmp_path: Path) -> None:
    """For its owner alone, long enough, never the same, and not in what is said."""
    tokens = set()
    for name in ("a", "b"):
        path = tmp_path / name / "openclaw.json"
        said = "\n".join(apply_fix(Fix("make_token", str(path)), {}))
        made = pyjson5.decode(path.read_text())
        tokens.add(made["gateway"]["auth"]["token"])
        assert made["gateway"]["mode"] == "local" and mode(path) == 0o600
        assert not [token for token in tokens if token in said] and str(path) in said
    assert len(tokens) == 2 and all(len(token) >= 43 for token in tokens)


def test_the_rest_of_a_config_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "openclaw.json"
    path.write_text("{\n  // mine\n  gateway: { mode: 'remote', port: 1234 },\n}\n")
    apply_fix(Fix("make_token", str(path)), {})
    text = path.read_text()
    assert "// mine" in text and "mode: 'remote', port: 1234" in text
    assert set(pyjson5.decode(text)["gateway"]) == {"mode", "port", "auth"}


def test_the_mode_is_set_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "openclaw.json"
    path.write_text("{gateway: {port: 1234}}")
    assert apply_fix(Fix("set_mode", str(path)), {})[0] == f"Updated config: {path}"
    assert pyjson5.decode(path.read_text())["gateway"] == {"port": 1234, "mode": "local"}
    assert apply_fix(Fix("set_mode", str(path)), {}) == [f"No change of {path}"]


def test_a_config_that_cannot_be_read_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "openclaw.json"
    path.write_text("{gateway: ")
    with pytest.raises(CannotFix):
        apply_fix(Fix("make_token", str(path)), {})
    assert path.read_text() == "{gateway: " and list(tmp_path.glob("*.json")) == [path]
