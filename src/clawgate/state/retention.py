"""Finds what is older or larger than its limits, and deletes it.

Law: what reads much is apart from what deletes, and a deletion is of a few rows, so that no run waits for it. A session
that is used in between stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, ColumnElement, Connection, bindparam, delete, func, literal, or_, select

from clawgate.state.records import SessionSummary
from clawgate.state.tables import approvals, egress, idempotency, requests, sessions, tool_calls, turns, usage

BATCH = 200
"""Sessions or requests that one transaction deletes."""
EGRESS_ROWS = 100_000
"""Private connections that are kept, whatever their age: callers can cause them, and refusals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What is kept. Ages are in seconds, since the last run of a session or the end of a request.

    ``usage_age`` is that of private connections, too.
    """

    session_age: float
    session_turns: int
    session_bytes: int
    sessions_per_caller: int
    usage_age: float
    response_age: float
    response_bytes: int
    responses_per_caller: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How much was deleted."""

    sessions: int = 0
    turns: int = 0
    requests: int = 0
    idempotency_records: int = 0
    responses: int = 0
    connections: int = 0


@dataclass(frozen=True, slots=True)
class StaleSession:
    caller: str
    key: str
    updated_at: float


@dataclass(frozen=True, slots=True)
class LargeSession:
    """Its turns before ``first_kept`` go."""

    caller: str
    key: str
    first_kept: int


def stale_sessions(connection: Connection, keep: Retention, now: float) -> Sequence[StaleSession]:
    """Return some of those that are too old, or that their caller has too many of."""
    place = func.row_number().over(
        partition_by=sessions.c.caller, order_by=(sessions.c.updated_at.desc(), sessions.c.key)
    )
    ranked = select(sessions.c.caller, sessions.c.key, sessions.c.updated_at, place.label("place")).subquery()
    is_stale = or_(
        ranked.c.updated_at < now - keep.session_age, ranked.c.place > _big(keep.sessions_per_caller)
    )
    wanted = select(ranked.c.caller, ranked.c.key, ranked.c.updated_at).where(is_stale).limit(BATCH)
    return [StaleSession(*row) for row in connection.execute(wanted)]


def _big(number: int) -> ColumnElement[int]:
    return literal(number, BigInteger)  # a plain one is sent as a number of 32 bits


def delete_sessions(connection: Connection, stale: Sequence[StaleSession | SessionSummary]) -> int:
    """Return how many of them were deleted."""
    deleted = 0
    for one in stale:
        whole = delete(sessions).where(
            sessions.c.caller == one.caller,
            sessions.c.key == one.key,
            sessions.c.updated_at <= one.updated_at,
        )
        if connection.execute(whole).rowcount:
            deleted += 1
            for calls in (tool_calls, approvals):
                connection.execute(
                    delete(calls).where(calls.c.caller == one.caller, calls.c.session == one.key)
                )
    return deleted


def large_sessions(connection: Connection, keep: Retention) -> Sequence[LargeSession]:
    """Return some of those with too many turns or too large ones. The newest turn stays, whatever its size."""
    size = func.length(turns.c.message)
    wanted = (
        select(turns.c.caller, turns.c.session)
        .group_by(turns.c.caller, turns.c.session)
        .having(or_(func.count() > _big(keep.session_turns), func.sum(size) > _big(keep.session_bytes)))
        .having(func.count() > 1)
        .limit(BATCH)
    )
    return [
        LargeSession(caller, key, _first_kept(connection, caller, key, keep))
        for caller, key in connection.execute(wanted).all()
    ]


def _first_kept(connection: Connection, caller: str, key: str, keep: Retention) -> int:
    newest_first = (
        select(turns.c.seq, func.length(turns.c.message))
        .where(turns.c.caller == caller, turns.c.session == key)
        .order_by(turns.c.seq.desc())
        .limit(_big(keep.session_turns))
    )
    first, total = 0, 0
    for place, (seq, size) in enumerate(connection.execute(newest_first)):
        total += size
        if place and total > keep.session_bytes:
            break
        first = seq
    return first


def delete_turns(connection: Connection, large: Sequence[LargeSession]) -> int:
    deleted = 0
    for one in large:
        old = delete(turns).where(
            turns.c.caller == one.caller, turns.c.session == one.key, turns.c.seq < one.first_kept
        )
        deleted += connection.execute(old).rowcount
    return deleted


def delete_requests(connection: Connection, before: float) -> int:
    """Delete some of the requests that ended before ``before``, with their usage and tool calls."""
    found = connection.execute(select(requests.c.run).where(requests.c.finished_at < before).limit(BATCH))
    runs = [row.run for row in found]
    if runs:
        for table in (tool_calls, approvals, usage, requests):
            connection.execute(
                delete(table).where(table.c.run.in_(bindparam("runs", expanding=True))), {"runs": runs}
            )
    return len(runs)


def delete_expired(connection: Connection, now: float) -> int:
    """Delete some of the idempotency records that have expired."""
    found = connection.execute(
        select(idempotency.c.caller, idempotency.c.key).where(idempotency.c.expires_at < now).limit(BATCH)
    )
    rows = [{"caller_": caller, "key_": key} for caller, key in found]
    if rows:
        one = delete(idempotency).where(
            idempotency.c.caller == bindparam("caller_"),
            idempotency.c.key == bindparam("key_"),
            idempotency.c.expires_at < now,
        )
        connection.execute(one, rows)
    return len(rows)


def delete_connections(connection: Connection, before: float) -> int:
    """Delete some of the private connections that were opened before ``before``, or that are too many."""
    newest = select(egress.c.opened_at).order_by(egress.c.opened_at.desc())
    oldest_kept = connection.execute(newest.offset(EGRESS_ROWS - 1).limit(1)).scalar()
    before = before if oldest_kept is None else max(before, oldest_kept)
    found = connection.execute(select(egress.c.id).where(egress.c.opened_at < before).limit(BATCH))
    ids = [row.id for row in found]
    if ids:
        connection.execute(
            delete(egress).where(egress.c.id.in_(bindparam("ids", expanding=True))), {"ids": ids}
        )
    return len(ids)
