"""``clawgate usage``: sums up the tokens, runs and cost of agents. A price that is not known is never shown as free."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, get_args

import click

from clawgate.cli.context import load_config
from clawgate.cli.errors import fail
from clawgate.cli.moments import Moment, iso, seconds_at
from clawgate.cli.paths import json_option, path_options
from clawgate.cli.state_database import with_store
from clawgate.cli.terminal.table import print_table
from clawgate.policy.printable import escape_controls
from clawgate.state.records import UsageKey, UsageRow

if TYPE_CHECKING:
    from clawgate.state.store import Store

_COLUMNS = ("Runs", "In", "Cached", "Out", "Cost")
_SMALLEST = Decimal("0.0001")


@click.command(short_help="Tokens, runs and cost of agents.")
@click.option(
    "--by",
    type=click.Choice(get_args(UsageKey)),
    default="agent",
    show_default=True,
    help="What is summed up, a line for each.",
)
@click.option(
    "--since", type=Moment(), metavar="TIME", help="From a date, or a duration ago: 2026-11-30, 7d."
)
@click.option("--until", type=Moment(ends_day=True), metavar="TIME", help="To the end of a date, or a time.")
@json_option
@path_options
def usage(
    config: str | None,
    by: UsageKey,
    since: datetime | timedelta | None,
    until: datetime | timedelta | None,
    as_json: bool,
) -> None:
    """Show the tokens, runs and cost of agents, whether or not the gateway runs.

    Costs are in US dollars, by the price list that comes with clawgate. Times and days are UTC.
    """
    now = time.time()
    begin, end = seconds_at(since, now), seconds_at(until, now)
    if begin is not None and end is not None and begin >= end:
        fail("--since is not before --until; exchange them")

    async def read(store: Store) -> tuple[Sequence[UsageRow], Sequence[UsageRow]]:
        # A run of several models is in the row of each; it has one agent, so these rows have it once.
        return await store.usage(by, begin, end), await store.usage("agent", begin, end)

    nothing: tuple[Sequence[UsageRow], Sequence[UsageRow]] = ((), ())
    rows, by_agent = with_store(load_config(config), read, absent=nothing)
    total = _total(by_agent)
    if as_json:
        output = {
            "by": by,
            "since": None if begin is None else iso(begin),
            "until": None if end is None else iso(end),
            "currency": "USD",
            "rows": [{by: row.key, **_json(row)} for row in rows],
            "total": _json(total),
        }
        click.echo(json.dumps(output, indent=2))
    elif rows:
        print_table((by.capitalize(), *_COLUMNS), [_cells(row) for row in (*rows, total)])
    elif begin is None and end is None:
        click.echo("No usage yet; a message to an agent adds to it: clawgate agent --message hello")
    else:
        click.echo("No usage in this time; without --since and --until, all of it is shown.")


def _total(rows: Sequence[UsageRow]) -> UsageRow:
    return UsageRow(
        key="Total",
        runs=sum(row.runs for row in rows),
        input_tokens=sum(row.input_tokens for row in rows),
        output_tokens=sum(row.output_tokens for row in rows),
        cached_tokens=sum(row.cached_tokens for row in rows),
        cost=sum((row.cost for row in rows), Decimal(0)),
        unpriced_calls=sum(row.unpriced_calls for row in rows),
    )


def _json(row: UsageRow) -> dict[str, object]:
    """``cost`` is that of the calls with a known price, null if there is none."""
    return {
        "runs": row.runs,
        "inputTokens": row.input_tokens,
        "cachedTokens": row.cached_tokens,
        "outputTokens": row.output_tokens,
        "cost": None if row.unpriced_calls and not row.cost else float(row.cost),
        "callsWithoutKnownPrice": row.unpriced_calls,
    }


def _cells(row: UsageRow) -> tuple[str, ...]:
    numbers = (row.runs, row.input_tokens, row.cached_tokens, row.output_tokens)
    return (escape_controls(row.key), *(f"{number:,}" for number in numbers), _cost_text(row))


def _cost_text(row: UsageRow) -> str:
    known = f"${row.cost:,.4f}" if row.cost >= _SMALLEST or not row.cost else f"< ${_SMALLEST}"
    if not row.unpriced_calls:
        return known
    calls = f"{row.unpriced_calls:,} {'call' if row.unpriced_calls == 1 else 'calls'} without a known price"
    return f"{known} + {calls}" if row.cost else f"unknown: {calls}"
