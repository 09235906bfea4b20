"""Reads and writes sessions, turns and tool calls. Every statement names the caller and the session's key."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from clawgate.errors import SessionConflict
from clawgate.state.records import RunRecord, SessionSummary, StoredSession, StoredTurn
from clawgate.state.tables import sessions, tool_calls, turns

_OF_SESSION = and_(sessions.c.caller == bindparam("caller_"), sessions.c.key == bindparam("key_"))

_SESSION = (
    select(
        sessions,
        turns.c.seq,
        turns.c.message,
        turns.c.status,
        turns.c.run,
        turns.c.created_at.label("turn_at"),
    )
    .outerjoin(turns, and_(turns.c.caller == sessions.c.caller, turns.c.session == sessions.c.key))
    .where(_OF_SESSION)
    .order_by(turns.c.seq.desc())
)
_SESSION_WITH_LAST = _SESSION.limit(bindparam("last"))
_ADVANCE = (
    update(sessions)
    .where(_OF_SESSION, sessions.c.next_seq == bindparam("expected"))
    .values(next_seq=bindparam("next"), updated_at=bindparam("now"), agent=bindparam("agent_"))
)
_CREATE = {
    module.__name__.rpartition(".")[2]: module.insert(sessions).on_conflict_do_nothing()
    for module in (sqlite, postgresql)
}
_SET_MODEL = update(sessions).where(_OF_SESSION).values(model=bindparam("model_"))
_ADD_TURNS = insert(turns)
_ADD_TOOL_CALLS = insert(tool_calls)
_DELETE = delete(sessions).where(_OF_SESSION)
_DELETE_TOOL_CALLS = delete(tool_calls).where(
    tool_calls.c.caller == bindparam("caller_"), tool_calls.c.session == bindparam("key_")
)


def load(connection: Connection, caller: str, key: str, last: int | None = None) -> StoredSession | None:
    who = {"caller_": caller, "key_": key}
    if last is None:
        rows = connection.execute(_SESSION, who).all()
    else:
        rows = connection.execute(_SESSION_WITH_LAST, who | {"last": max(last, 1)}).all()
    if not rows:
        return None
    first = rows[0]
    return StoredSession(
        caller=first.caller,
        key=first.key,
        agent=first.agent,
        created_at=first.created_at,
        updated_at=first.updated_at,
        next_seq=first.next_seq,
        turns=tuple(_turn(row) for row in reversed(rows) if row.seq is not None),
        model=first.model,
    )


def _turn(row: Row[Any]) -> StoredTurn:
    return StoredTurn(
        seq=row.seq, message=json.loads(row.message), status=row.status, run=row.run, created_at=row.turn_at
    )


def append(connection: Connection, record: RunRecord) -> None:
    """Add the turns of a run. Raises SessionConflict if the session is not where the run began."""
    who = {"caller_": record.caller, "key_": record.session}
    moved = {
        "expected": record.expected_seq,
        "next": record.expected_seq + len(record.turns),
        "now": record.finished_at,
        "agent_": record.agent,
    }
    if not connection.execute(_ADVANCE, who | moved).rowcount and not _create(connection, record):
        raise SessionConflict(
            f"session {record.session!r}: another run changed it in the meantime; send the request again"
        )
    if record.session_model is not None:
        connection.execute(_SET_MODEL, who | {"model_": record.session_model or None})
    if record.turns:
        rows = [
            {
                "caller": record.caller,
                "session": record.session,
                "seq": record.expected_seq + position,
                "run": record.run,
                "status": turn.status,
                "message": json.dumps(turn.message),
                "created_at": record.finished_at,
            }
            for position, turn in enumerate(record.turns)
        ]
        connection.execute(_ADD_TURNS, rows)


def _create(connection: Connection, record: RunRecord) -> bool:
    if record.expected_seq != 0:
        return False
    row = {
        "caller": record.caller,
        "key": record.session,
        "agent": record.agent,
        "next_seq": len(record.turns),
        "created_at": record.started_at,
        "updated_at": record.finished_at,
    }
    return connection.execute(_CREATE[connection.dialect.name], row).rowcount == 1


def add_tool_calls(connection: Connection, record: RunRecord) -> None:
    rows = [
        {
            "run": record.run,
            "position": position,
            "caller": record.caller,
            "session": record.session,
            "id": json.dumps(call.id),
            "name": json.dumps(call.name),
            "arguments": json.dumps(call.arguments),
            "result": json.dumps(call.result),
            "status": call.status,
            "started_at": call.started_at,
            "seconds": call.seconds,
        }
        for position, call in enumerate(record.tool_calls)
    ]
    connection.execute(_ADD_TOOL_CALLS, rows)


def summaries(
    connection: Connection, *, caller: str | None, agent: str | None, limit: int, before: float | None
) -> Sequence[SessionSummary]:
    """Return the sessions that were used last, those used before ``before`` only."""
    count = (
        select(func.count())
        .select_from(turns)
        .where(turns.c.caller == sessions.c.caller, turns.c.session == sessions.c.key)
        .scalar_subquery()
    )
    wanted = select(sessions, count.label("turns")).order_by(
        sessions.c.updated_at.desc(), sessions.c.caller, sessions.c.key
    )
    if caller is not None:
        wanted = wanted.where(sessions.c.caller == caller)
    if agent is not None:
        wanted = wanted.where(sessions.c.agent == agent)
    if before is not None:
        wanted = wanted.where(sessions.c.updated_at < before)
    return [
        SessionSummary(
            caller=row.caller,
            key=row.key,
            agent=row.agent,
            created_at=row.created_at,
            updated_at=row.updated_at,
            turns=row.turns,
            model=row.model,
        )
        for row in connection.execute(wanted.limit(limit))
    ]


def remove(connection: Connection, caller: str, key: str) -> bool:
    """Delete a session with its turns and tool calls; return whether there was one."""
    who = {"caller_": caller, "key_": key}
    connection.execute(_DELETE_TOOL_CALLS, who)
    return connection.execute(_DELETE, who).rowcount == 1
