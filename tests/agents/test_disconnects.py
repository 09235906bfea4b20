"""A client that leaves ends its run at once, wherever it stands, and leaves a session that can be used."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from tests.agents.agent_stand import AgentStand, echoes, serving_agents, user
from tests.agents.model_stand import DONE, call_of, chunk_of
from tests.e2e.stand import until
from tests.e2e.test_cancellation import leave
from tests.peers import faults
from tests.peers.faults import sse_response
from tests.plugins.host.test_discovery import installed
from tests.plugins.samples import imports_undone, plugin_folder, tool_code

SESSION = ("x-openclaw-session-key", "s")
KEY = "agent:main:s"
FREED_SECONDS = 2.0
"""Measured: 1 to 8 ms from the disconnect to the end of the model's connection, on a busy machine 40."""
LEAVES = pytest.mark.parametrize("how", ["close", "half-close", "reset"])
STREAMS = pytest.mark.parametrize("stream", [False, True])
HALF = faults.stalls_after(faults.sse_bytes([chunk_of({"content": "half"})])[:-5], 10_000)


async def freed(stand: AgentStand, began_at: float) -> None:
    """The model's connection ends at once, and the next request of the session is served."""
    await stand.model.saw_close(0)
    assert time.monotonic() - began_at < FREED_SECONDS


async def contents(stand: AgentStand) -> list[tuple[str, str]]:
    return [(str(turn.message["content"]), turn.status) for turn in await stand.turns(KEY)]


@LEAVES
@STREAMS
async def test_a_client_that_leaves_before_the_model_responds(tmp_path: Path, how: str, stream: bool) -> None:
    async with serving_agents(tmp_path, faults.never_responds(), echoes) as stand:
        async with await stand.client() as client:
            await stand.gateway.send(client, user("one", stream=stream), SESSION)
            await stand.model.saw_body(0)
            began_at = time.monotonic()
            await leave(client, how)
            await freed(stand, began_at)
            assert await stand.text(user("two"), SESSION) == "two (2)"
        assert await contents(stand) == [("one", "interrupted"), ("two", "complete"), ("two (2)", "complete")]


@LEAVES
async def test_a_client_that_leaves_in_the_middle_of_the_response(tmp_path: Path, how: str) -> None:
    async with serving_agents(tmp_path, HALF, echoes) as stand:
        async with await stand.client() as client:
            await stand.gateway.send(client, user("one", stream=True), SESSION)
            await client.saw(b"half")
            began_at = time.monotonic()
            await leave(client, how)
            await freed(stand, began_at)
            assert await stand.text(user("two"), SESSION) == "two (3)"
        assert await contents(stand) == [
            ("one", "interrupted"),
            ("half", "interrupted"),
            ("two", "complete"),
            ("two (3)", "complete"),
        ]


@LEAVES
async def test_a_client_that_leaves_while_its_run_waits_for_the_session(tmp_path: Path, how: str) -> None:
    """No model is called for it, and the run that it waited for is not touched."""
    gate = asyncio.Event()
    script = faults.sse_gated([gate], [chunk_of({"content": "first"}) + chunk_of(reason="stop"), DONE])
    async with serving_agents(tmp_path, script, echoes) as stand:
        running = stand.gateway.role.connections.detached_count
        first = asyncio.create_task(stand.text(user("one"), SESSION))
        await stand.model.saw_body(0)
        async with await stand.client() as client:
            await stand.gateway.send(client, user("never"), SESSION)
            await until(lambda: running() == 2, "the second run")
            await leave(client, how)
            await until(lambda: running() == 1, "its end")
        gate.set()
        assert await first == "first"
        assert await stand.text(user("two"), SESSION) == "two (3)"
        assert len(stand.model.requests) == 2
        assert [text for text, _ in await contents(stand)] == ["one", "first", "two", "two (3)"]


HANGS = """
import asyncio, pathlib

async def run(call):
    place = pathlib.Path({folder!r})
    (place / "begun").touch()
    try:
        await asyncio.Event().wait()
    finally:
        (place / "cancelled").touch()
"""


@LEAVES
async def test_a_client_that_leaves_while_a_tool_runs(tmp_path: Path, how: str) -> None:
    """The tool is cancelled; the next run has the call with a note in place of its result."""
    calls = sse_response([call_of("find", id="call-1"), chunk_of(reason="tool_calls"), DONE])
    code = tool_code("find", HANGS.replace("{folder!r}", repr(str(tmp_path))))
    with imports_undone():
        installed(tmp_path, plugin_folder(tmp_path / "p", code=code, registers='["tool"]', tools='["find"]'))
        config = {"plugins": {"entries": {"sample": {"enabled": True}}}}
        async with serving_agents(tmp_path, calls, echoes, config=config) as stand:
            host = stand.gateway.role.plugins
            await until(lambda: bool(host.tools), host.statuses)
            async with await stand.client() as client:
                await stand.gateway.send(client, user("one", stream=True), SESSION)
                await until((tmp_path / "begun").exists, "the tool")
                await leave(client, how)
                await until((tmp_path / "cancelled").exists, "its end")
                assert await stand.text(user("two"), SESSION) == "two (4)"
            sent = json.loads(stand.model.requests[1].body)["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "user"]
