"""``clawgate sessions``: lists, shows and deletes the sessions of agents.

Those of this machine are read from the database, of every caller and whether or not the gateway runs; with ``--url``
the gateway there is requested, which shows those of its caller.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from clawgate.cli.confirmation import require_confirmation, yes_option
from clawgate.cli.context import load_config
from clawgate.cli.errors import fail
from clawgate.cli.groups import DefaultVerbGroup
from clawgate.cli.moments import Duration, iso, local
from clawgate.cli.paths import json_option, path_options
from clawgate.cli.remote import Remote, remote_options
from clawgate.cli.sessions.export import export, session_json
from clawgate.cli.sessions.filters import caller_option, complete_key, filters
from clawgate.cli.sessions.remote_sessions import list_remote, show_remote
from clawgate.cli.sessions.selection import all_sessions, sessions_named
from clawgate.cli.sessions.transcript import lines_of
from clawgate.cli.state_database import with_store
from clawgate.cli.terminal.table import print_table
from clawgate.policy.printable import escape_controls
from clawgate.state.records import Extent, SessionSummary

if TYPE_CHECKING:
    from clawgate.state.store import Store

_NOT_DELETED = "Nothing was deleted."
_PREVIEWED = 20
_COLUMNS = ("Session", "Caller", "Turns", "Model", "Last used")


@click.group(cls=DefaultVerbGroup, default="list")
def sessions() -> None:
    """Sessions of agents: list, show, export, delete, prune. Without a command: list."""


sessions.add_command(export)


@sessions.command("list", short_help="List the sessions, those used last first.")
@filters
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    metavar="NUMBER",
    help="Number of sessions to list.",
)
@json_option
@path_options
@remote_options
def list_sessions(
    config: str | None,
    agent: str | None,
    caller: str | None,
    limit: int,
    as_json: bool,
    remote: Remote | None,
) -> None:
    """List the sessions of agents, those used last first; with --url those of the caller there."""
    if remote is not None:
        _refuse_caller(caller)
        list_remote(remote, agent, limit, as_json)
        return
    found = all_sessions(load_config(config), agent=agent, caller=caller, limit=limit + 1)
    shown, is_cut = found[:limit], len(found) > limit
    if as_json:
        rows = [summary_json(one) for one in shown]
        click.echo(json.dumps({"count": len(rows), "isCut": is_cut, "sessions": rows}, indent=2))
        return
    if shown:
        print_summaries(shown)
    elif agent is not None or caller is not None:
        click.echo("No such sessions; to see all: clawgate sessions list")
    else:
        click.echo("No sessions yet; a message to an agent begins one: clawgate agent --message hello")
    if is_cut:
        click.echo(f"These are the last {limit}; for more: --limit", err=True)


def _refuse_caller(caller: str | None) -> None:
    if caller is not None:
        raise click.UsageError(
            "--caller: a gateway at --url shows the sessions of its caller alone; leave it out"
        )


def print_summaries(found: Sequence[SessionSummary]) -> None:
    rows = [(one.key, one.caller, str(one.turns), one.model or "-", local(one.updated_at)) for one in found]
    print_table(_COLUMNS, [tuple(map(escape_controls, row)) for row in rows])


def summary_json(one: SessionSummary) -> dict[str, object]:
    return {
        "key": one.key,
        "caller": one.caller,
        "agent": one.agent,
        "model": one.model,
        "turns": one.turns,
        "createdAt": iso(one.created_at),
        "updatedAt": iso(one.updated_at),
    }


@sessions.command(short_help="Show the turns of a session.")
@click.argument("key", shell_complete=complete_key)
@caller_option
@click.option("--limit", "-n", type=click.IntRange(1), metavar="NUMBER", help="Only the last turns.")
@click.option("--all", "with_replaced", is_flag=True, help="Also the turns that an edited message replaced.")
@json_option
@path_options
@remote_options
def show(
    key: str,
    config: str | None,
    caller: str | None,
    limit: int | None,
    with_replaced: bool,
    as_json: bool,
    remote: Remote | None,
) -> None:
    """Show the turns of the session KEY. Its agent's prefix can be left out where the rest is clear."""
    if remote is not None:
        _refuse_caller(caller)
        if with_replaced:
            raise click.UsageError("--all: a gateway at --url shows the conversation alone; leave it out")
        show_remote(remote, key, limit, as_json)
        return
    loaded = load_config(config)
    (one,) = sessions_named(loaded, [key], caller=caller)
    extent = replace(Extent(limit) if limit is not None else Extent(), with_replaced=with_replaced)
    session = with_store(loaded, lambda store: store.session(one.caller, one.key, extent), absent=None)
    if session is None:
        fail(f"session {one.key} was deleted just now; to see all sessions: clawgate sessions list")
    if as_json:
        click.echo(json.dumps(session_json(session), indent=2))
        return
    facts = {
        "Session": session.key,
        "Agent": session.agent,
        "Caller": session.caller,
        "Model": session.model or "the agent's",
        "Turns": f"{one.turns}, {local(session.created_at)} to {local(session.updated_at)}",
    }
    for name, value in facts.items():
        click.echo(f"{name:<8}: {escape_controls(value)}")
    for turn in session.turns:
        click.echo("")
        for line in lines_of(turn, local):
            click.echo(line)


