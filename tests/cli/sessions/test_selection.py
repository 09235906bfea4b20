"""A session is found by its key, or by what is behind its agent in it; what is not clear is no session."""

from __future__ import annotations

import pytest

from clawgate.cli.errors import CommandFailed
from clawgate.cli.sessions.selection import find_session
from clawgate.state.records import SessionSummary


def session(key: str, caller: str = "ann") -> SessionSummary:
    agent = key.split(":")[1]
    return SessionSummary(
        caller=caller, key=key, agent=agent, created_at=0, updated_at=0, turns=1, model=None
    )


KNOWN = [
    session("agent:main:main"),
    session("agent:main:work"),
    session("agent:coder:main"),
    session("agent:coder:agent:main:work"),
    session("agent:main:shared"),
    session("agent:main:shared", "bob"),
]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("agent:main:main", "agent:main:main"),
        ("work", "agent:main:work"),
        ("agent:main:work", "agent:main:work"),
    ],
)
def test_a_whole_key_comes_before_the_end_of_another(name: str, key: str) -> None:
    assert find_session(KNOWN, name).key == key


@pytest.mark.parametrize("name", ["main", "shared", "agent:main:shared"])
def test_what_several_are_named_is_refused_with_their_keys(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CommandFailed) as failed:
        find_session(KNOWN, name)
    assert f"2 sessions are named '{name}'; use the whole key, and --caller:" in failed.value.message
    assert "of caller ann" in failed.value.problems[0]


def test_an_unknown_one_is_an_error_that_names_the_one_that_was_meant() -> None:
    with pytest.raises(CommandFailed) as failed:
        find_session(KNOWN, "agent:main:wrok\x1b")
    assert failed.value.message == (
        r"no session 'agent:main:wrok\x1b'; did you mean 'agent:main:work'? "
        "to see all sessions: clawgate sessions list"
    )
