from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from clawgate.errors import StoreUnavailable
from clawgate.state import database
from clawgate.state.database import open_database, sqlite_path
from clawgate.state.sqlite import SqliteDatabase, open_sqlite
from tests.e2e.stand import PATIENCE, until


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (Path("/a/b.db"), "/a/b.db"),
        ("/a/b.db", "/a/b.db"),
        ("b.db", "b.db"),
        ("sqlite:////a/b.db", "/a/b.db"),
        ("sqlite:///b.db", "b.db"),
        ("postgresql://h/d", None),
        ("sqlite://", None),
    ],
)
def test_a_path_and_its_url_name_the_same_file(url: str | Path, path: str | None) -> None:
    assert sqlite_path(url) == (None if path is None else Path(path))


@pytest.mark.parametrize("url", ["mysql://ann:s3cret@h/d", "http://s3cret@h", "sqlite://"])
async def test_a_url_of_another_kind_is_refused_without_printing_it(url: str) -> None:
    with pytest.raises(StoreUnavailable, match="postgresql://") as caught:
        await open_database(url)
    assert "s3cret" not in str(caught.value)


async def test_a_file_that_is_opened_for_nobody_is_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    go_on, discarded = threading.Event(), threading.Event()

    def slowly(path: Path, **options: bool) -> SqliteDatabase:
        go_on.wait(PATIENCE)
        return open_sqlite(path, **options)

    monkeypatch.setattr(database, "open_sqlite", slowly)

    def discard(self: SqliteDatabase) -> None:
        close(self)
        discarded.set()

    close = SqliteDatabase.discard
    monkeypatch.setattr(SqliteDatabase, "discard", discard)
    opening = asyncio.create_task(open_database(tmp_path / "state.db"))
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    go_on.set()
    await until(discarded.is_set, "the file to be closed")
