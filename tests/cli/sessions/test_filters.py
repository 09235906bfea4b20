"""The shell completes keys of sessions and ids of agents, and an unusable state completes nothing."""

from __future__ import annotations

import click
import pytest

from clawgate.cli.sessions.commands import show
from clawgate.cli.sessions.filters import complete_key
from tests.cli.stored_runs import StateHome
from tests.state.runs import run


def completed(incomplete: str, **given: str) -> list[str]:
    context = click.Context(show)
    context.params = dict(given)
    return [one.value for one in complete_key(context, show.params[0], incomplete)]


def test_keys_are_completed_for_the_caller(home: StateHome) -> None:
    home.store(run("1", session="agent:main:a"), run("2", session="agent:main:b", caller="bob"))
    assert completed("agent:") == ["agent:main:a", "agent:main:b"]
    assert completed("agent:", caller="bob") == ["agent:main:b"] and completed("x") == []


def test_nothing_is_completed_or_printed_for_an_unusable_state(
    home: StateHome, capsys: pytest.CaptureFixture[str]
) -> None:
    assert completed("") == []
    home.database.parent.mkdir(mode=0o700)
    home.database.write_bytes(b"no database at all, but longer than the magic")
    assert completed("") == []
    (home.folder / ".openclaw" / "openclaw.json").write_text("{")
    assert completed("") == []
    assert capsys.readouterr() == ("", "")
