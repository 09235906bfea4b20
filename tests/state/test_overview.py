from __future__ import annotations

from pathlib import Path

from clawgate.state import migrate
from clawgate.state.overview import overview, quarantined_files
from clawgate.state.store import Store
from clawgate.state.tables import metadata
from tests.state.runs import run, said
from tests.state.test_migrate import drop_all


async def test_it_shows_the_version_the_size_and_the_rows(store: Store) -> None:
    await store.commit(run(turns=said("a", "b")))
    found = await store._database.read(overview, check=False)
    assert (found.version, found.integrity) == (migrate.HEAD, None) and found.bytes > 10_000
    assert found.rows == dict.fromkeys(metadata.tables, 0) | {"sessions": 1, "turns": 2, "requests": 1}


async def test_an_empty_database_has_no_version_and_no_tables(store: Store) -> None:
    await store._database.write(drop_all)
    found = await store._database.read(overview, check=True)
    assert found.version is None and found.rows == {}


def test_the_files_that_were_moved_away_are_found(tmp_path: Path) -> None:
    for name in ("state.db", "state.db.unusable-2", "state.db.unusable-1", "state.db-wal"):
        (tmp_path / name).touch()
    assert [file.name for file in quarantined_files(tmp_path / "state.db")] == [
        "state.db.unusable-1",
        "state.db.unusable-2",
    ]
