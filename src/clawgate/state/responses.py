"""Reads and writes stored responses, and the history of each. Every statement names the caller.

Law: a response is never changed once its run has ended, and its history is that of its own chain, however many
responses continue it: one of a session points to a place in that session, any other one has its own turns and the
response before it. What is deleted can be read no more. Its turns stay where a later response was built on them, and
go with the last of these.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from clawgate.state.idempotency import lives
from clawgate.state.records import (
    Extent,
    NewResponse,
    ResponseHistory,
    RunRecord,
    StoredResponse,
    StoredTurn,
    TurnStatus,
)
from clawgate.state.retention import BATCH, Retention
from clawgate.state.tables import NewRow, responses, turns

IN_PROGRESS = ("queued", "in_progress")
DELETED, CANCELLED, FAILED = "deleted", "cancelled", "failed"
LOST = "lost"
"""In place of `IN_PROGRESS`: the gateway that ran it has ended."""

_OF_RESPONSE = and_(responses.c.caller == bindparam("caller_"), responses.c.id == bindparam("id_"))
_FIND = select(responses).where(_OF_RESPONSE, responses.c.status != DELETED)


_ENDED = ("session", "seq", "status", "body", "turns")
"""What the end of a run changes."""

_DIALECTS = {module.__name__.rpartition(".")[2]: module for module in (sqlite, postgresql)}
_BEGIN = {name: module.insert(responses).on_conflict_do_nothing() for name, module in _DIALECTS.items()}
_END = (
    update(responses)
    .where(_OF_RESPONSE, responses.c.status.in_(IN_PROGRESS))
    .values({name: bindparam(f"{name}_") for name in _ENDED})
)
_child = responses.alias("child")
_HAS_CHILD = exists().where(_child.c.caller == responses.c.caller, _child.c.parent == responses.c.id)
_EMPTY = update(responses).values(status=DELETED, body=None, input=None)
_EMPTY_ONE = _EMPTY.where(_OF_RESPONSE, responses.c.status != DELETED)
_DROP_LEAF = delete(responses).where(_OF_RESPONSE, responses.c.status == DELETED, ~_HAS_CHILD)
_SET_STATUS = (
    update(responses)
    .where(_OF_RESPONSE, responses.c.status.in_(bindparam("earlier", expanding=True)))
    .values(status=bindparam("status_"), body=bindparam("body_"))
)
_BEFORE = (
    select(turns.c.seq, turns.c.message, turns.c.status, turns.c.run, turns.c.created_at)
    .where(
        turns.c.caller == bindparam("caller_"),
        turns.c.session == bindparam("session_"),
        turns.c.seq < bindparam("seq_"),
        or_(
            turns.c.replaced_by.is_(None), turns.c.replaced_by >= bindparam("seq_")
        ),  # what replaced it came later
    )
    .order_by(turns.c.seq.desc())
    .limit(bindparam("last", type_=BigInteger))
)


def _chain() -> Any:
    """Select a response and those that it continues, the newest first, up to one that is part of a session."""
    names = ("id", "parent", "session", "seq", "turns", "created_at")
    columns = [responses.c[name] for name in names]
    newest = select(*columns, literal(0).label("depth")).where(_OF_RESPONSE).cte("chain", recursive=True)
    is_before = and_(responses.c.caller == bindparam("caller_"), responses.c.id == newest.c.parent)
    goes_on = and_(newest.c.session.is_(null()), newest.c.depth < bindparam("longest", type_=BigInteger))
    chain = newest.union_all(select(*columns, newest.c.depth + 1).where(is_before, goes_on))
    return select(chain).order_by(chain.c.depth)


_CHAIN = _chain()


def row_of(record: RunRecord, new: NewResponse, owner: int) -> NewRow:
    """Return the row of what a run leaves."""
    own = [turn.message for turn in record.turns] if not record.keeps_session else None
    return {
        "caller": record.caller,
        "id": record.run,
        "agent": record.agent,
        "session": record.session if record.keeps_session else None,
        "seq": record.expected_seq + len(record.turns) if record.keeps_session else None,
        "parent": new.parent,
        "status": new.status,
        "owner": owner,
        "created_at": record.started_at,
        "body": json.dumps(new.body),
        "input": json.dumps(new.input),
        "turns": json.dumps(own) if own is not None else None,
    }


def begin(connection: Connection, row: NewRow) -> None:
    """Write a response, unless it was written before."""
    connection.execute(_BEGIN[connection.dialect.name], row)


def save(connection: Connection, row: NewRow, *, begun: bool) -> None:
    """Write a response, or the end of one that has ``begun``: where that is gone it was deleted, and stays so."""
    if begun:
        changed = {f"{name}_": row[name] for name in ("caller", "id", *_ENDED)}
        connection.execute(_END, changed)
    else:
        begin(connection, row)


def load(connection: Connection, caller: str, name: str, owner: int) -> StoredResponse | None:
    """``owner`` is the store that reads."""
    row = connection.execute(_FIND, {"caller_": caller, "id_": name}).first()
    return _response(connection, row, owner) if row is not None else None


def _response(connection: Connection, row: Row[Any], owner: int) -> StoredResponse:
    is_lost = row.status in IN_PROGRESS and not lives(connection, row.owner, owner)
    return StoredResponse(
        id=row.id,
        agent=row.agent,
        session=row.session,
        seq=row.seq,
        status=LOST if is_lost else row.status,
        is_own=row.owner == owner,
        body=json.loads(row.body),
        input=json.loads(row.input),
    )


def history(
    connection: Connection, caller: str, name: str, extent: Extent, owner: int
) -> ResponseHistory | None:
    """Return a response with the turns up to its end, the latest ones as far as ``extent`` goes."""
    found = load(connection, caller, name, owner)
    if found is None:
        return None
    who = {"caller_": caller, "id_": name, "longest": extent.turns}
    newest_first: list[tuple[int, StoredTurn]] = []
    for row in connection.execute(_CHAIN, who):
        if row.session is not None:
            before = {"caller_": caller, "session_": row.session, "seq_": row.seq, "last": extent.turns}
            newest_first += [
                (len(turn.message), _turn(turn.seq, turn.message, turn.status, turn.run, turn.created_at))
                for turn in connection.execute(_BEFORE, before)
            ]
            break
        own = json.loads(row.turns or "[]")
        size = len(row.turns or "") // (len(own) or 1)
        newest_first += [
            (
                size,
                StoredTurn(seq=0, message=message, status="complete", run=row.id, created_at=row.created_at),
            )
            for message in reversed(own)
        ]
    kept = _within(newest_first, extent)
    return ResponseHistory(
        response=found, turns=tuple(reversed(kept)), is_whole=len(kept) == len(newest_first)
    )


def _turn(seq: int, message: str, status: TurnStatus, run: str, created_at: float) -> StoredTurn:
    return StoredTurn(seq=seq, message=json.loads(message), status=status, run=run, created_at=created_at)


def _within(newest_first: Sequence[tuple[int, StoredTurn]], extent: Extent) -> list[StoredTurn]:
    kept: list[StoredTurn] = []
    total = 0
    for size, turn in newest_first[: extent.turns]:
        if kept and total >= extent.size:
            break
        total += size
        kept.append(turn)
    return kept


def set_status(connection: Connection, caller: str, name: str, status: str, body: Any) -> None:
    """A run that was cancelled ends as failed, here or at another gateway: its caller's word counts, also in front."""
    earlier = (*IN_PROGRESS, FAILED) if status == CANCELLED else IN_PROGRESS
    values = {
        "caller_": caller,
        "id_": name,
        "earlier": earlier,
        "status_": status,
        "body_": json.dumps(body),
    }
    connection.execute(_SET_STATUS, values)


