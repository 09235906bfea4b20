from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from clawgate.app.doctor.checks import run_checks
from clawgate.settings.diagnostic import Severity
from clawgate.state.database import open_database
from clawgate.state.migrate import HEAD, VERSION_TABLE
from tests.app.doctor.test_facts import LOCAL, facts
from tests.ports import free_port


def config(database: str | None = None, *, agents: bool = True) -> dict[str, Any]:
    endpoints = {"chatCompletions": {"enabled": agents}}
    own = {"clawgate": {"config": {"database": database}}} if database else {}
    given: dict[str, Any] = dict(LOCAL)
    gateway = {**given["gateway"], "http": {"endpoints": endpoints}}
    return {**LOCAL, "gateway": gateway, "plugins": {"entries": own}}


def make(path: Path, version: str | None = None) -> Path:
    async def create() -> None:
        database = await open_database(path)
        if version is not None:
            statement = text(f"UPDATE {VERSION_TABLE} SET version_num = :version")
            await database.write(lambda connection: connection.execute(statement, {"version": version}))
        await database.close()

    asyncio.run(create())
    return path


def test_a_database_that_can_be_used_or_created_is_no_problem(tmp_path: Path) -> None:
    assert facts(tmp_path, config(str(tmp_path / "none.db"))).database_problem is None
    path = make(tmp_path / "a.db")
    before = path.read_bytes()
    assert facts(tmp_path, config(str(path))).database_problem is None
    assert path.read_bytes() == before


def test_a_database_that_cannot_be_used_is_named_with_what_to_do(tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database at all" * 100)
    newer = make(tmp_path / "newer.db", "9999_contract")
    gone = f"postgresql://ann:canary@127.0.0.1:{free_port()}/d"
    for database, says in ((broken, "unusable"), (newer, "9999"), (gone, "postgresql://127.0.0.1")):
        found = facts(tmp_path, config(str(database)))
        assert says in str(found.database_problem) and "canary" not in str(found.database_problem)
        (shown,) = [one for one in run_checks(found) if says in one.message]
        assert shown.fix
        assert facts(tmp_path, config(str(database), agents=False)).database_problem is None
    assert broken.exists()


def test_a_database_that_is_behind_is_named_with_the_command_that_migrates_it(tmp_path: Path) -> None:
    path = make(tmp_path / "a.db", "0001_expand")
    found = facts(tmp_path, config(str(path)))
    (shown,) = [one for one in run_checks(found) if "0001_expand" in one.message]
    assert HEAD in shown.message and shown.fix.startswith("clawgate state migrate")
    assert found.database_problem is None and shown.severity is Severity.WARNING


@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_a_database_that_others_can_read_is_seen_wherever_it_is(tmp_path: Path, mode: int) -> None:
    path = make(tmp_path / "a.db")
    path.chmod(mode)
    found = run_checks(facts(tmp_path, config(str(path))))
    assert any(str(path) in str(one) for one in found) is (mode == 0o644)
