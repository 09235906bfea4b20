from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from clawgate.state.migrate import VERSION_TABLE
from clawgate.state.store import Store
from clawgate.state.tables import metadata


def differences(connection: Connection) -> list[object]:
    return list(
        compare_metadata(
            MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}), metadata
        )
    )


async def test_the_migrations_make_the_tables_that_the_statements_use(store: Store) -> None:
    assert await store._database.read(differences) == []
