"""Tokens of a request for an agent: with what the agent adds, and what a Responses request refers to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.agents.agent_stand import AgentStand, echoes, serving_agents
from tests.agents.responses_stand import asked, made

COUNT = "/v1/responses/input_tokens"


async def count(stand: AgentStand, given: Any, **more: Any) -> int:
    response = await stand.gateway.ask(asked(given, **more), target=COUNT)
    assert response.status == 200 and response.header("x-clawgate-estimated") == "true", response.body
    result = response.json()
    assert result.pop("object") == "response.input_tokens" and list(result) == ["input_tokens"]
    return int(result["input_tokens"])


async def refused(stand: AgentStand, given: Any, **more: Any) -> Any:
    response = await stand.gateway.ask(asked(given, **more), target=COUNT)
    return response.status, response.json()["error"]["code"]


async def test_what_the_agent_adds_counts(tmp_path: Path) -> None:
    counts = []
    for prompt in ("", "x" * 700):
        own = {
            "plugins": {"entries": {"clawgate": {"config": {"agents": {"main": {"systemPrompt": prompt}}}}}}
        }
        async with serving_agents(tmp_path, config=own) as stand:
            counts.append(await count(stand, "hi"))
            assert not stand.model.requests
    assert 190 <= counts[1] - counts[0] <= 210


async def test_what_the_request_refers_to_counts(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, echoes) as stand:
        one = await made(stand, "x" * 700)
        alone = await count(stand, "hi")
        assert await count(stand, "hi", previous_response_id=one["id"]) > alone + 400  # and the echo of it
        item = {"type": "item_reference", "id": one["output"][0]["id"]}
        assert await count(stand, [item, {"role": "user", "content": "hi"}]) > alone + 200
        assert len(stand.model.requests) == 1


async def test_a_request_that_would_be_refused_is_not_counted(tmp_path: Path) -> None:
    agents: dict[str, Any] = {"entries": {"main": {}, "other": {}}}
    async with serving_agents(tmp_path, echoes, **agents) as stand:
        one = await made(stand, "one")
        gone = "resp_" + "0" * 32
        assert await refused(stand, "x", previous_response_id=gone) == (404, "response_not_found")
        assert await refused(stand, "x", model="openclaw/nope") == (400, "invalid_request")
        wrong = {"previous_response_id": one["id"], "model": "openclaw/other"}
        assert await refused(stand, "x", **wrong) == (400, "invalid_request")
