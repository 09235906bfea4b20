"""A change of a session that no run makes comes before a run or behind it, and never between it and what it stores."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.agents.agent_stand import serving_agents
from tests.agents.model_stand import DONE, chunk_of
from tests.control.websocket.socket_stand import connected
from tests.control.websocket.test_agent_runs import KEY, opened_gate, send
from tests.peers.faults import sse_gated


async def test_a_message_waits_for_the_run_that_has_the_session(tmp_path: Path) -> None:
    gates = [opened_gate(), asyncio.Event()]
    script = sse_gated(gates, [chunk_of({"content": "half"}), chunk_of({"content": " rest"}, "stop") + DONE])
    async with serving_agents(tmp_path, script) as stand, connected(stand.gateway.url) as client:
        await client.call("sessions.create", {"key": KEY})
        await client.call("chat.send", send())
        await client.event("chat", state="delta")
        injected = await client.begin("chat.inject", {"sessionKey": KEY, "message": "behind it"})
        model = await client.begin("sessions.patch", {"key": KEY, "model": "up/other"})
        gates[1].set()
        seen = set[str]()
        while not {injected, model} <= seen:
            seen.add(str((await client.receive()).get("id")))
        texts = [turn.message["content"] for turn in await stand.turns(KEY)]
        assert texts == ["hi", "half rest", "behind it"]
        assert (await client.call("sessions.describe", {"key": KEY}))["session"]["model"] == "other"
