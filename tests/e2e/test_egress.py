"""Private connections of a real gateway with agents, after it was killed and after it was stopped."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from tests.agents.agent_stand import agent_config
from tests.agents.model_stand import DONE, chunk_of
from tests.e2e.agent_load import WHO, database_of, gateway_process, said
from tests.e2e.stand import PATIENCE, until
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import CHAT

ANSWER = faults.sse_response([chunk_of({"content": "hello"}), chunk_of(reason="stop") + DONE])


def rows(database: Path) -> list[tuple[str, str, str]]:
    if not database.exists():
        return []
    with contextlib.closing(sqlite3.connect(database)) as connection:
        found = connection.execute("SELECT requester, verdict, status FROM egress ORDER BY opened_at")
        return [tuple(row) for row in found.fetchall()]


async def test_a_connection_is_in_the_database_before_and_after_its_gateway_is_killed(tmp_path: Path) -> None:
    async with FakeUpstream(ANSWER) as model:
        async with gateway_process(tmp_path, agent_config(model.url)) as process:
            async with await RawClient.open(process.url, limit=PATIENCE) as client:
                await client.request(CHAT, said("hi", stream=True), fields=WHO)
                assert (await client.response()).status == 200
            await until(lambda: rows(database_of(tmp_path)) != [], "the row")
            process.popen.kill()
        assert rows(database_of(tmp_path)) == [("provider:up", "allowed", "open")]
        async with gateway_process(tmp_path, agent_config(model.url)) as process:
            async with await RawClient.open(process.url, limit=PATIENCE) as client:
                await client.request(CHAT, said("hi", stream=True), fields=WHO)
                assert (await client.response()).status == 200
            process.send()
            assert await process.ended() == 0
    assert rows(database_of(tmp_path)) == [
        ("provider:up", "allowed", "open"),
        ("provider:up", "allowed", "closed"),
    ]
