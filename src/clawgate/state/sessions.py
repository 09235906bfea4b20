"""Reads and writes sessions, turns and tool calls. Every statement names the caller and the session's key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from clawgate.errors import SessionConflict
from clawgate.state import approvals
from clawgate.state.records import Extent, RunRecord, SessionSummary, StoredSession, StoredTurn
from clawgate.state.tables import NewRow, sessions, tool_calls, turns

_OF_SESSION = and_(sessions.c.caller == bindparam("caller_"), sessions.c.key == bindparam("key_"))

_TURNS_OF = and_(turns.c.caller == bindparam("caller_"), turns.c.session == bindparam("key_"))
_IS_CURRENT = turns.c.replaced_by.is_(None)
_OLDEST = select(turns.c.seq).where(_TURNS_OF).order_by(turns.c.seq).limit(1)
_BEGIN = case((_OLDEST.scalar_subquery() == 0, _OLDEST.where(_IS_CURRENT).scalar_subquery()))
"""The first turn of the conversation, NULL where older ones were deleted."""
_NEWEST = (
    select(
        turns.c.seq,
        turns.c.message,
        turns.c.status,
        turns.c.run,
        turns.c.created_at,
        turns.c.replaced_by,
        turns.c.run_key,
    )
    .where(_TURNS_OF, or_(_IS_CURRENT, bindparam("with_replaced", type_=Boolean)))
    .order_by(turns.c.seq.desc())
    .limit(bindparam("last"))
    .subquery()
)
_SIZE = func.length(_NEWEST.c.message)
_SIZED = select(
    _NEWEST, (func.sum(_SIZE).over(order_by=_NEWEST.c.seq.desc()) - _SIZE).label("newer")
).subquery()
"""``newer`` is the size of the turns behind each one."""
_SESSION = (
    select(
        sessions.c.agent,
        sessions.c.model,
        sessions.c.next_seq,
        sessions.c.created_at,
        sessions.c.updated_at,
        _BEGIN.label("begin"),
        _SIZED.c.seq,
        _SIZED.c.message,
        _SIZED.c.status,
        _SIZED.c.run,
        _SIZED.c.created_at.label("turn_at"),
        _SIZED.c.replaced_by,
        _SIZED.c.run_key,
    )
    .outerjoin(_SIZED, _SIZED.c.newer < bindparam("size", type_=BigInteger))
    .where(_OF_SESSION)
)
_IN_ORDER = _SESSION.order_by(_SIZED.c.seq)
_NUMBER = bindparam("number", type_=BigInteger)
LOCKED_SESSION = union_all(
    select(
        func.pg_try_advisory_lock(_NUMBER).label("is_held"),
        *(null().cast(column.type).label(column.name) for column in _SESSION.selected_columns),
    ).where(_NUMBER.is_not(None)),
    select(null(), _SESSION.subquery()),
).order_by("seq")
"""Takes the lock ``number`` of a session, or reads one: whether it is held, and the columns of `session_of`.

Each execution sees what was committed before it began. So the lock and the read are one round trip of two executions,
and as one execution the read might miss what another gateway committed just before it released the lock.
"""
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
_COUNT = select(func.count()).select_from(turns).where(_TURNS_OF, _IS_CURRENT)
_REPLACE = (
    update(turns)
    .where(_TURNS_OF, _IS_CURRENT, turns.c.seq >= bindparam("first"))
    .values(replaced_by=bindparam("by"))
)
_ADD_TOOL_CALLS = insert(tool_calls)
_DELETE = delete(sessions).where(_OF_SESSION)
_DELETE_TOOL_CALLS = delete(tool_calls).where(
    tool_calls.c.caller == bindparam("caller_"), tool_calls.c.session == bindparam("key_")
)


def values_of(caller: str, key: str, extent: Extent) -> dict[str, Any]:
    """Return the parameters of a query for a session."""
    size = {"last": max(extent.turns, 1), "size": max(extent.size, 1), "with_replaced": extent.with_replaced}
    return {"caller_": caller, "key_": key, **size}


def load(connection: Connection, caller: str, key: str, extent: Extent) -> StoredSession | None:
    return session_of(caller, key, connection.execute(_IN_ORDER, values_of(caller, key, extent)).all())


def session_of(caller: str, key: str, rows: Sequence[Sequence[Any]]) -> StoredSession | None:
    """``rows`` are those of `_IN_ORDER`."""
    if not rows:
        return None
    agent, model, next_seq, created_at, updated_at, begin, first, *_ = rows[0]
    return StoredSession(
        caller=caller,
        key=key,
        agent=agent,
        created_at=created_at,
        updated_at=updated_at,
        next_seq=next_seq,
        turns=tuple(_turns([row[6:] for row in rows if row[6] is not None])),
        is_whole=first == begin,
        model=model,
    )


def _turns(rows: Sequence[Sequence[Any]]) -> Iterator[StoredTurn]:
    messages = json.loads(
        f"[{','.join([row[1] for row in rows])}]"
    )  # once: a call for each takes twice as long
    for (seq, _, status, run, created_at, replaced_by, run_key), message in zip(rows, messages, strict=True):
        yield StoredTurn(
            seq=seq,
            message=message,
            status=status,
            run=run,
            created_at=created_at,
            replaced_by=replaced_by,
            run_key=run_key,
        )


def turn_count(connection: Connection, caller: str, key: str) -> int:
    return connection.execute(_COUNT, {"caller_": caller, "key_": key}).scalar_one()


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
        raise changed(record)
    if record.session_model is not None:
        connection.execute(_SET_MODEL, who | {"model_": record.session_model or None})
    if record.replaces_from is not None:
        connection.execute(_REPLACE, who | {"first": record.replaces_from, "by": record.expected_seq})
    if rows := turn_rows(record):
        connection.execute(_ADD_TURNS, rows)


def turn_rows(record: RunRecord) -> list[NewRow]:
    return [
        {
            "caller": record.caller,
            "session": record.session,
            "seq": record.expected_seq + position,
            "run": record.run,
            "status": turn.status,
            "message": json.dumps(turn.message),
            "created_at": record.finished_at,
            "run_key": record.key,
        }
        for position, turn in enumerate(record.turns if record.keeps_session else ())
    ]


def changed(record: RunRecord) -> SessionConflict:
    return SessionConflict(
        f"session {record.session!r}: another run changed it in the meantime; send the request again"
    )


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
    if rows := tool_call_rows(record):
        connection.execute(_ADD_TOOL_CALLS, rows)


def tool_call_rows(record: RunRecord) -> list[NewRow]:
    return [
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


def summaries(
    connection: Connection,
    *,
    caller: str | None,
    agent: str | None,
    named: str | None,
    limit: int,
    before: float | None,
) -> Sequence[SessionSummary]:
    """Return the sessions that were used last, those used before ``before`` only."""
    count = (
        select(func.count())
        .select_from(turns)
        .where(turns.c.caller == sessions.c.caller, turns.c.session == sessions.c.key, _IS_CURRENT)
        .scalar_subquery()
    )
    wanted = select(sessions, count.label("turns")).order_by(
        sessions.c.updated_at.desc(), sessions.c.caller, sessions.c.key
    )
    if caller is not None:
        wanted = wanted.where(sessions.c.caller == caller)
    if agent is not None:
        wanted = wanted.where(sessions.c.agent == agent)
    if named is not None:
        of_agent = literal("agent:") + sessions.c.agent + literal(f":{named}")
        wanted = wanted.where(or_(sessions.c.key == named, sessions.c.key == of_agent))
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
    approvals.remove_of(connection, caller, key)
    return connection.execute(_DELETE, who).rowcount == 1
