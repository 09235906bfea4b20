"""One run at a time per session: the others wait in order, up to a limit, and hold up no other session."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from clawgate.state.locks import MAX_WAITING
from tests.agents.agent_stand import serving_agents, user
from tests.agents.model_stand import DONE, chunk_of
from tests.e2e.stand import until
from tests.peers import faults
from tests.peers.connection import Request
from tests.peers.script import Script

SESSION = ("x-openclaw-session-key", "s")


async def test_requests_of_one_session_are_served_one_after_another_up_to_a_limit(tmp_path: Path) -> None:
    gates = [asyncio.Event() for _ in range(1 + MAX_WAITING)]

    def script(request: Request) -> Script:
        if json.loads(request.body)["messages"][-1]["content"] == "other":
            return faults.sse_response([chunk_of({"content": "ok"}), chunk_of(reason="stop"), DONE])
        frames = [chunk_of({"content": "ok"}) + chunk_of(reason="stop"), DONE]
        return faults.sse_gated([gates[sum(_of_session(one) for one in model.requests) - 1]], frames)

    def _of_session(request: Request) -> bool:
        return b'"other"' not in request.body

    async with serving_agents(tmp_path, script) as stand:
        model, running = stand.model, stand.gateway.role.connections.detached_count
        waiting = []
        for number, _ in enumerate(gates):
            body = user(f"turn {number}", stream=bool(number % 2))
            waiting.append(asyncio.create_task(stand.ask(body, SESSION)))
            await until(lambda: running() == number + 1, "the request to be taken")  # noqa: B023
        for stream in (False, True):
            refused = await stand.ask(user("too many", stream=stream), SESSION)
            assert (refused.status, refused.json()["error"]["code"]) == (429, "session_busy")
            assert int(refused.header("retry-after") or 0) > 0
        # The first run hangs: other sessions, and requests without one, are served all the same.
        assert await stand.text(user("other"), ("x-openclaw-session-key", "t")) == "ok"
        assert await stand.text(user("other")) == "ok"
        assert sum(map(_of_session, model.requests)) == 1
        for number, gate in enumerate(gates):
            gate.set()
            assert (await waiting[number]).status == 200
        prompts = [json.loads(request.body)["messages"] for request in filter(_of_session, model.requests)]
    assert [messages[-1]["content"] for messages in prompts] == [f"turn {n}" for n in range(len(gates))]
    assert [len(messages) for messages in prompts] == [2 * number + 1 for number in range(len(gates))]
