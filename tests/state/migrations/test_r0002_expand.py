from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text

from clawgate.state import migrate
from clawgate.state.store import open_store
from tests.state.runs import Clock, run


def back_to_0001(connection: Connection) -> None:
    connection.execute(text("DROP TABLE approvals"))
    connection.execute(text("DROP TABLE egress"))
    connection.execute(text("DROP TABLE responses"))
    for column in ("replaced_by", "run_key"):
        connection.execute(text(f"ALTER TABLE turns DROP COLUMN {column}"))
    connection.execute(text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '0001_expand'"))


async def test_a_database_of_the_version_before_keeps_what_it_has(
    state_url: str | Path, clock: Clock
) -> None:
    first = await open_store(state_url, clock=clock)
    await first.commit(run("r1"))
    await first._database.write(back_to_0001)
    await first.close()
    second = await open_store(state_url, clock=clock)
    try:
        assert await second._database.read(migrate.version_of) == migrate.HEAD
        session = await second.session("ann", "s")
        assert session is not None and len(session.turns) == 1
        assert await second.response("ann", "r1") is None
    finally:
        await second.close()
