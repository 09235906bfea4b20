"""Decides whether a request with an Idempotency-Key is new, in progress or served, in one row for (caller, key).

A row in progress whose owner has died is taken over. On PostgreSQL an owner lives as long as its advisory lock is held
(see `locks`); on SQLite every owner but the present one is of an earlier process.
"""

from __future__ import annotations

from sqlalchemy import Connection, and_, bindparam, delete, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from clawgate.errors import IdempotencyMismatch, SessionConflict
from clawgate.state.records import Begun, Finished, IdempotencyResult, Running, RunRecord
from clawgate.state.tables import idempotency

LIFE_SECONDS = 24 * 60 * 60.0

_OF_KEY = and_(idempotency.c.caller == bindparam("caller_"), idempotency.c.key == bindparam("key_"))
_CREATE = {
    module.__name__.rpartition(".")[2]: module.insert(idempotency).on_conflict_do_nothing()
    for module in (sqlite, postgresql)
}
_FIND = select(idempotency).where(_OF_KEY).with_for_update()
_REPLACE = (
    update(idempotency)
    .where(_OF_KEY)
    .values(
        body_hash=bindparam("body_hash_"),
        run=bindparam("run_"),
        owner=bindparam("owner_"),
        expires_at=bindparam("expires_at_"),
        status=None,
        content_type=None,
        body=None,
    )
)
_IN_PROGRESS = and_(_OF_KEY, idempotency.c.run == bindparam("run_"), idempotency.c.status.is_(None))
_FINISH = (
    update(idempotency)
    .where(_IN_PROGRESS)
    .values(status=bindparam("status_"), content_type=bindparam("content_type_"), body=bindparam("body_"))
)
_ABANDON = delete(idempotency).where(_IN_PROGRESS)
_OWNER_LIVES = text("SELECT NOT pg_try_advisory_xact_lock(:owner)")


def create(
    connection: Connection, caller: str, key: str, body_hash: str, run: str, *, owner: int, now: float
) -> bool:
    """Return whether the key is new."""
    row = {
        "caller": caller,
        "key": key,
        "body_hash": body_hash,
        "run": run,
        "owner": owner,
        "expires_at": now + LIFE_SECONDS,
    }
    return connection.execute(_CREATE[connection.dialect.name], row).rowcount == 1


def begin(
    connection: Connection, caller: str, key: str, body_hash: str, run: str, *, owner: int, now: float
) -> Begun | Running | Finished:
    """Raises IdempotencyMismatch if the key was used with another body."""
    found = None
    while found is None:  # it may be abandoned between the two statements
        if create(connection, caller, key, body_hash, run, owner=owner, now=now):
            return Begun()
        found = connection.execute(_FIND, {"caller_": caller, "key_": key}).first()
    in_progress = found.status is None
    if found.expires_at > now and not (in_progress and not lives(connection, found.owner, owner)):
        if found.body_hash != body_hash:
            raise IdempotencyMismatch(
                f"Idempotency-Key {key!r}: it was used with another request; use a new key for each request"
            )
        if in_progress:  # a begin that is repeated, since the connection was lost, finds itself
            return Running(found.run, found.owner == owner) if found.run != run else Begun()
        result = IdempotencyResult(
            key=key, status=found.status, content_type=found.content_type, body=found.body
        )
        return Finished(result, found.run)
    values = {
        "caller_": caller,
        "key_": key,
        "body_hash_": body_hash,
        "run_": run,
        "owner_": owner,
        "expires_at_": now + LIFE_SECONDS,
    }
    connection.execute(_REPLACE, values)
    return Begun()


def lives(connection: Connection, owner: int, own: int) -> bool:
    """Whether the process of ``owner`` still runs; ``own`` is the one that reads."""
    if owner == own:
        return True
    if connection.dialect.name != "postgresql":
        return False
    return bool(connection.execute(_OWNER_LIVES, {"owner": owner}).scalar())


def finish(connection: Connection, record: RunRecord, result: IdempotencyResult) -> None:
    """Raises SessionConflict if another gateway has taken the request over."""
    values = {
        "caller_": record.caller,
        "key_": result.key,
        "run_": record.run,
        "status_": result.status,
        "content_type_": result.content_type,
        "body_": result.body,
    }
    if connection.execute(_FINISH, values).rowcount != 1:
        raise taken_over(result)


def taken_over(result: IdempotencyResult) -> SessionConflict:
    return SessionConflict(
        f"Idempotency-Key {result.key!r}: another gateway took the request over; send it again"
    )


def forget_run(connection: Connection, caller: str, run: str) -> None:
    """Forget the request that a run was for, with its response."""
    of_run = and_(idempotency.c.caller == caller, idempotency.c.run == run)
    connection.execute(delete(idempotency).where(of_run))


def abandon(connection: Connection, caller: str, key: str, run: str) -> None:
    """Forget a request that produced nothing to repeat, so that the next one with its key is new."""
    connection.execute(_ABANDON, {"caller_": caller, "key_": key, "run_": run})
