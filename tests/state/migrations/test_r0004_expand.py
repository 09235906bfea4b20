from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text

from clawgate.state import migrate
from clawgate.state.store import open_store
from tests.state.runs import Clock, run


def back_to_0003(connection: Connection) -> None:
    connection.execute(text("DROP TABLE egress"))
    connection.execute(text("ALTER TABLE turns DROP COLUMN run_key"))
    connection.execute(text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '0003_expand'"))


async def test_a_turn_of_the_version_before_has_no_key(state_url: str | Path, clock: Clock) -> None:
    first = await open_store(state_url, clock=clock)
    await first.commit(run("r1", key="k1"))
    await first._database.write(back_to_0003)
    await first.close()
    second = await open_store(state_url, clock=clock)
    try:
        assert await second._database.read(migrate.version_of) == migrate.HEAD
        await second.commit(run("r2", key="k2", expected_seq=1))
        session = await second.session("ann", "s")
        assert session is not None
        assert [(turn.run, turn.run_key) for turn in session.turns] == [("r1", None), ("r2", "k2")]
    finally:
        await second.close()
