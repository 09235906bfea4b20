"""The disk of a gateway with agents is full, or its database is locked: an error in bounded time, and no restart."""

from __future__ import annotations

import contextlib
import json
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.agents.agent_stand import agent_config, echoes
from tests.e2e.agent_load import WHO, database_of, gateway_process, said
from tests.e2e.processes import Process
from tests.e2e.stand import PATIENCE
from tests.peers.client import RawClient
from tests.peers.response import Response
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import CHAT

SESSION = ("x-openclaw-session-key", "s")


@contextlib.contextmanager
def full_disk(process: Process, database: Path) -> Iterator[None]:
    """No file of the process grows beyond what the database's log has."""
    size = Path(f"{database}-wal").stat().st_size
    before = resource.prlimit(process.popen.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(process.popen.pid, resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def locked(process: Process, database: Path) -> Iterator[None]:
    """Another program writes, and does not end."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def ask(process: Process, text: str, *headers: tuple[str, str], **more: object) -> Response:
    async with await RawClient.open(process.url, limit=PATIENCE) as client:
        await client.request(CHAT, said(text, **more), fields=(*WHO, *headers))
        return await client.response()


@pytest.mark.slow
@pytest.mark.parametrize(("disk", "reason"), [(full_disk, "disk I/O error"), (locked, "locked for 5 s")])
async def test_what_cannot_be_stored_is_not_acknowledged(
    tmp_path: Path, disk: Callable[[Process, Path], contextlib.AbstractContextManager[None]], reason: str
) -> None:
    database = database_of(tmp_path)
    async with FakeUpstream(echoes) as model, gateway_process(tmp_path, agent_config(model.url)) as process:
        assert (await ask(process, "one", SESSION)).status == 200
        with disk(process, database):
            began_at = time.monotonic()
            streamed = await ask(process, "lost", SESSION, stream=True)
            assert b"store_unavailable" in streamed.body and b'"finish_reason":"stop"' not in streamed.body
            calls = len(model.requests)
            for headers in ((SESSION,), ()):
                refused = await ask(process, "lost", *headers, stream=True)
                assert (refused.status, refused.json()["error"]["code"]) == (503, "store_unavailable")
                assert reason in refused.json()["error"]["message"]
            assert len(model.requests) == calls, "a model is not paid for what cannot be stored"
            assert time.monotonic() - began_at < PATIENCE
            assert (await ask(process, "direct", model="up/m")).status == 200
        response = await ask(process, "two", SESSION)
        assert response.status == 200, response.body
    with contextlib.closing(sqlite3.connect(database)) as connection:
        turns = [json.loads(row) for (row,) in connection.execute("SELECT message FROM turns ORDER BY seq")]
    assert [turn["content"] for turn in turns] == ["one", "one (1)", "two", "two (3)"]
