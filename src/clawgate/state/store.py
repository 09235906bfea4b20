"""Keeps sessions, usage, requests and idempotency records: the one door to the state, for agents and commands.

Law: what one run leaves is written in one transaction, and `commit` returns when it is on the disk. A session belongs
to (caller, key): for any other caller it does not exist.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select, text

from clawgate.errors import InvalidRequest, StoreUnavailable
from clawgate.policy.egress_ledger import LedgerQuery, LedgerRow
from clawgate.state import approvals, egress, idempotency, responses, retention, sessions, usage
from clawgate.state.database import Database, open_database
from clawgate.state.locks import SessionLocks, SharedLocks
from clawgate.state.records import (
    Begun,
    Extent,
    Finished,
    ResponseHistory,
    Running,
    RunRecord,
    SessionSummary,
    StoredApproval,
    StoredResponse,
    StoredSession,
    UsageKey,
    UsageRow,
)
from clawgate.state.retention import BATCH, Pruned, Retention
from clawgate.state.run_commit import commit

_ONE = select(text("1"))
_PROBE = "probe"
_WHOLE = Extent()
MAX_KEY_BYTES = 1000
"""An index of PostgreSQL takes about 2700 bytes, for a caller and a key."""
_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
"""PostgreSQL has no NUL in a text, and UTF-8 no lone surrogate."""


class Store:
    """Every method raises StoreUnavailable, within a bounded time, if the database cannot be used now."""

    def __init__(self, database: Database, *, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self.locks = SessionLocks(database.locks)
        self._is_doubtful = False
        """Whether the last run could not be stored."""

    @property
    def name(self) -> str:
        return self._database.name

    @property
    def shared(self) -> SharedLocks | None:
        """What this gateway has in common with others, where the database may have several."""
        return self._database.locks

    async def session(self, caller: str, key: str, extent: Extent = _WHOLE) -> StoredSession | None:
        _check_texts(caller, key)
        return await self._database.read(sessions.load, caller, key, extent)

    @contextlib.asynccontextmanager
    async def hold(
        self, caller: str, key: str, wait_seconds: float, extent: Extent = _WHOLE
    ) -> AsyncIterator[StoredSession | None]:
        """Hold the session for one run, as `SessionLocks.hold` does; yield what `session` returns of it then."""
        _check_texts(caller, key)
        async with self.locks.hold(caller, key, wait_seconds, extent) as rows:
            if rows is None:
                yield await self.session(caller, key, extent)
            else:
                yield sessions.session_of(caller, key, rows)

    async def commit(self, record: RunRecord) -> None:
        """Write what a run leaves; a run that was written changes nothing.

        Raises SessionConflict, and writes nothing, if ``expected_seq`` is not the session's next one.
        """
        _check_texts(record.caller, record.session, record.idempotency.key if record.idempotency else "")
        try:
            write = self._database.write if record.begins_anew else self._database.write_one
            await write(commit, record, self._database.owner)
        except StoreUnavailable:
            self._is_doubtful = True
            raise
        self._is_doubtful = False

    async def ready(self) -> None:
        """Make sure that a run can be stored before its models are paid for, where the last one could not be."""
        if self._is_doubtful:
            await self.begin_idempotent("", _PROBE, "", _PROBE)
            await self.abandon_idempotent("", _PROBE, _PROBE)
            self._is_doubtful = False

    async def sessions(
        self,
        *,
        caller: str | None = None,
        agent: str | None = None,
        named: str | None = None,
        limit: int = 100,
        before: float | None = None,
    ) -> Sequence[SessionSummary]:
        """Return the sessions that were used last; ``before`` is the ``updated_at`` to go on from.

        ``named`` is a key, or one without what all keys of its agent begin with.
        """
        if named is not None and _NOT_STORABLE.search(named):
            return ()
        return await self._database.read(
            sessions.summaries, caller=caller, agent=agent, named=named, limit=limit, before=before
        )

    async def turn_count(self, caller: str, key: str) -> int:
        """Return how many turns the conversation of a session has."""
        _check_texts(caller, key)
        return await self._database.read(sessions.turn_count, caller, key)

    async def delete_session(self, caller: str, key: str) -> bool:
        """Return whether there was one."""
        _check_texts(caller, key)
        return await self._database.write(sessions.remove, caller, key)

    async def delete_unused(self, stale: Sequence[SessionSummary]) -> int:
        """Delete those of ``stale`` that were not used since; return how many."""
        batches = (stale[begin : begin + BATCH] for begin in range(0, len(stale), BATCH))
        return sum([await self._database.write(retention.delete_sessions, batch) for batch in batches])

    async def served_by(self, run: str) -> tuple[str | None, str | None]:
        """Return the provider and the model that served a run last; None where there was none."""
        return await self._database.read(usage.served_by, run)

    async def usage(
        self, by: UsageKey, since: float | None = None, until: float | None = None
    ) -> Sequence[UsageRow]:
        return await self._database.read(usage.summed, by, since, until)

    async def begin_idempotent(
        self, caller: str, key: str, body_hash: str, run: str
    ) -> Begun | Running | Finished:
        """Raises IdempotencyMismatch if the key was used with another body."""
        _check_texts(caller, key)
        if self._database.locks is not None:
            await self._database.locks.announce_owner()
        database, now = self._database, self._clock()
        new = caller, key, body_hash, run
        if await database.write_one(idempotency.create, *new, owner=database.owner, now=now):
            return Begun()
        return await database.write(idempotency.begin, *new, owner=database.owner, now=now)

    async def abandon_idempotent(self, caller: str, key: str, run: str) -> None:
        """Forget a request that produced nothing to repeat, so that the next one with its key is new."""
        _check_texts(caller, key)
        await self._database.write_one(idempotency.abandon, caller, key, run)

    async def approvals(self, caller: str, ids: Sequence[str]) -> Mapping[str, StoredApproval]:
        """Return what is known of calls of ``caller`` that needed approval, by their ids."""
        return await self._database.read(approvals.load, caller, ids)

    async def decide(self, caller: str, decisions: Mapping[str, str | None], run: str) -> None:
        """Store that ``run`` got these decisions, as `approvals.decide` does; raises ApprovalInvalid as it does."""
        await self._database.write(approvals.decide, caller, decisions, run)

    async def finish_call(self, caller: str, call_id: str, run: str, result: str) -> None:
        """Store the result of a call that was approved."""
        await self._database.write(approvals.finish, caller, call_id, run, result)

    async def begin_response(self, record: RunRecord) -> None:
        """Write the response of a run that has begun, or one without a run; one that was written is not changed."""
        assert record.response is not None
        _check_texts(record.caller, record.session, record.response.parent or "")
        if self._database.locks is not None:
            await self._database.locks.announce_owner()
        row = responses.row_of(record, record.response, self._database.owner)
        await self._database.write(responses.begin, row)

    async def response(self, caller: str, name: str) -> StoredResponse | None:
        _check_texts(caller, name)
        return await self._database.read(responses.load, caller, name, self._database.owner)

    async def history(self, caller: str, name: str, extent: Extent = _WHOLE) -> ResponseHistory | None:
        """Return a response with the turns that lead to its end, the latest ones as far as ``extent`` goes."""
        _check_texts(caller, name)
        return await self._database.read(responses.history, caller, name, extent, self._database.owner)

    async def end_response(self, caller: str, name: str, status: str, body: dict[str, Any]) -> None:
        """Change what is stored of a response whose run has ended otherwise than with a result."""
        await self._database.write(responses.set_status, caller, name, status, body)

    async def delete_response(self, caller: str, name: str) -> bool:
        """Delete it and what would repeat it; return whether there was one."""
        _check_texts(caller, name)
        return await self._database.write(_delete_response, caller, name)

    async def save_connections(self, rows: Sequence[LedgerRow]) -> None:
        """Write private connections, and those that have changed once more."""
        await self._database.write(egress.save, rows)

    async def connections(self, query: LedgerQuery) -> Sequence[LedgerRow]:
        """Return private connections, newest first."""
        return await self._database.read(egress.find, query)

    async def prune(self, keep: Retention) -> Pruned:
        """Delete what is older or larger than ``keep``, while runs go on writing."""
        database, now = self._database, self._clock()
        sessions_ = turns = requests = expired = connections = 0
        while stale := await database.read(retention.stale_sessions, keep, now):
            sessions_ += (count := await database.write(retention.delete_sessions, stale))
            if not count:
                break  # each one was used in between
        while large := await database.read(retention.large_sessions, keep):
            turns += await database.write(retention.delete_turns, large)
        while count := await database.write(retention.delete_requests, now - keep.usage_age):
            requests += count
        while count := await database.write(retention.delete_expired, now):
            expired += count
        deleted = 0
        while old := await database.read(responses.stale, keep, now):
            deleted += await database.write(responses.remove_all, old)
        while count := await database.write(retention.delete_connections, now - keep.usage_age):
            connections += count
        return Pruned(
            sessions=sessions_,
            turns=turns,
            requests=requests,
            idempotency_records=expired,
            responses=deleted,
            connections=connections,
        )

    async def check(self) -> None:
        await self._database.read(_ping)

    async def close(self) -> None:
        await self._database.close()


async def open_store(url: str | Path, *, clock: Callable[[], float], may_quarantine: bool = True) -> Store:
    """Open the database of a path or URL, which is created or migrated if it has to be.

    ``may_quarantine``: an unusable SQLite file is renamed and a new one begun, which a gateway does and a command not.
    Raises StoreUnavailable if it cannot be used.
    """
    return Store(await open_database(url, may_quarantine=may_quarantine), clock=clock)


def _delete_response(connection: Connection, caller: str, name: str) -> bool:
    was_there = responses.remove(connection, caller, name)
    if was_there:
        idempotency.forget_run(connection, caller, name)
    return was_there


def _ping(connection: Connection) -> None:
    connection.execute(_ONE)


def _check_texts(*texts: str) -> None:
    if any(len(one.encode("utf-8", "replace")) > MAX_KEY_BYTES for one in texts):
        raise InvalidRequest(
            f"session or idempotency key: it is longer than {MAX_KEY_BYTES} bytes; use a shorter one"
        )
    if any(map(_NOT_STORABLE.search, texts)):
        raise InvalidRequest(
            "session or idempotency key: it has a NUL or a lone surrogate; use whole characters"
        )
