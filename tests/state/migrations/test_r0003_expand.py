from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text

from clawgate.state import migrate
from clawgate.state.store import open_store
from tests.state.runs import Clock, run


def back_to_0002(connection: Connection) -> None:
    connection.execute(text("DROP TABLE approvals"))
    connection.execute(text("DROP TABLE egress"))
    for column in ("replaced_by", "run_key"):
        connection.execute(text(f"ALTER TABLE turns DROP COLUMN {column}"))
    connection.execute(text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '0002_expand'"))


async def test_the_turns_of_the_version_before_are_of_their_conversation(
    state_url: str | Path, clock: Clock
) -> None:
    first = await open_store(state_url, clock=clock)
    await first.commit(run("r1"))
    await first._database.write(back_to_0002)
    await first.close()
    second = await open_store(state_url, clock=clock)
    try:
        assert await second._database.read(migrate.version_of) == migrate.HEAD
        session = await second.session("ann", "s")
        assert session is not None and session.is_whole
        assert [turn.replaced_by for turn in session.turns] == [None]
    finally:
        await second.close()
