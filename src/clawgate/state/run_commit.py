"""Writes all that a run leaves, as one transaction: statement by statement on SQLite, one statement on PostgreSQL.

There each statement is a round trip, and BEGIN and COMMIT are two more. Law: both write the same rows, of the functions
that make them, and refuse the same runs; a run that was written changes nothing.
"""

from __future__ import annotations

import json

from sqlalchemy import Connection, Table, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from clawgate.state import approvals, idempotency, responses, sessions, usage
from clawgate.state.records import RunRecord
from clawgate.state.tables import approvals as approvals_table
from clawgate.state.tables import requests, tool_calls, turns
from clawgate.state.tables import responses as responses_table
from clawgate.state.tables import usage as usage_table


def commit(connection: Connection, record: RunRecord, owner: int = 0) -> None:
    """``owner`` is the store that ran it.

    Raises SessionConflict, and writes nothing, if the session or the idempotency record is another run's now.
    """
    if connection.dialect.name == "postgresql" and not record.begins_anew:
        _commit_at_once(connection, record, owner)
        return
    if not usage.add_request(connection, record):
        return
    if record.begins_anew:
        sessions.remove(connection, record.caller, record.session)
    if record.keeps_session:
        sessions.append(connection, record)
    usage.add_usage(connection, record)
    sessions.add_tool_calls(connection, record)
    approvals.add(connection, record)
    if record.idempotency is not None:
        idempotency.finish(connection, record, record.idempotency)
    if record.response is not None:
        row = responses.row_of(record, record.response, owner)
        responses.save(connection, row, begun=record.response.begun)


def _insert(table: Table) -> str:
    """Insert the rows of a JSON array, the parameter of the table's name."""
    names = ", ".join(column.name for column in table.columns)
    rows = f"json_populate_recordset(NULL::{table.name}, CAST(:{table.name} AS json))"
    return f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {rows}"  # noqa: S608 - names of ours


_AT_ONCE = text(
    f"""
    WITH moved AS (
        UPDATE sessions SET next_seq = :next, updated_at = :now, agent = :agent,
            model = CASE WHEN :sets_model THEN :model ELSE model END
        WHERE :keeps AND caller = :caller AND key = :session AND next_seq = :expected RETURNING 1
    ), created AS (
        INSERT INTO sessions (caller, key, agent, model, next_seq, created_at, updated_at)
        SELECT :caller, :session, :agent, :model, :next, :began, :now
        WHERE :keeps AND CAST(:expected AS integer) = 0 AND NOT EXISTS (SELECT FROM moved)
        ON CONFLICT DO NOTHING RETURNING 1
    ), replaced AS (
        UPDATE turns SET replaced_by = :expected
        WHERE caller = :caller AND session = :session AND replaced_by IS NULL AND seq >= CAST(:replaces AS integer)
    ), finished AS (
        UPDATE idempotency SET status = :status, content_type = :content_type, body = :body
        WHERE caller = :caller AND key = :key AND run = :run AND idempotency.status IS NULL RETURNING 1
    ), new_request AS ({_insert(requests)}), new_turns AS ({_insert(turns)}),
    new_usage AS ({_insert(usage_table)}), new_tool_calls AS ({_insert(tool_calls)}),
    new_approvals AS ({_insert(approvals_table)}),
    new_response AS ({_insert(responses_table)} ON CONFLICT DO NOTHING), ended_response AS (
        UPDATE responses SET session = ended.session, seq = ended.seq, status = ended.status, body = ended.body,
            turns = ended.turns
        FROM json_populate_recordset(NULL::responses, CAST(:ended AS json)) AS ended
        WHERE responses.caller = ended.caller AND responses.id = ended.id
            AND responses.status IN {responses.IN_PROGRESS}
    )
    SELECT CAST(CASE
        WHEN :keeps AND NOT EXISTS (SELECT FROM moved) AND NOT EXISTS (SELECT FROM created) THEN :lost_session
        WHEN :key IS NOT NULL AND NOT EXISTS (SELECT FROM finished) THEN :lost_key
    END AS integer)
    """  # noqa: S608 - as above
)
"""A text that is no integer is an error, which writes nothing."""
_LOST_SESSION = "clawgate: session"
_LOST_KEY = "clawgate: idempotency key"


def _commit_at_once(connection: Connection, record: RunRecord, owner: int) -> None:
    new = record.response
    rows = json.dumps([responses.row_of(record, new, owner)] if new is not None else [])
    has_begun = new is not None and new.begun
    result = record.idempotency
    values = {
        "caller": record.caller,
        "session": record.session,
        "agent": record.agent,
        "run": record.run,
        "keeps": record.keeps_session,
        "expected": record.expected_seq,
        "next": record.expected_seq + len(record.turns),
        "replaces": record.replaces_from if record.keeps_session else None,
        "began": record.started_at,
        "now": record.finished_at,
        "sets_model": record.session_model is not None,
        "model": record.session_model or None,
        "key": result.key if result is not None else None,
        "status": result.status if result is not None else None,
        "content_type": result.content_type if result is not None else None,
        "body": result.body if result is not None else None,
        "lost_session": _LOST_SESSION,
        "lost_key": _LOST_KEY,
        "requests": json.dumps([usage.request_row(record)]),
        "turns": json.dumps(sessions.turn_rows(record)),
        "usage": json.dumps(usage.usage_rows(record)),
        "tool_calls": json.dumps(sessions.tool_call_rows(record)),
        "approvals": json.dumps(approvals.rows_of(record)),
        "responses": "[]" if has_begun else rows,
        "ended": rows if has_begun else "[]",
    }
    try:
        connection.execute(_AT_ONCE, values)
    except DBAPIError as error:
        lost_session, lost_key = _LOST_SESSION in str(error.orig), _LOST_KEY in str(error.orig)
        if not (lost_session or lost_key or isinstance(error, IntegrityError)):
            raise
        if connection.execute(select(requests.c.run).where(requests.c.run == record.run)).first():
            return  # the connection was lost between the first commit and its confirmation
        if lost_session:
            raise sessions.changed(record) from None
        if result is not None and lost_key:
            raise idempotency.taken_over(result) from None
        raise
