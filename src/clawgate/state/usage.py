"""Writes the row of each request and what its model calls cost, and sums it up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from clawgate.state.records import RunRecord, UsageKey, UsageRow
from clawgate.state.tables import NewRow, requests, usage

_ADD_REQUEST = {
    module.__name__.rpartition(".")[2]: module.insert(requests).on_conflict_do_nothing()
    for module in (sqlite, postgresql)
}
_ADD_USAGE = insert(usage)
_REQUEST_COLUMNS = tuple(column.name for column in requests.columns)
_PICO = Decimal("1e-12")
_DAY_SECONDS = 86_400


def add_request(connection: Connection, record: RunRecord) -> bool:
    """Return whether the run is new."""
    return connection.execute(_ADD_REQUEST[connection.dialect.name], request_row(record)).rowcount == 1


def request_row(record: RunRecord) -> NewRow:
    return {column: getattr(record, column) for column in _REQUEST_COLUMNS}


def served_by(connection: Connection, run: str) -> tuple[str | None, str | None]:
    """Return the provider and the model that served a run last; None where there was none."""
    row = connection.execute(
        select(requests.c.provider, requests.c.model).where(requests.c.run == run)
    ).first()
    return (None, None) if row is None else (row.provider, row.model)


def add_usage(connection: Connection, record: RunRecord) -> None:
    if rows := usage_rows(record):
        connection.execute(_ADD_USAGE, rows)


def usage_rows(record: RunRecord) -> list[NewRow]:
    return [
        {
            "run": record.run,
            "position": position,
            "caller": record.caller,
            "agent": record.agent,
            "provider": one.provider,
            "model": one.model,
            "input_tokens": one.input_tokens,
            "output_tokens": one.output_tokens,
            "cached_tokens": one.cached_tokens,
            "cost": None if one.cost is None else int((one.cost / _PICO).to_integral_value(ROUND_HALF_EVEN)),
            "day": int(record.finished_at // _DAY_SECONDS),
            "finished_at": record.finished_at,
        }
        for position, one in enumerate(record.usage)
    ]


def summed(
    connection: Connection, by: UsageKey, since: float | None, until: float | None
) -> Sequence[UsageRow]:
    """Return the sums by ``by``, over what finished from ``since`` on and before ``until``."""
    key = usage.c[by]
    wanted = (
        select(
            key.label("group_key"),
            func.count(usage.c.run.distinct()).label("runs"),
            func.sum(usage.c.input_tokens).label("input_tokens"),
            func.sum(usage.c.output_tokens).label("output_tokens"),
            func.sum(usage.c.cached_tokens).label("cached_tokens"),
            func.sum(usage.c.cost).label("cost"),
            (func.count() - func.count(usage.c.cost)).label("unpriced"),
        )
        .group_by(key)
        .order_by(key)
    )
    if since is not None:
        wanted = wanted.where(usage.c.finished_at >= since)
    if until is not None:
        wanted = wanted.where(usage.c.finished_at < until)
    return [
        UsageRow(
            key=_day(row.group_key) if by == "day" else row.group_key,
            runs=row.runs,
            input_tokens=int(row.input_tokens),
            output_tokens=int(row.output_tokens),
            cached_tokens=int(row.cached_tokens),
            cost=Decimal(row.cost or 0) * _PICO,
            unpriced_calls=row.unpriced,
        )
        for row in connection.execute(wanted)
    ]


def _day(number: int) -> str:
    return datetime.fromtimestamp(number * _DAY_SECONDS, UTC).date().isoformat()
