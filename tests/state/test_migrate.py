from __future__ import annotations

import subprocess
import sys

import pytest
from sqlalchemy import Connection, inspect, text

from clawgate.errors import StoreUnavailable
from clawgate.state import migrate
from clawgate.state.store import Store
from clawgate.state.tables import metadata

NEXT = f"{int(migrate.HEAD[:4]) + 1:04}"


def drop_all(connection: Connection) -> None:
    metadata.drop_all(connection)
    connection.execute(text(f"DROP TABLE {migrate.VERSION_TABLE}"))


@pytest.mark.parametrize("version", [migrate.HEAD, f"{NEXT}_expand"])
def test_a_database_of_this_version_or_one_expansion_ahead_is_usable(version: str) -> None:
    assert migrate.is_usable(version, "here")


@pytest.mark.parametrize("version", [f"{NEXT}_contract", "0009_expand", "9999_contract"])
def test_a_database_that_a_newer_program_changed_too_far_is_refused(version: str) -> None:
    with pytest.raises(StoreUnavailable, match=rf"version {version}.*knows {migrate.HEAD}.*newer"):
        migrate.is_usable(version, "here")


async def test_an_empty_database_gets_every_table_and_its_version(store: Store) -> None:
    await store._database.write(drop_all)
    assert await store._database.read(migrate.version_of) is None
    assert await store._database.write(migrate.upgrade, "here")
    assert await store._database.read(migrate.version_of) == migrate.HEAD
    assert not await store._database.write(migrate.upgrade, "here"), "there is nothing left to do"


class Killed(BaseException):
    """What ends a process between two statements."""


def broken_upgrade(connection: Connection, after: int) -> None:
    """Migrate, and break before statement number ``after`` + 1."""
    from sqlalchemy import event

    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen > after:
            raise Killed

    event.listen(connection, "before_cursor_execute", count)
    migrate.upgrade(connection, "here")


async def test_a_migration_that_is_interrupted_anywhere_leaves_nothing_and_can_be_repeated(
    store: Store,
) -> None:
    await store._database.write(drop_all)
    for after in range(1, 1000):
        try:
            await store._database.write(broken_upgrade, after)
        except Killed:
            tables = await store._database.read(lambda connection: inspect(connection).get_table_names())
            assert tables == [], f"after statement {after}"
        else:
            assert after > 15
            break
    assert await store._database.read(migrate.version_of) == migrate.HEAD


def test_alembic_is_imported_only_to_change_something() -> None:
    code = "import sys; import clawgate.state.store; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_alembic_says_nothing_of_itself_in_the_log() -> None:
    """It does so when it is imported, too."""
    code = "import logging; logging.basicConfig(level=20); from clawgate.state import migrate; migrate.import_alembic()"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr == ""
