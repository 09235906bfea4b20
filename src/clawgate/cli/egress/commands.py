"""``clawgate egress``: lists and follows the private connections of the gateway, and explains what may be dialled."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import click

from clawgate.cli.context import load_config
from clawgate.cli.egress.explain import explain
from clawgate.cli.egress.source import FoundRows, find_rows
from clawgate.cli.egress.validate import validate
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.groups import DefaultVerbGroup
from clawgate.cli.moments import Moment, iso, local, seconds_at
from clawgate.cli.paths import json_option, path_options
from clawgate.cli.terminal.table import print_table
from clawgate.policy.egress_ledger import MOST_ROWS, LedgerQuery, LedgerRow
from clawgate.policy.printable import escape_controls

_POLL_SECONDS = 0.5
_COLUMNS = ("Time", "Requester", "URL", "Address", "Verdict", "State", "Bytes out/in", "Rule")

requester_option = click.option(
    "--requester", metavar="NAME", help="Only of this one: provider:openai, or of a kind: provider, tool."
)
refused_option = click.option("--refused", is_flag=True, help="Only what the policy refuses.")


@click.group(cls=DefaultVerbGroup, default="list")
def egress() -> None:
    """Private connections: list, tail, explain, validate. Without a command: list."""


egress.add_command(explain)
egress.add_command(validate)


@egress.command("list", short_help="List the private connections, the newest first.")
@click.option(
    "--since", type=Moment(), metavar="TIME", help="From a date, or a duration ago: 2026-11-30, 1h."
)
@requester_option
@refused_option
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(1, MOST_ROWS),
    default=100,
    show_default=True,
    metavar="NUMBER",
    help="Number of rows.",
)
@json_option
@path_options
def list_connections(
    config: str | None,
    since: datetime | timedelta | None,
    requester: str | None,
    refused: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List the connections to addresses that are not public, and the refused ones; the newest first.

    They are of the running gateway. Where agents are on they are kept in the database, and can be read without one.
    """
    query = LedgerQuery(
        since=seconds_at(since, time.time()), requester=requester, refused=refused, limit=limit
    )
    found = find_rows(load_config(config), query)
    if as_json:
        rows = [row_json(row, found) for row in found.rows]
        click.echo(json.dumps({"source": found.source, "count": len(rows), "rows": rows}, indent=2))
        return
    if found.rows:
        print_table(_COLUMNS, [tuple(map(escape_controls, _cells(row, found))) for row in found.rows])
    else:
        click.echo("No private connections")
    click.echo(f"Source: {found.source}.", err=True)
    if len(found.rows) == limit:
        click.echo(f"These are the last {limit}; for more: --limit", err=True)


@egress.command(short_help="Show the private connections as they come.")
@requester_option
@refused_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object per line, for programs.")
@path_options
def tail(config: str | None, requester: str | None, refused: bool, as_json: bool) -> None:
    """Show the last private connections, and each further one when it begins and when it ends. Ctrl-C ends it."""
    loaded = load_config(config)
    query = LedgerQuery(requester=requester, refused=refused, limit=100)
    shown: dict[str, str] = {}
    try:
        while True:
            found = find_rows(loaded, query)
            for row in _news(found.rows, shown):
                line = json.dumps(row_json(row, found)) if as_json else "  ".join(_cells(row, found))
                click.echo(line if as_json else escape_controls(line))
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)


def _news(rows: Iterable[LedgerRow], shown: dict[str, str]) -> Iterator[LedgerRow]:
    """Yield the rows that are new or have another status than when they were shown, the oldest first."""
    newest_first = list(rows)
    for row in reversed(newest_first):
        if shown.get(row.id) != row.status:
            yield row
    shown.clear()
    shown.update((row.id, row.status) for row in newest_first)


def state_of(row: LedgerRow, found: FoundRows) -> str:
    """Return the row's status; whether it is open is known only of the gateway that runs."""
    return "unknown" if row.status == "open" and row.instance != found.instance else row.status


def row_json(row: LedgerRow, found: FoundRows) -> dict[str, object]:
    return {
        "id": row.id,
        "at": iso(row.opened_at),
        "requester": row.requester,
        "url": row.url,
        "address": row.address or None,
        "kind": row.kind,
        "rule": row.rule,
        "verdict": row.verdict,
        "status": state_of(row, found),
        "closedAt": None if row.closed_at is None else iso(row.closed_at),
        "bytesSent": row.bytes_sent,
        "bytesReceived": row.bytes_received,
    }


def _cells(row: LedgerRow, found: FoundRows) -> tuple[str, ...]:
    bytes_ = "-" if row.bytes_sent is None else f"{row.bytes_sent}/{row.bytes_received}"
    verdict = "let through (report)" if row.verdict == "reported" else row.verdict
    return (
        local(row.opened_at),
        row.requester,
        row.url,
        row.address or "-",
        verdict,
        state_of(row, found),
        bytes_,
        row.rule,
    )
