"""The end of a log, and what is added to it: no line is lost or shown twice over rotation and truncation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clawgate.processes.instance import log_tail
from clawgate.processes.instance.log_tail import Entry, Follower, last_entries, parse_line


def line(message: str, level: str = "info") -> str:
    return json.dumps({"time": "t", "level": level, "subsystem": "s", "message": message}) + "\n"


def messages(entries: list[Entry]) -> list[str]:
    return [entry.message for entry in entries]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.log"


@pytest.mark.parametrize("block", [1, 2, 3, 7, 65_536])
def test_the_last_lines_do_not_depend_on_how_the_file_is_read(
    path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_tail, "_BLOCK_BYTES", block)
    path.write_text("".join(line(f"ü{number}") for number in range(5)))
    assert messages(last_entries(path, 3)) == ["ü2", "ü3", "ü4"]
    assert messages(last_entries(path, 9)) == [f"ü{number}" for number in range(5)]
    assert last_entries(path, 0) == []


def test_entries_continue_in_rotated_files(path: Path) -> None:
    path.write_text(line("new"))
    path.with_name("gateway.log.1").write_text(line("old") + line("newer"))
    path.with_name("gateway.log.2").write_text(line("oldest"))
    path.with_name("gateway.log.4").write_text(line("of another time"))
    assert messages(last_entries(path, 10)) == ["oldest", "old", "newer", "new"]


def test_only_entries_of_the_level_count(path: Path) -> None:
    path.write_text(line("a", "error") + line("b", "debug") + line("c", "warning") + "a crash\n")
    assert messages(last_entries(path, 2, "warning")) == ["c", "a crash"]
    assert messages(last_entries(path, 3, "warning")) == ["a", "c", "a crash"]


def test_a_missing_log_is_empty(path: Path) -> None:
    assert last_entries(path, 5) == []


@pytest.mark.parametrize("text", ["Traceback", "{", "[]", '{"message": 1}', "\xff"])
def test_a_foreign_line_is_the_message(text: str) -> None:
    assert parse_line(text.encode("latin-1")).message == text.encode("latin-1").decode("utf-8", "replace")


def test_control_characters_are_escaped_for_the_terminal() -> None:
    """Escape sequences from a request are shown, not obeyed."""
    entry = parse_line(
        json.dumps({"message": "a\x1b]0;x\x07\r\u202eb", "traceback": "one\n\x1b[2J"}).encode()
    )
    assert entry.as_text() == "a\\x1b]0;x\\x07\\r\\u202eb\n    one\n    \\x1b[2J"
    assert json.loads(entry.as_json())["message"] == "a\x1b]0;x\x07\r\u202eb"


def test_the_follower_returns_complete_lines_only(path: Path) -> None:
    path.write_text(line("past"))
    follower = Follower(path)
    text = line("now").encode()
    with path.open("ab") as file:
        for at in range(len(text) - 1):
            file.write(text[at : at + 1])
            file.flush()
            assert follower.read() == []
        file.write(text[-1:])
    assert messages(follower.read()) == ["now"] and follower.read() == []
    follower.close()


def test_the_follower_survives_rotation(path: Path) -> None:
    """The rest of the old file is read first."""
    path.write_text("")
    follower = Follower(path)
    with path.open("a") as old:
        old.write(line("one"))
        old.flush()
        path.rename(path.with_name("gateway.log.1"))
        assert messages(follower.read()) == ["one"]  # between two files
        old.write(line("two"))
    path.write_text(line("three"))
    assert messages(follower.read()) == ["two", "three"] and follower.notices == ["the log file was rotated"]
    follower.close()


def test_no_line_is_lost_between_read_and_rotation_check(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that comes to the old file just before it is seen to be an old one."""
    path.write_text("")
    follower = Follower(path)
    with path.open("a") as old:
        path.rename(path.with_name("gateway.log.1"))
        path.write_text(line("new"))
        looked = Follower._was_replaced

        def late(self: Follower) -> bool:
            old.write(line("late"))
            old.flush()
            return looked(self)

        monkeypatch.setattr(Follower, "_was_replaced", late)
        assert messages(follower.read()) == ["late", "new"]
    follower.close()


def test_the_follower_survives_truncation(path: Path) -> None:
    path.write_text(line("long ago") * 3)
    follower = Follower(path)
    path.write_text(line("anew"))
    assert messages(follower.read()) == ["anew"] and follower.notices == ["the log file was truncated"]
    follower.close()


def test_the_follower_waits_for_a_missing_file(path: Path) -> None:
    follower = Follower(path)
    assert follower.read() == []
    path.write_text(line("first"))
    assert messages(follower.read()) == ["first"]
    follower.close()
    follower.close()
