"""Describes a database as it is, whatever its version: for people who look after it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, inspect, select, text

from clawgate.state import migrate
from clawgate.state.tables import metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """``version`` is None of an empty database; ``rows`` has the tables that are there."""

    version: str | None
    bytes: int
    rows: dict[str, int]
    integrity: str | None
    """"ok", or the first fault; None where it was not checked."""


def overview(connection: Connection, *, check: bool) -> Overview:
    """``check``: read all of a SQLite file, and look for damage."""
    version = migrate.version_of(connection)
    tables = set(inspect(connection).get_table_names())
    is_sqlite = connection.dialect.name == "sqlite"
    size = (
        "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        if is_sqlite
        else "SELECT pg_database_size(current_database())"
    )
    faults = (
        [str(row[0]) for row in connection.execute(text("PRAGMA integrity_check(1)"))]
        if check and is_sqlite
        else []
    )
    return Overview(
        version=version,
        bytes=int(connection.execute(text(size)).scalar_one()),
        rows={
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
            if table.name in tables
        },
        integrity=" ".join(faults[0].split()) if faults else None,
    )


def quarantined_files(path: Path) -> list[Path]:
    """Return the unusable files that were moved away from ``path``."""
    return sorted(path.parent.glob(f"{path.name}.unusable-*"))
