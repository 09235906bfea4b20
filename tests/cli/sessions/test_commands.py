"""`clawgate sessions` shows and deletes what runs left, and makes nothing."""

from __future__ import annotations

import json

import pytest

from clawgate.state.records import NewTurn
from tests.cli.stored_runs import StateHome
from tests.state.runs import run, said

MAIN, CHAT = "agent:main:main", "agent:main:openai-user:conv-1"


def fill(home: StateHome) -> None:
    home.store(
        run("1", session=MAIN, turns=said("hello", "again")),
        run("2", session=CHAT, agent="main", caller="bob", finished_at=1_800_000_100.0),
        run("3", session="agent:coder:main", agent="coder", finished_at=1_800_000_050.0),
    )


def test_without_a_verb_the_sessions_are_listed_those_used_last_first(home: StateHome) -> None:
    fill(home)
    for arguments in (["sessions"], ["sessions", "list"]):
        lines = home.run(*arguments).stdout.splitlines()
        assert lines[0].split() == ["Session", "Caller", "Turns", "Model", "Last", "used"]
        assert [line.split()[:4] for line in lines[1:]] == [
            [CHAT, "bob", "1", "-"],
            ["agent:coder:main", "ann", "1", "-"],
            [MAIN, "ann", "2", "-"],
        ]


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        (["--agent", "CODER"], ["agent:coder:main"]),
        (["--caller", "ann"], ["agent:coder:main", MAIN]),
        (["--caller", "ann", "--agent", "main"], [MAIN]),
        (["--limit", "1"], [CHAT]),
    ],
)
def test_list_filters_and_counts(home: StateHome, options: list[str], keys: list[str]) -> None:
    fill(home)
    output = json.loads(home.run("sessions", "list", *options, "--json").stdout)
    assert [one["key"] for one in output["sessions"]] == keys and output["count"] == len(keys)
    assert output["isCut"] is ("--limit" in options)


def test_a_session_for_programs(home: StateHome) -> None:
    home.store(run("1", session=MAIN, session_model="owl/qwen"))
    (one,) = json.loads(home.run("sessions", "--json").stdout)["sessions"]
    assert one == {
        "key": MAIN,
        "caller": "ann",
        "agent": "main",
        "model": "owl/qwen",
        "turns": 1,
        "createdAt": "2027-01-15T08:00:00.000+00:00",
        "updatedAt": "2027-01-15T08:00:01.500+00:00",
    }


def test_where_there_is_nothing_the_next_step_is_named_and_no_database_made(home: StateHome) -> None:
    found = home.run("sessions")
    assert found.exit_code == 0 and found.stdout.splitlines() == [
        "No sessions yet; a message to an agent begins one: clawgate agent --message hello",
    ]
    assert not home.database.exists()
    assert (
        home.run("sessions", "--agent", "x").stdout
        == "No such sessions; to see all: clawgate sessions list\n"
    )
    assert home.run("sessions", "show", "x").exit_code == 1 and not home.database.exists()


def test_a_file_that_is_no_database_is_reported_and_left_alone(home: StateHome) -> None:
    home.database.parent.mkdir(mode=0o700)
    home.database.write_bytes(b"no database at all, but longer than the magic")
    found = home.run("sessions", "--json")
    assert found.exit_code == 1 and "it is unusable" in json.loads(found.stdout)["error"]
    assert [one.name for one in home.database.parent.iterdir()] == ["state.db"]


def test_show_prints_the_turns(home: StateHome) -> None:
    fill(home)
    expected = """\
Session : agent:main:main
Agent   : main
Caller  : ann
Model   : the agent's
Turns   : 2, 2027-01-15 08:00:00 to 2027-01-15 08:00:01

[2027-01-15 08:00:01] user
  hello

[2027-01-15 08:00:01] user
  again
"""
    assert home.run("sessions", "show", MAIN).stdout == expected
    last = home.run("sessions", "show", MAIN, "--limit", "1").stdout
    assert "again" in last and "hello" not in last


def test_show_for_programs_has_the_messages_as_they_are_stored(home: StateHome) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}
    home.store(run("1", session=MAIN, turns=(NewTurn(message=message, status="interrupted"),)))
    (turn,) = json.loads(home.run("sessions", "show", "main", "--json").stdout)["turns"]
    assert turn["message"] == message and turn["status"] == "interrupted" and turn["run"] == "1"


def test_delete_removes_the_session_of_this_caller_alone(home: StateHome) -> None:
    home.store(run("1", session=MAIN), run("2", session=MAIN, caller="bob"))
    found = home.run("sessions", "delete", MAIN, "--caller", "bob", "--yes")
    assert (found.exit_code, found.stdout) == (0, f"Deleted session: {MAIN}\n")
    assert home.session(MAIN, "bob") is None and home.session(MAIN, "ann") is not None


def test_delete_without_a_terminal_needs_yes(home: StateHome) -> None:
    fill(home)
    found = home.run("sessions", "delete", MAIN)
    assert found.exit_code == 1 and "pass --yes to confirm. Nothing was deleted." in found.stderr
    assert home.session(MAIN) is not None


def test_delete_for_programs(home: StateHome) -> None:
    fill(home)
    output = json.loads(home.run("sessions", "delete", MAIN, CHAT, MAIN, "--yes", "--json").stdout)
    assert output["count"] == 2 and [one["key"] for one in output["deleted"]] == [MAIN, CHAT]


def test_one_unknown_key_deletes_nothing(home: StateHome) -> None:
    fill(home)
    assert home.run("sessions", "delete", MAIN, "nope", "--yes").exit_code == 1
    assert home.session(MAIN) is not None


class TestPrune:
    @pytest.fixture(autouse=True)
    def _now(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("clawgate.cli.sessions.commands.time.time", lambda: 1_800_000_000.0 + 10 * 86_400)

    def fill(self, home: StateHome) -> None:
        home.store(
            run("1", session="agent:main:old"),
            run("2", session="agent:main:old", caller="bob"),
            run("3", session="agent:main:new", finished_at=1_800_000_000.0 + 9 * 86_400),
        )

    def test_what_is_older_is_shown_and_deleted(self, home: StateHome) -> None:
        self.fill(home)
        found = home.run("sessions", "prune", "--older-than", "7d", "--yes")
        assert found.exit_code == 0 and "agent:main:new" not in found.stdout
        assert found.stdout.splitlines()[-2:] == ["Sessions: 2, turns: 2", "Deleted sessions: 2"]
        assert home.session("agent:main:old") is None and home.session("agent:main:new") is not None

    @pytest.mark.parametrize("options", [["--dry-run"], []])
    def test_without_a_confirmation_nothing_is_deleted(self, home: StateHome, options: list[str]) -> None:
        self.fill(home)
        found = home.run("sessions", "prune", "--older-than", "7d", *options)
        assert "agent:main:old" in found.stdout and "Nothing was deleted." in found.output
        assert found.exit_code == (0 if options else 1) and home.session("agent:main:old") is not None

    def test_only_those_of_a_caller(self, home: StateHome) -> None:
        self.fill(home)
        arguments = ("sessions", "prune", "--older-than", "7d", "--caller", "bob", "--yes", "--json")
        output = json.loads(home.run(*arguments).stdout)
        assert (output["count"], output["deleted"]) == (1, 1)
        assert home.session("agent:main:old") is not None

    def test_nothing_is_that_old(self, home: StateHome) -> None:
        self.fill(home)
        found = home.run("sessions", "prune", "--older-than", "11d")
        assert (found.exit_code, found.stdout) == (
            0,
            "No session is that old; to see all: clawgate sessions list\n",
        )
