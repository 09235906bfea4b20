"""Only --yes, or a yes on a terminal, confirms."""

from __future__ import annotations

import io
import sys

import pytest

from clawgate.cli.confirmation import require_confirmation
from clawgate.cli.errors import CommandFailed


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stdin", "reason"), [(io.StringIO("y\n"), "not a terminal: pass --yes"), (Terminal("\n"), "aborted")]
)
def test_anything_else_ends_the_command(
    stdin: io.StringIO, reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr("clawgate.cli.confirmation.confirm", lambda *_, default, **__: default)
    with pytest.raises(CommandFailed, match="1") as failed:
        require_confirmation("Delete it?", yes=False, outcome="Nothing was deleted.")
    assert reason in failed.value.message and "Nothing was deleted." in capsys.readouterr().err


def test_yes_is_not_prompted_for() -> None:
    require_confirmation("Delete it?", yes=True, outcome="Nothing was deleted.")
