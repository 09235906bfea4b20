"""Finds out what `clawgate state status` shows. Must not create, migrate or move a database."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import click

from clawgate.cli.state_database import ChosenDatabase, with_database
from clawgate.cli.terminal.table import print_table
from clawgate.errors import GatewayError
from clawgate.state import migrate
from clawgate.state.database import Database
from clawgate.state.overview import Overview, overview, quarantined_files


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseStatus:
    """``overview`` is None where there is no database yet, or none that can be read."""

    chosen: ChosenDatabase
    overview: Overview | None = None
    problem: str | None = None
    note: str | None = None
    quarantined: list[Path] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        shown: dict[str, object] = {
            "ok": self.problem is None,
            "database": self.chosen.name,
            "kind": "postgresql" if self.chosen.file is None else "sqlite",
            "origin": self.chosen.origin,
            "exists": self.overview is not None,
            "problem": self.problem,
            "note": self.note,
            "programVersion": migrate.HEAD,
            "unusableFiles": [str(file) for file in self.quarantined],
        }
        if self.overview is not None:
            shown |= {
                "version": self.overview.version,
                "bytes": self.overview.bytes,
                "integrity": self.overview.integrity,
                "rows": self.overview.rows,
            }
        return shown


def database_status(chosen: ChosenDatabase, *, check: bool) -> DatabaseStatus:
    moved = [] if chosen.file is None else quarantined_files(chosen.file)
    if chosen.file is not None and not chosen.file.exists():
        new = "there is none yet; the gateway creates it when agents are served"
        return DatabaseStatus(chosen=chosen, note=new, quarantined=moved)

    async def work(database: Database) -> Overview:
        return await database.long_read(overview, check=check)

    try:
        found = asyncio.run(with_database(chosen, work, may_migrate=False))
    except GatewayError as error:
        return DatabaseStatus(chosen=chosen, problem=error.message, quarantined=moved)
    problem: str | None = None
    note: str | None = None
    if found.integrity not in (None, "ok"):
        problem = f"it is damaged: {found.integrity}; restore a backup"
    try:
        if not migrate.is_usable(found.version, chosen.name):
            note = "its schema is older than this program; run: clawgate state migrate"
    except GatewayError as error:
        problem = error.message
    return DatabaseStatus(chosen=chosen, overview=found, problem=problem, note=note, quarantined=moved)


def print_status(status: DatabaseStatus) -> None:
    kind = "PostgreSQL" if status.chosen.file is None else "SQLite"
    click.echo(f"Database: {kind}, {status.chosen.name} ({status.chosen.origin})")
    found = status.overview
    if found is not None:
        click.echo(f"Schema: {found.version or 'none'} (this program: {migrate.HEAD})")
        click.echo(f"Size: {found.bytes / 1024 / 1024:.1f} MB")
        if found.integrity is not None:
            click.echo(f"Integrity: {found.integrity}")
    for file in status.quarantined:
        click.echo(f"Unusable file that was moved away: {file}")
    if status.note is not None:
        click.echo(f"Note: {status.note}")
    if found is not None and found.rows:
        click.echo("")
        print_table(("Table", "Rows"), [(name, str(number)) for name, number in found.rows.items()])
    if status.problem is not None:
        click.echo(f"Problem: {status.problem}", err=True)