def remove(connection: Connection, caller: str, name: str) -> bool:
    """Delete a response, and what was kept for it alone; return whether there was one."""
    who: dict[str, object] = {"caller_": caller, "id_": name}
    if connection.execute(_EMPTY_ONE, who).rowcount != 1:
        return False
    while who["id_"] is not None:
        parent = connection.execute(select(responses.c.parent).where(_OF_RESPONSE), who).scalar()
        if connection.execute(_DROP_LEAF, who).rowcount != 1:
            break
        who["id_"] = parent
    return True


def _big(number: int) -> ColumnElement[int]:
    return literal(number, BigInteger)  # a plain one is sent as a number of 32 bits


def stale(connection: Connection, keep: Retention, now: float) -> Sequence[tuple[str, str]]:
    """Return caller and id of some of those that are too old, or that their caller has too many or too large of."""
    length = sum(
        (func.coalesce(func.length(responses.c[name]), 0) for name in ("body", "input", "turns")), literal(0)
    )
    of_caller, newest = responses.c.caller, (responses.c.created_at.desc(), responses.c.id)
    ranked = (
        select(
            responses.c.caller,
            responses.c.id,
            responses.c.created_at,
            func.row_number().over(partition_by=of_caller, order_by=newest).label("place"),
            func.sum(length).over(partition_by=of_caller, order_by=newest).label("total"),
        )
        .where(responses.c.status != DELETED)
        .subquery()
    )
    is_stale = or_(
        ranked.c.created_at < now - keep.response_age,
        ranked.c.place > _big(keep.responses_per_caller),
        ranked.c.total > _big(keep.response_bytes),
    )
    wanted = select(ranked.c.caller, ranked.c.id).where(is_stale).limit(BATCH)
    return [(caller, name) for caller, name in connection.execute(wanted)]


def remove_all(connection: Connection, names: Sequence[tuple[str, str]]) -> int:
    return sum(remove(connection, caller, name) for caller, name in names)
