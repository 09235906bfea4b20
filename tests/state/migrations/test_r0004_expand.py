from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text

from clawgate.policy.egress_ledger import LedgerQuery
from clawgate.state import migrate
from clawgate.state.store import open_store
from tests.state.runs import Clock, run
from tests.state.test_approvals import CALLER, ID, waiting
from tests.state.test_egress import row


def back_to_0003(connection: Connection) -> None:
    connection.execute(text("DROP TABLE approvals"))
    connection.execute(text("DROP TABLE egress"))
    connection.execute(text("ALTER TABLE turns DROP COLUMN run_key"))
    connection.execute(text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '0003_expand'"))


async def test_a_database_of_the_version_before_keeps_its_turns_and_takes_what_is_new(
    state_url: str | Path, clock: Clock
) -> None:
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
        await second.commit(run("r3", keeps_session=False, approvals=(waiting(),)))
        assert list(await second.approvals(CALLER, [ID])) == [ID]
        await second.save_connections([row("a")])
        assert await second.connections(LedgerQuery()) == [row("a")]
    finally:
        await second.close()
