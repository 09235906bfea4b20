"""Stores the calls that wait for their caller's approval, what became of each, and its result.

Law: a call belongs to its caller, and is decided once: the first run that gets a decision owns it. A decision that is
repeated by that run, since the connection was lost, finds itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, and_, bindparam, delete, insert, or_, select, update

from clawgate.errors import ApprovalInvalid
from clawgate.state.records import RunRecord, StoredApproval
from clawgate.state.tables import NewRow, approvals, requests

_OF_CALL = and_(approvals.c.caller == bindparam("caller_"), approvals.c.id == bindparam("id_"))
_ADD = insert(approvals)
_FIND = (
    select(approvals, requests.c.status)
    .outerjoin(requests, requests.c.run == approvals.c.decided_by)
    .where(approvals.c.caller == bindparam("caller_"), approvals.c.id.in_(bindparam("ids", expanding=True)))
)
_DECIDE = (
    update(approvals)
    .where(_OF_CALL, or_(approvals.c.decided_by.is_(None), approvals.c.decided_by == bindparam("run_")))
    .values(decided_by=bindparam("run_"), result=bindparam("result_"))
)
_FINISH = (
    update(approvals)
    .where(_OF_CALL, approvals.c.decided_by == bindparam("run_"))
    .values(result=bindparam("result_"))
)
_OF_SESSION = delete(approvals).where(
    approvals.c.caller == bindparam("caller_"), approvals.c.session == bindparam("key_")
)


def add(connection: Connection, record: RunRecord) -> None:
    if rows := rows_of(record):
        connection.execute(_ADD, rows)


def rows_of(record: RunRecord) -> list[NewRow]:
    return [
        {
            "caller": record.caller,
            "id": one.id,
            "agent": record.agent,
            "session": one.session,
            "run": record.run,
            "name": json.dumps(one.name),
            "arguments": json.dumps(one.arguments),
            "definition": one.definition,
            "expires_at": one.expires_at,
        }
        for one in record.approvals
    ]


def load(connection: Connection, caller: str, ids: Sequence[str]) -> dict[str, StoredApproval]:
    """Return what is known of these calls, by their ids."""
    return {
        row.id: StoredApproval(
            id=row.id,
            name=json.loads(row.name),
            arguments=json.loads(row.arguments),
            definition=row.definition,
            session=row.session,
            expires_at=row.expires_at,
            agent=row.agent,
            decided_by=row.decided_by,
            result=json.loads(row.result) if row.result is not None else None,
            ended_as=row.status,
        )
        for row in connection.execute(_FIND, {"caller_": caller, "ids": list(ids)})
    }


def decide(connection: Connection, caller: str, decisions: Mapping[str, str | None], run: str) -> None:
    """Store that ``run`` got these decisions: the result of each call, None of one that is run now.

    Raises ApprovalInvalid, and writes nothing, if another run has decided one of them.
    """
    for call_id in sorted(decisions):  # in one order, so that two runs do not wait for each other
        values = {"caller_": caller, "id_": call_id, "run_": run, "result_": _json(decisions[call_id])}
        if connection.execute(_DECIDE, values).rowcount != 1:
            raise ApprovalInvalid(f"the call '{call_id}' was decided by another request in the meantime")


def finish(connection: Connection, caller: str, call_id: str, run: str, result: str) -> None:
    """Store the result of a call that ``run`` has run."""
    values = {"caller_": caller, "id_": call_id, "run_": run, "result_": _json(result)}
    connection.execute(_FINISH, values)


def remove_of(connection: Connection, caller: str, session: str) -> None:
    connection.execute(_OF_SESSION, {"caller_": caller, "key_": session})


def _json(text: str | None) -> str | None:
    return json.dumps(text) if text is not None else None
