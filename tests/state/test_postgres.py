from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from clawgate.errors import SessionConflict, StoreUnavailable
from clawgate.state import migrate, postgres
from clawgate.state.postgres import name_of
from clawgate.state.records import Begun, Running
from clawgate.state.store import Store, open_store
from tests.ports import free_port
from tests.state.postgres_server import PASSWORD, PostgresServer
from tests.state.runs import Clock, run

END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()"
)


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.clean_database()


@pytest.fixture
async def shared(url: str) -> AsyncIterator[Store]:
    store = await open_store(url, clock=Clock())
    yield store
    await store.close()


def database_of(url: str) -> str:
    return url.rpartition("/")[2]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (
            "postgresql://ann:s3cret@db.example:5433/clawgate?password=s3cret",
            "postgresql://db.example:5433/clawgate",
        ),
        ("postgres://ann@h/d", "postgresql://h/d"),
        ("postgresql:///d?host=/tmp", "postgresql:///d"),
    ],
)
def test_the_name_of_a_database_has_nothing_secret(url: str, name: str) -> None:
    assert name_of(url) == name


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3/cret@h/d",
        "postgresql://ann:s3cret@h:99999999/d",
        "postgresql://ann:s3@cret[@h/d",
        "postgresql://ann:s3cret@h/d?sslmode=s3cret",
        "postgresql://ann:s3cret@/d?port=s3cret",
    ],
)
async def test_a_url_that_cannot_be_read_is_refused_without_printing_it(url: str) -> None:
    with pytest.raises(StoreUnavailable, match=r"%XX|sslmode") as caught:
        await open_store(url, clock=Clock())
    assert "s3" not in str(caught.value) and "cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda url: url.replace(PASSWORD, "wrong-canary"), "password authentication failed"),
        (lambda url: url.rpartition("/")[0] + "/nowhere", '"nowhere" does not exist'),
        (lambda url: f"postgresql://ann:{PASSWORD}@127.0.0.1:{free_port()}/d", "(?i)connect"),
    ],
)
async def test_a_database_that_lets_nobody_in_is_an_error_with_its_reason(
    url: str, change: Callable[[str], str], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(StoreUnavailable, match=reason) as caught:
        await open_store(change(url), clock=Clock())
    assert "canary" not in str(caught.value) + caplog.text


async def test_without_asyncpg_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(StoreUnavailable, match=r"asyncpg is not installed; .*clawgate\[postgres\]"):
        await open_store("postgresql://h/d", clock=Clock())


async def test_a_server_that_never_speaks_is_an_error_in_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgres, "CONNECT_SECONDS", 0.1)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(StoreUnavailable, match="no response"),
    ):
        await open_store(f"postgresql://ann@127.0.0.1:{silent.getsockname()[1]}/d", clock=Clock())


async def every_call(store: Store) -> list[BaseException | None]:
    async def hold() -> None:
        async with store.locks.hold("ann", "other", 1):
            pass

    calls = [
        store.check(),
        store.session("ann", "s"),
        store.commit(run("r-gone", session="gone")),
        store.sessions(),
        store.usage("agent"),
        store.begin_idempotent("ann", "k", "hash", "r"),
        store.delete_session("ann", "s"),
        hold(),
    ]
    results = await asyncio.gather(*calls, return_exceptions=True)
    return [one if isinstance(one, BaseException) else None for one in results]


async def test_while_the_server_is_gone_every_call_says_so_and_it_recovers_without_a_restart(
    postgres: PostgresServer, url: str, shared: Store
) -> None:
    await shared.commit(run())
    async with shared.locks.hold("ann", "s", 1):
        await asyncio.to_thread(postgres.stop)
        try:
            began_at = time.monotonic()
            errors = await every_call(shared)
            assert time.monotonic() - began_at < postgres_bound()
        finally:
            await asyncio.to_thread(postgres.start)
    assert [type(error) for error in errors] == [StoreUnavailable] * 8
    for error in errors:
        assert isinstance(error, StoreUnavailable) and "check that PostgreSQL runs" in error.message
        assert PASSWORD not in error.message and error.retry_after
    assert await every_call(shared) == [None] * 8
    assert await shared.session("ann", "s") is None, "the last of the calls before has deleted it"


