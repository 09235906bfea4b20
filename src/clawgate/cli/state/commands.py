"""``clawgate state``: shows, migrates, backs up and copies the database with the state of agents.

Must not import the state before a command runs, nor print a URL, which may have a password.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clawgate.cli.context import LoadedConfig, load_config
from clawgate.cli.errors import fail
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import json_option, path_options
from clawgate.cli.state_database import chosen_database, run_with_database
from clawgate.cli.terminal.progress import Progress
from clawgate.processes.instance.instance_lock import find_instance
from clawgate.settings.openclaw.database import default_database

if TYPE_CHECKING:
    from clawgate.state.database import Database


@click.group()
def state() -> None:
    """The database with the state of agents: status, migrate, backup, copy."""


@state.command(short_help="Show where the database is, its version and its rows.")
@click.option("--check", is_flag=True, help="Read all of a SQLite file and look for damage.")
@json_option
@path_options
def status(config: str | None, as_json: bool, check: bool) -> None:
    """Show where the database is, whether it can be used, and what is in it. Nothing is created or changed."""
    from clawgate.cli.state.status import database_status, print_status

    found = database_status(chosen_database(load_config(config)), check=check)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    else:
        print_status(found)
    if found.problem is not None:
        sys.exit(ExitCode.FAILED)


@state.command(short_help="Bring the database to the version of this program.")
@click.option(
    "--contract", is_flag=True, help="Also remove what only older versions use; none may run any more."
)
@json_option
@path_options
def migrate(config: str | None, as_json: bool, contract: bool) -> None:
    """Bring the database to the version of this program; it is created if there is none.

    A gateway does that itself when it starts, all but --contract.
    """
    from clawgate.state.migrate import upgrade, version_of

    chosen = chosen_database(load_config(config))

    async def find(database: Database) -> str | None:
        return await database.read(version_of)

    async def contracted(database: Database) -> str | None:
        if contract:
            await database.long_write(upgrade, chosen.name, contract=True)
        return await database.read(version_of)

    is_new = chosen.file is not None and not chosen.file.exists()
    before = None if is_new else run_with_database(chosen, find, may_migrate=False)
    version = run_with_database(chosen, contracted)
    if as_json:
        click.echo(json.dumps({"ok": True, "changed": version != before, "version": version}))
    else:
        done = f"Migrated to {version}." if version != before else f"Nothing to do: the schema is {version}."
        click.echo(done)


@state.command(short_help="Copy the database to a new SQLite file.")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@path_options
def backup(file: Path, config: str | None, as_json: bool) -> None:
    """Copy the database to the new SQLite file FILE, while the gateway runs.

    Every row is compared with its copy before FILE appears. Copy it back with: clawgate state copy --from FILE
    """
    from clawgate.state.copy import NotCopied, back_up

    chosen = chosen_database(load_config(config))
    if chosen.file is not None and not chosen.file.exists():
        fail(f"state database {chosen.file}: there is none yet; nothing is to be backed up")
    try:
        with Progress("Copying") as progress:
            shown = _elapsed(progress)
            rows = run_with_database(chosen, lambda database: back_up(database, file, shown))
    except NotCopied as error:
        fail(str(error))
    except OSError as error:
        fail(f"{file}: it cannot be written: {error.strerror}; name a file in a folder of yours")
    _print_rows(rows, as_json, {"file": str(file)}, f"Backed up {chosen.name} to {file}")


@state.command(short_help="Copy a SQLite file to the configured database.")
@click.option(
    "--from", "source", metavar="FILE", type=click.Path(path_type=Path), help="The file.  [default: state.db]"
)
@json_option
@path_options
def copy(source: Path | None, config: str | None, as_json: bool) -> None:
    """Copy a SQLite file to the configured database, which has to be empty: to PostgreSQL, or from a backup.

    It is one transaction, and every row is compared with its copy before it counts. The gateway has to be stopped.
    """
    from clawgate.state.copy import NotCopied, copy_from_file

    loaded = load_config(config)
    chosen = chosen_database(loaded)
    file = source or default_database(loaded.paths.state)
    if chosen.file is not None and chosen.file.absolute() == file.absolute():
        fail(
            f"{file}: it is the configured database itself; set CLAWGATE_DATABASE_URL to the one to copy to, "
            "or name another file with --from"
        )
    if not file.is_file():
        fail(f"{file}: there is no such file; name the SQLite file to copy with --from")
    _require_no_gateway(loaded)
    try:
        with Progress("Copying") as progress:
            shown = _elapsed(progress)
            rows = run_with_database(chosen, lambda database: copy_from_file(file, database, shown))
    except NotCopied as error:
        fail(str(error))
    _print_rows(rows, as_json, {"from": str(file), "to": chosen.name}, f"Copied {file} to {chosen.name}")


def _require_no_gateway(loaded: LoadedConfig) -> None:
    """What it wrote in the meantime would be missing in the copy."""
    try:
        running = find_instance(loaded.paths.folder)
    except OSError as error:
        fail(
            f"whether a gateway runs cannot be seen: {error.strerror}; check the mode of {loaded.paths.folder}"
        )
    if running is not None:
        fail(f"a gateway runs (pid {running.pid}), and may write; stop it first: clawgate gateway stop")


def _elapsed(progress: Progress) -> Callable[[], None]:
    began_at = time.monotonic()
    return lambda: progress(time.monotonic() - began_at)


def _print_rows(rows: dict[str, int], as_json: bool, places: dict[str, str], done: str) -> None:
    if as_json:
        click.echo(json.dumps({"ok": True, **places, "rows": rows}, indent=2))
        return
    from clawgate.cli.terminal.table import print_table

    click.echo(f"{done}; every row was compared.\n")
    print_table(("Table", "Rows"), [(name, str(number)) for name, number in rows.items()])
