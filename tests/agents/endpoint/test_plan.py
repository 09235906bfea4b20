"""What a client of the endpoint gets: bodies, streams, errors, and what its disconnect does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.agents.agent_stand import TOOL, chunks, says, serving_agents, user
from tests.agents.model_stand import DONE, chunk_of
from tests.e2e.stand import until
from tests.peers import faults
from tests.peers.faults import sse_response


async def test_a_response_is_as_recorded(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, says("Hel", "lo", prompt=11, completion=5)) as stand:
        response = await stand.ask(user("hi", model="openclaw/main"))
    body = response.json()
    assert body["id"].startswith("chatcmpl_") and body["object"] == "chat.completion"
    assert body["model"] == "openclaw/main"
    (choice,) = body["choices"]
    assert choice == {
        "index": 0,
        "message": {"role": "assistant", "content": "Hello"},
        "finish_reason": "stop",
    }
    assert body["usage"]["prompt_tokens"] == 11 and body["usage"]["total_tokens"] == 16
    assert response.header("cache-control") == "no-store"


async def test_a_stream_has_its_role_at_once(tmp_path: Path) -> None:
    """Before the model has sent anything."""
    gate = asyncio.Event()
    script = faults.sse_gated([gate], [chunk_of({"content": "late"}), chunk_of(reason="stop"), DONE])
    async with serving_agents(tmp_path, script) as stand, await stand.client() as client:
        await stand.gateway.send(client, user("hi", stream=True))
        await until(lambda: b'"delta":{"role":"assistant"}' in client.received, "the role")
        assert b"late" not in client.received
        gate.set()
        response = await client.response()
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(response)]
    assert deltas == [{"role": "assistant"}, {"content": "late"}, {}]


@pytest.mark.parametrize("wanted", [True, False])
async def test_usage_is_streamed_where_it_is_requested(tmp_path: Path, wanted: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if wanted else {}
    async with serving_agents(tmp_path) as stand:
        made = chunks(await stand.ask(user("hi", stream=True, **options)))
    assert [chunk["usage"]["prompt_tokens"] for chunk in made if "usage" in chunk] == ([3] if wanted else [])


async def test_an_error_of_the_model_has_its_status(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, faults.error_response(429, "slow down")) as stand:
        response = await stand.ask(user("hi"))
    assert response.status == 429 and "slow down" in response.json()["error"]["message"]


async def test_a_failure_behind_the_begin_is_an_event_and_the_end(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, sse_response([chunk_of({"content": "half"})])) as stand:
        made = chunks(await stand.ask(user("hi", stream=True)))
    assert made[-1]["error"]["code"] == "upstream_closed"
    assert [c["choices"][0]["finish_reason"] for c in made if "choices" in c] == [None, None]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "look"}}])
async def test_a_required_call_that_is_not_made_is_an_error(tmp_path: Path, choice: Any) -> None:
    async with serving_agents(tmp_path, says("no")) as stand:
        response = await stand.ask(user("hi", tools=[TOOL], tool_choice=choice))
        assert stand.model.requests and json.loads(stand.model.requests[0].body)["tool_choice"] == choice
    assert response.status == 502 and response.json()["error"]["code"] == "tool_choice_unsatisfied"


async def test_what_is_ignored_is_named(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand:
        response = await stand.ask(user("hi", store=True, metadata={"a": "b"}))
    assert response.header("x-clawgate-ignored") == "metadata, store"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_of_the_model_reaches_the_client(stream: bool, tmp_path: Path) -> None:
    script = sse_response(
        [chunk_of({"refusal": "I "}), chunk_of({"refusal": "won't"}), chunk_of(reason="stop"), DONE]
    )
    async with serving_agents(tmp_path, script) as stand:
        response = await stand.ask(user("hi", stream=stream))
    if stream:
        deltas = [json.loads(one)["choices"][0]["delta"] for one in response.events()[:-1]]
        assert deltas == [{"role": "assistant"}, {"refusal": "I won't"}, {}]
    else:
        assert response.json()["choices"][0]["message"]["refusal"] == "I won't"


async def test_text_of_another_choice_than_the_first_is_streamed_at_the_end(tmp_path: Path) -> None:
    events = [{"index": 1, "delta": {"content": "B"}}, {"index": 1, "delta": {}, "finish_reason": "stop"}]
    script = sse_response([b"data: %b\n\n" % json.dumps({"choices": [one]}).encode() for one in events])
    async with serving_agents(tmp_path, script) as stand:
        response = await stand.ask(user("hi", stream=True))
    deltas = [json.loads(one)["choices"][0]["delta"] for one in response.events()[:-1]]
    assert deltas == [{"role": "assistant"}, {"content": "B"}, {}]