def postgres_bound() -> float:
    return postgres.CALL_SECONDS + postgres.CONNECT_SECONDS


async def test_connections_that_the_server_ended_are_replaced_without_an_error(
    postgres: PostgresServer, url: str, shared: Store
) -> None:
    await asyncio.gather(*(shared.commit(run(f"r{n}", session=f"s{n}")) for n in range(5)))
    for number in range(2):
        postgres.execute(END_OTHERS.format(database_of(url)))
        await shared.commit(run(f"again{number}", session=f"again{number}"))
        postgres.execute(END_OTHERS.format(database_of(url)))
        assert await shared.session("ann", f"again{number}") is not None


async def test_a_begin_whose_confirmation_was_lost_finds_itself(shared: Store) -> None:
    assert await shared.begin_idempotent("ann", "k", "hash", "r1") == Begun()
    assert await shared.begin_idempotent("ann", "k", "hash", "r1") == Begun()
    assert await shared.begin_idempotent("ann", "k", "hash", "r2") == Running("r1", is_own=True)


async def test_gateways_share_sessions_and_find_out_about_each_other(url: str, shared: Store) -> None:
    other = await open_store(url, clock=Clock())
    await shared.commit(run("r1"))
    with pytest.raises(SessionConflict):
        await other.commit(run("r2"))
    await other.commit(run("r3", expected_seq=1))
    session = await shared.session("ann", "s")
    assert session is not None and [turn.run for turn in session.turns] == ["r1", "r3"]
    assert await shared.begin_idempotent("ann", "k", "hash", "r4") == Begun()
    assert await other.begin_idempotent("ann", "k", "hash", "r5") == Running("r4")
    await other.close()


async def test_gateways_that_start_at_once_migrate_once(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    stores = await asyncio.gather(*(open_store(url, clock=Clock()) for _ in range(4)))
    for store in stores:
        assert await store._database.read(migrate.version_of) == migrate.HEAD
        await store.close()


async def test_work_that_takes_too_long_is_ended(shared: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(connection: Connection) -> None:
        connection.execute(text("SELECT pg_sleep(60)"))

    monkeypatch.setattr(postgres, "CALL_SECONDS", 0.2)
    with pytest.raises(StoreUnavailable, match=r"no response within 0\.2 s"):
        await shared._database.write(sleep)
    monkeypatch.undo()
    await shared.check()


@pytest.mark.parametrize(
    "statement", ["WITH moved", "DELETE FROM tool_calls", "DELETE FROM sessions", "COMMIT"]
)
async def test_writes_that_are_cancelled_write_nothing_and_leave_their_connections_free(
    shared: Store, statement: str
) -> None:
    """More of them than there are connections."""
    database = shared._database
    assert isinstance(database, postgres.PostgresDatabase)
    engine = database._engine.sync_engine
    cancelled: list[asyncio.Task[Any]] = []
    sessions = [f"s{number}" for number in range(postgres.MAX_CONNECTIONS + 1)]
    is_commit = statement == "WITH moved"
    for session in () if is_commit else sessions:
        await shared.commit(run(session, session=session))

    def cancel(*arguments: Any) -> None:
        if statement == "COMMIT" or arguments[2].strip().startswith(statement):
            cancelled[-1].cancel()

    name = "commit" if statement == "COMMIT" else "before_cursor_execute"
    event.listen(engine, name, cancel)
    for session in sessions:
        work: Coroutine[Any, Any, Any] = (
            shared.commit(run(session, session=session))
            if is_commit
            else shared.delete_session("ann", session)
        )
        cancelled.append(asyncio.create_task(work))
        with pytest.raises(asyncio.CancelledError):
            await cancelled[-1]
    event.remove(engine, name, cancel)
    if statement != "COMMIT":  # which the server may get all the same
        assert len(await shared.sessions()) == (0 if is_commit else len(sessions))
    await shared.commit(run())
    assert database._engine.pool.checkedout() == 0  # type: ignore[attr-defined]
