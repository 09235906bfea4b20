from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.cli.context import load_config
from clawgate.cli.errors import CommandFailed
from clawgate.cli.state.opened import chosen_database, run_with_database
from clawgate.state.database import Database


def test_what_is_shown_of_a_database_has_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCLAW_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("CLAWGATE_DATABASE_URL", "postgresql://ann:s3cret-canary@h:5433/d")
    chosen = chosen_database(load_config(None))
    assert (chosen.name, chosen.file) == ("postgresql://h:5433/d", None)
    assert "canary" not in repr(chosen)


def test_an_unusable_database_ends_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCLAW_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("CLAWGATE_DATABASE_URL", raising=False)
    (tmp_path / "clawgate").mkdir()
    (tmp_path / "clawgate" / "state.db").write_text("dear diary")

    async def work(database: Database) -> None:
        raise AssertionError("it must not be opened")

    with pytest.raises(CommandFailed) as caught:
        run_with_database(chosen_database(load_config(None)), work)
    assert caught.value.code == 1
