"""``clawgate sessions export``: writes sessions with their turns as JSON, one after the other.

A file is for its owner alone, and is complete or not there.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from clawgate.cli.context import load_config
from clawgate.cli.errors import fail
from clawgate.cli.moments import iso
from clawgate.cli.paths import path_options
from clawgate.cli.sessions.filters import complete_key, filters
from clawgate.cli.sessions.selection import all_sessions, sessions_named
from clawgate.cli.state_database import with_store
from clawgate.state.records import Extent, SessionSummary, StoredSession

if TYPE_CHECKING:
    from clawgate.state.store import Store


@click.command(short_help="Write sessions with their turns as JSON.")
@click.argument("key", nargs=-1, shell_complete=complete_key)
@filters
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "json"]),
    default="jsonl",
    show_default=True,
    help="A session on each line, or one document with all.",
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, with mode 0600."
)
@click.option("--force", is_flag=True, help="Replace the file.")
@path_options
def export(
    key: tuple[str, ...],
    agent: str | None,
    caller: str | None,
    form: str,
    output: Path | None,
    force: bool,
    config: str | None,
) -> None:
    """Write the sessions of these KEYs, or all, with their turns as they are stored; the last used first."""
    loaded = load_config(config)
    if key:
        chosen: Sequence[SessionSummary] = sessions_named(loaded, key, agent=agent, caller=caller)
    else:
        chosen = all_sessions(loaded, agent=agent, caller=caller)
    try:
        with private_file(output, force=force) if output else contextlib.nullcontext(sys.stdout) as file:
            file.write('{"sessions": [' if form == "json" else "")
            count = with_store(loaded, lambda store: _write(store, chosen, file, form), absent=0)
            file.write("\n]}\n" if form == "json" else "")
    except FileExistsError:
        fail(f"{output} exists; replace it with --force, or name another file")
    except BrokenPipeError:
        raise
    except OSError as error:
        fail(f"{output or 'standard output'} cannot be written: {error.strerror}; name a file with --output")
    if output:
        click.echo(f"Exported {count} {'session' if count == 1 else 'sessions'}: {output}", err=True)


async def _write(store: Store, sessions: Iterable[SessionSummary], file: TextIO, form: str) -> int:
    """Return how many were written: a session may be deleted meanwhile."""
    count = 0
    for one in sessions:
        session = await store.session(one.caller, one.key, Extent(with_replaced=True))
        if session is None:
            continue
        before, after = ("", "\n") if form == "jsonl" else (",\n" if count else "\n", "")
        file.write(before + json.dumps(session_json(session)) + after)
        count += 1
    return count


def session_json(session: StoredSession) -> dict[str, Any]:
    return {
        "key": session.key,
        "caller": session.caller,
        "agent": session.agent,
        "model": session.model,
        "createdAt": iso(session.created_at),
        "updatedAt": iso(session.updated_at),
        "turns": [
            {
                "seq": turn.seq,
                "status": turn.status,
                "run": turn.run,
                "createdAt": iso(turn.created_at),
                "message": turn.message,
            }
            | ({"replacedBy": turn.replaced_by} if turn.replaced_by is not None else {})
            for turn in session.turns
        ],
    }


@contextlib.contextmanager
def private_file(path: Path, *, force: bool) -> Iterator[TextIO]:
    """Yield a file that has its name once it is complete. Raises FileExistsError, unless ``force``, and OSError."""
    if not force:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    new: str | None = None
    try:
        fd, new = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            yield file
        Path(new).replace(path)
    except BaseException:
        for name in (new, None if force else path):
            if name is not None:
                Path(name).unlink(missing_ok=True)
        raise