@sessions.command(short_help="Delete sessions with their turns.")
@click.argument("key", nargs=-1, required=True, shell_complete=complete_key)
@caller_option
@yes_option
@json_option
@path_options
def delete(key: tuple[str, ...], config: str | None, caller: str | None, yes: bool, as_json: bool) -> None:
    """Delete the sessions of these KEYs with their turns and tool calls. What they used stays in the usage."""
    loaded = load_config(config)
    chosen = sessions_named(loaded, key, caller=caller)
    if not yes:
        for one in chosen:
            click.echo(escape_controls(f"{one.key} of caller {one.caller}, {one.turns} turns"), err=True)
    require_confirmation("Delete it?" if len(chosen) == 1 else "Delete them?", yes=yes, outcome=_NOT_DELETED)

    async def remove(store: Store) -> list[SessionSummary]:
        return [one for one in chosen if await store.delete_session(one.caller, one.key)]

    deleted: list[SessionSummary] = with_store(loaded, remove, absent=[])
    if as_json:
        rows = [summary_json(one) for one in deleted]
        click.echo(json.dumps({"count": len(rows), "deleted": rows}, indent=2))
        return
    for one in deleted:
        click.echo(escape_controls(f"Deleted session: {one.key}"))


@sessions.command(short_help="Delete the sessions that were not used for long.")
@click.option(
    "--older-than", type=Duration(), required=True, metavar="DURATION", help="Not used for so long: 30d."
)
@filters
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, and delete nothing.")
@yes_option
@json_option
@path_options
def prune(
    config: str | None,
    older_than: float,
    agent: str | None,
    caller: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete the sessions that were not used for long. The gateway does it itself, by its own limits.

    A session that is used in the meantime stays.
    """
    loaded = load_config(config)
    stale = all_sessions(loaded, agent=agent, caller=caller, before=time.time() - older_than)
    if not as_json:
        _preview(stale)
    deleted = 0
    if stale and not dry_run:
        require_confirmation("Delete them?", yes=yes, outcome=_NOT_DELETED)
        deleted = with_store(loaded, lambda store: store.delete_unused(stale), absent=0)
    if as_json:
        rows = [summary_json(one) for one in stale]
        click.echo(json.dumps({"count": len(rows), "deleted": deleted, "sessions": rows}, indent=2))
    elif stale:
        click.echo(f"Deleted sessions: {deleted}" if not dry_run else _NOT_DELETED)


def _preview(stale: Sequence[SessionSummary]) -> None:
    if not stale:
        click.echo("No session is that old; to see all: clawgate sessions list")
        return
    print_summaries(stale[:_PREVIEWED])
    more = len(stale) - _PREVIEWED
    turns = sum(one.turns for one in stale)
    click.echo(f"{f'... and {more} more. ' if more > 0 else ''}Sessions: {len(stale)}, turns: {turns}")
