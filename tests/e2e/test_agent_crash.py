"""A gateway with agents that is killed, again and again, and one that is stopped: what of its runs is stored."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from tests.agents.agent_stand import agent_config
from tests.agents.model_stand import DONE, chunk_of, usage_of
from tests.e2e.agent_load import WHO, Load, Model, database_of, gateway_process, is_acknowledged, said
from tests.e2e.processes import is_listening
from tests.e2e.stand import PATIENCE, until
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import CHAT

KILLS = 20
END = chunk_of(reason="stop") + usage_of(3, 2) + DONE


def check(database: Path, load: Load) -> None:
    """Every acknowledged turn is there once, none is half there, and what was counted is what was stored."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        turns = connection.execute(
            "SELECT session, seq, run, status, message FROM turns ORDER BY session, seq"
        ).fetchall()
        requests = dict(connection.execute("SELECT run, status FROM requests").fetchall())
        used = Counter(run for (run,) in connection.execute("SELECT run FROM usage").fetchall())
    messages: dict[str, list[str]] = {}
    for session, seq, _, _, message in turns:
        stored = messages.setdefault(session.rpartition(":")[2], [])
        assert seq == len(stored), "a turn is missing or doubled"
        stored.append(json.loads(message)["content"])
    for session, stored in messages.items():
        assert stored[::2] == stored[1::2], "half a turn is there"
        assert len(set(stored)) * 2 == len(stored)
        assert load.acknowledged.get(session, set()) <= set(stored) <= load.sent[session]
    assert set(messages) >= set(load.acknowledged), "an acknowledged session is lost"
    assert {status for _, _, _, status, _ in turns} == {"complete"}
    runs = {run for _, _, run, _, _ in turns}
    assert set(requests) == runs and set(requests.values()) == {200}
    assert used == Counter(runs), "what was used is not counted once"


@pytest.mark.slow
async def test_a_gateway_that_is_killed_loses_no_turn_that_it_acknowledged(tmp_path: Path) -> None:
    """And no session stays in use: each works with the next process."""
    chance = random.Random(KILLS)
    place, url = tmp_path / "gateway", None
    load = Load(lambda number, turn: url, sessions=6)
    async with FakeUpstream(Model(chance)) as model, asyncio.TaskGroup() as tasks:
        for number in range(6):
            tasks.create_task(load.client(number))
        for _ in range(KILLS):
            async with gateway_process(place, agent_config(model.url)) as process:
                count, url = load.count, process.url
                await until(lambda: load.count > count, "a first turn")  # noqa: B023
                await asyncio.sleep(chance.uniform(0, 0.15))
                process.popen.kill()
                url = None
            assert "Traceback" not in process.err
        async with gateway_process(place, agent_config(model.url)) as process:
            before = {session: len(turns) for session, turns in load.acknowledged.items()}
            url = process.url
            await until(
                lambda: all(
                    len(load.acknowledged[session]) > before.get(session, 0) for session in load.sent
                ),
                "a turn of each session",
            )
            load.stopped = True
            url = None
            process.send()
            assert await process.ended() == 0
    assert not load.refused, load.refused[0].body
    assert load.count > 2 * KILLS
    check(database_of(place), load)


SESSION = ("x-openclaw-session-key", "s")
DETACH = ("x-clawgate-disconnect", "detach")


def stored(database: Path) -> list[tuple[str, str]]:
    """The last turns, with their status."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT message, status FROM turns ORDER BY seq").fetchall()
    return [(json.loads(message)["content"], status) for message, status in rows]


async def test_a_stop_lets_a_stream_and_a_detached_run_end(tmp_path: Path) -> None:
    """The one has a client that reads it, the other none at all."""
    gates = [asyncio.Event(), asyncio.Event()]
    gates[0].set()
    script = faults.sse_gated(gates, [chunk_of({"content": "half"}), chunk_of({"content": " whole"}) + END])
    async with (
        FakeUpstream(script) as model,
        gateway_process(tmp_path, agent_config(model.url)) as process,
        await RawClient.open(process.url, limit=PATIENCE) as client,
    ):
        async with await RawClient.open(process.url, limit=PATIENCE) as leaving:
            await leaving.request(CHAT, said("hi", stream=True), fields=(*WHO, SESSION, DETACH))
            await leaving.saw(b"half")
        await client.request(CHAT, said("hi", stream=True), fields=WHO)
        await client.saw(b"half")
        process.send()
        await until(lambda: not is_listening(process.port), "the drain")
        gates[1].set()
        assert is_acknowledged(await client.response(), "half whole", stream=True)
        assert await process.ended() == 0
    assert stored(database_of(tmp_path)) == [("hi", "complete"), ("half whole", "complete")]


async def test_a_second_signal_stores_what_came_of_the_runs(tmp_path: Path) -> None:
    """As the end of the drain limit does."""
    script = faults.stalls_after(faults.sse_bytes([chunk_of({"content": "half"})])[:-5], 10_000)
    async with FakeUpstream(script) as model, gateway_process(tmp_path, agent_config(model.url)) as process:
        async with await RawClient.open(process.url, limit=PATIENCE) as leaving:
            await leaving.request(CHAT, said("hi", stream=True), fields=(*WHO, SESSION, DETACH))
            await leaving.saw(b"half")
        process.send()
        await until(lambda: not is_listening(process.port), "the drain")
        assert process.popen.poll() is None, "it is being drained"
        process.send()
        assert await process.ended() == 0
        await model.saw_close(0)
    assert stored(database_of(tmp_path)) == [("hi", "interrupted"), ("half", "interrupted")]
