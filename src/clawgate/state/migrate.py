"""Brings a database to the version of this program, or says why it cannot be used.

Alembic is imported only to change something. All steps run in the transaction of the caller, so a process that is
killed in one leaves the database as it was.
"""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table, text

from clawgate.errors import StoreUnavailable

HEAD = "0004_expand"
"""The last expansion that this program knows: what it needs."""

VERSION_TABLE = "clawgate_version"
"""Not Alembic's own name: another program may use that in the same database."""

logging.getLogger("alembic").setLevel(logging.WARNING)  # it lists its own plugins when it is imported

_FOLDER = Path(__file__).with_name("migrations")
_LOCK = 0x636C61776D696772
"""Serialises migrations of gateways that start at once on one PostgreSQL: "clawmigr"."""


def version_of(connection: Connection) -> str | None:
    """Return the version of the database, None of an empty one."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(select(column("version_num")).select_from(table(VERSION_TABLE))).scalar()


def is_usable(version: str | None, name: str) -> bool:
    """Whether this program can work with the database as it is.

    Raises StoreUnavailable if a newer program changed it too far.
    """
    if version is None:
        return False
    number, _, kind = version.partition("_")
    ahead = int(number) - int(HEAD[:4]) if number.isdecimal() else 9
    if ahead > 1 or (ahead == 1 and kind != "expand"):
        raise StoreUnavailable(
            f"state database {name}: its schema is version {version}, and this program knows {HEAD}; "
            "run the version of clawgate that wrote it, or a newer one"
        )
    return ahead >= 0


def require_own(connection: Connection, name: str) -> None:
    """Raises StoreUnavailable for a SQLite file that another program has made."""
    if version_of(connection) is None and inspect(connection).get_table_names():
        raise StoreUnavailable(f"state database {name}: the file is another program's; name a new one")


def upgrade(connection: Connection, name: str, *, contract: bool = False) -> bool:
    """Run what is missing, with ``contract`` also what stops older versions; return whether that was anything."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    version = version_of(connection)
    if is_usable(version, name) and (not contract or version != HEAD):
        return False
    return _run_steps(connection, target="heads" if contract else HEAD)


def import_alembic() -> None:
    """Takes too long for an event loop."""
    import alembic.operations
    import alembic.runtime.migration
    import alembic.script  # noqa: F401


def _run_steps(connection: Connection, *, target: str) -> bool:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext, RevisionStep
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(_FOLDER), version_locations=[str(_FOLDER)])
    found: list[RevisionStep] = []

    def steps(present: str, _: MigrationContext) -> list[RevisionStep]:
        found.extend(scripts._upgrade_revs(target, present))  # as alembic.command.upgrade does
        return found

    context = MigrationContext.configure(connection, opts={"fn": steps, "version_table": VERSION_TABLE})
    with Operations.context(context):
        context.run_migrations()
    return bool(found)
