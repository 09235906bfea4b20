"""An export holds every session as it is stored, in a file that is whole, private and never replaced unasked."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from clawgate.cli.sessions.export import private_file
from tests.cli.stored_runs import StateHome
from tests.state.runs import run, said

KEYS = ["agent:main:a", "agent:main:b"]


def fill(home: StateHome) -> None:
    home.store(
        *(run(key, session=key, turns=said("ü\ud800", "2"), finished_at=9.0) for key in reversed(KEYS))
    )


def test_a_session_is_on_each_line(home: StateHome) -> None:
    fill(home)
    found = [json.loads(line) for line in home.run("sessions", "export").stdout.splitlines()]
    assert [one["key"] for one in found] == KEYS  # of the same second: none is lost
    assert [turn["message"]["content"] for turn in found[0]["turns"]] == ["ü\ud800", "2"]
    (one,) = home.run("sessions", "export", "b").stdout.splitlines()
    assert json.loads(one)["key"] == KEYS[1]


def test_replaced_turns_are_exported_and_shown_on_request(home: StateHome) -> None:
    edit = run("again", session=KEYS[0], turns=said("3"), expected_seq=2, replaces_from=1)
    home.store(run("first", session=KEYS[0], turns=said("1", "2")), edit)
    (one,) = map(json.loads, home.run("sessions", "export").stdout.splitlines())
    found = [(turn["message"]["content"], turn.get("replacedBy")) for turn in one["turns"]]
    assert found == [("1", None), ("2", 2), ("3", None)]
    for options, texts in (((), ["1", "3"]), (("--all",), ["1", "2", "3"])):
        shown = json.loads(home.run("sessions", "show", "a", "--json", *options).stdout)
        assert [turn["message"]["content"] for turn in shown["turns"]] == texts


@pytest.mark.parametrize("filled", [True, False])
def test_a_document_is_json_also_without_a_session(home: StateHome, filled: bool) -> None:
    if filled:
        fill(home)
    home.store()
    output = json.loads(home.run("sessions", "export", "--format", "json").stdout)
    assert [one["key"] for one in output["sessions"]] == (KEYS if filled else [])


def test_without_a_database_the_document_is_empty(home: StateHome) -> None:
    assert json.loads(home.run("sessions", "export", "--format", "json").stdout) == {"sessions": []}


def test_a_file_is_private_and_replaced_with_force_alone(home: StateHome) -> None:
    fill(home)
    path = home.folder / "out.jsonl"
    found = home.run("sessions", "export", "--output", str(path))
    assert (found.stdout, found.stderr) == ("", f"Exported 2 sessions: {path}\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and len(path.read_text().splitlines()) == 2
    path.write_text("mine")
    found = home.run("sessions", "export", "--output", str(path))
    assert found.exit_code == 1 and f"{path} exists; replace it with --force" in found.stderr
    assert path.read_text() == "mine"
    assert home.run("sessions", "export", "a", "--output", str(path), "--force").exit_code == 0
    assert len(path.read_text().splitlines()) == 1


def test_a_folder_that_is_missing_is_an_error(home: StateHome) -> None:
    found = home.run("sessions", "export", "--output", str(home.folder / "no" / "out"))
    assert found.exit_code == 1 and "cannot be written: No such file or directory" in found.stderr


@pytest.mark.parametrize("force", [True, False])
def test_an_export_that_fails_leaves_nothing_of_itself(tmp_path: Path, force: bool) -> None:
    path = tmp_path / "out"
    if force:
        path.write_text("mine")

    def fail_half_way() -> None:
        with private_file(path, force=force) as file:
            file.write("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert [one.name for one in tmp_path.iterdir()] == (["out"] if force else [])
    assert not force or path.read_text() == "mine"
