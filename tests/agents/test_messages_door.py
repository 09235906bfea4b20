"""Anthropic's API in front of an agent: the run of chat completions, with sessions, repeats and errors of this API."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from clawgate.wire.translate.chat_upstream.call_ids import shortened
from tests.agents.agent_stand import AgentStand, echoes, says, serving_agents, session
from tests.agents.approval_stand import serving_shed
from tests.agents.model_stand import DONE, SIGNED, SIGNED_CALL, call_of, chunk_of, usage_of
from tests.e2e.stand import until
from tests.peers import faults
from tests.peers.faults import sse_response
from tests.peers.response import Response
from tests.routing.gateway_server import MESSAGES

COUNT = "/v1/messages/count_tokens"
VERSION = ("anthropic-version", "2023-06-01")
TOOL = {"name": "look", "input_schema": {"type": "object"}}
TWO_CALLS = sse_response(
    [
        call_of("look", '{"at":1}', id="call-up-1"),
        call_of("look", '{"at":2}', index=1, id="chatcmpl-tool-" + "0" * 40),
        chunk_of(reason="tool_calls"),
        usage_of(5, 1),
        DONE,
    ]
)


def body(content: Any, *before: dict[str, Any], **more: Any) -> bytes:
    messages = [*before, {"role": "user", "content": content}]
    return json.dumps({"model": "openclaw", "max_tokens": 50, "messages": messages} | more).encode()


async def send(
    stand: AgentStand, asked: bytes, *headers: tuple[str, str], target: str = MESSAGES
) -> Response:
    return await stand.gateway.ask(asked, VERSION, *headers, target=target)


def events(response: Response) -> list[Any]:
    return [
        json.loads(part.partition("data: ")[2])
        for part in response.body.decode().split("\n\n")
        if "data: " in part
    ]


@pytest.mark.parametrize(
    "name", ["openclaw", "openclaw/main", "openclaw:main", "agent:main", "OpenClaw/MAIN"]
)
async def test_a_message_is_the_agents(tmp_path: Path, name: str) -> None:
    config = {
        "plugins": {"entries": {"clawgate": {"config": {"agents": {"main": {"systemPrompt": "A clerk."}}}}}}
    }
    async with serving_agents(tmp_path, says("Hel", "lo", prompt=11, completion=5), config=config) as stand:
        response = await send(stand, body("hi", model=name, system="Be short."))
        (sent,) = stand.sent
    assert sent[0] == {"role": "system", "content": "A clerk.\n\nBe short."}
    message = response.json()
    assert message["content"] == [{"type": "text", "text": "Hello"}] and message["model"] == name
    assert message["stop_reason"] == "end_turn" and message["usage"]["input_tokens"] == 11
    run = response.header("x-clawgate-run")
    assert message["id"] == f"msg_{run}" and response.header("request-id") == run
    assert response.header("x-clawgate-agent") == "main" and response.header("cache-control") == "no-store"


async def test_a_session_is_shared_with_chat_completions(tmp_path: Path) -> None:
    key = session("s")
    async with serving_agents(tmp_path, echoes) as stand:
        await stand.text(json.dumps({"messages": [{"role": "user", "content": "one"}]}).encode(), key)
        response = await send(stand, body("two"), key)
        assert response.json()["content"][0]["text"] == "two (3)"
        assert response.header("x-clawgate-session") == "agent:main:s"
        turns = await stand.turns("agent:main:s")
    assert [turn.message["content"] for turn in turns] == ["one", "one (1)", "two", "two (3)"]


async def test_the_name_of_a_person_makes_no_session(tmp_path: Path) -> None:
    """Claude Code sends one with each of its conversations, side questions included."""
    async with serving_agents(tmp_path, echoes) as stand:
        for _ in range(2):
            response = await send(stand, body("hi", metadata={"user_id": "u1"}))
            assert response.json()["content"][0]["text"] == "hi (1)"
            assert response.header("x-clawgate-session") is None
            assert "metadata.user_id" in str(response.header("x-clawgate-ignored"))


@pytest.mark.parametrize("keeps", [True, False])
async def test_calls_of_the_clients_tools_continue_with_their_results(tmp_path: Path, keeps: bool) -> None:
    """With results alone in a session, else with all of the conversation; ids longer than OpenAI's are sent short."""
    headers = (session("s"),) if keeps else ()
    async with serving_agents(tmp_path, TWO_CALLS, echoes) as stand:
        called = (await send(stand, body("look", tools=[TOOL]), *headers)).json()
        assert called["stop_reason"] == "tool_use"
        uses = called["content"]
        assert [use["input"] for use in uses] == [{"at": 1}, {"at": 2}]
        results = [
            {"type": "tool_result", "tool_use_id": use["id"], "content": f"seen {use['id']}"} for use in uses
        ]
        before = [{"role": "user", "content": "look"}, {"role": "assistant", "content": uses}]
        done = await send(stand, body(results, *([] if keeps else before), tools=[TOOL]), *headers)
        assert done.status == 200, done.body
        sent = stand.sent[-1]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool"]
    ids = [call["id"] for call in sent[1]["tool_calls"]]
    assert ids == [message["tool_call_id"] for message in sent[2:]]
    assert ids == [shortened(use["id"]) for use in uses] and len(uses[1]["id"]) > len(ids[1])


async def test_a_tool_with_the_name_of_one_of_the_agents_is_refused_with_its_place(tmp_path: Path) -> None:
    async with serving_shed(tmp_path, echoes) as (stand, _):
        refused = await send(stand, body("x", tools=[TOOL, TOOL | {"name": "saw"}]))
    error = refused.json()["error"]
    assert (refused.status, error["param"]) == (400, "tools[1].name")


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("keeps", [True, False])
async def test_what_a_model_signed_in_a_call_returns_to_it(
    tmp_path: Path, keeps: bool, streamed: bool
) -> None:
    """Gemini 3 rejects a call without its signature."""
    headers = (session("s"),) if keeps else ()
    async with serving_agents(tmp_path, SIGNED_CALL, echoes) as stand:
        response = await send(stand, body("look", tools=[TOOL], stream=streamed), *headers)
        begun = [one.get("content_block", {}) for one in events(response)] if streamed else []
        (use,) = [one for one in begun or response.json()["content"] if one.get("type") == "tool_use"]
        before: list[Any] = [{"role": "user", "content": "look"}, {"role": "assistant", "content": [use]}]
        result = {"type": "tool_result", "tool_use_id": use["id"], "content": "seen"}
        done = await send(stand, body([result], *before[: 0 if keeps else 2], tools=[TOOL]), *headers)
        assert done.status == 200, done.body
        *_, called, answer = stand.sent[-1]
    (call,) = called["tool_calls"]
    assert (call["id"], call["extra_content"]) == ("c1", SIGNED) and answer["tool_call_id"] == "c1"


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("named", [{}, {"tool_use_id": ""}, {"tool_use_id": None}])
async def test_results_that_name_no_call_are_of_those_that_wait_in_order(
    tmp_path: Path, keeps: bool, named: dict[str, Any]
) -> None:
    headers = (session("s"),) if keeps else ()
    results = [{"type": "tool_result", "content": text, **named} for text in ("one", "two")]
    async with serving_agents(tmp_path, TWO_CALLS, echoes) as stand:
        uses = (await send(stand, body("look", tools=[TOOL]), *headers)).json()["content"]
        before = [{"role": "user", "content": "look"}, {"role": "assistant", "content": uses}]
        before = [] if keeps else before
        refused = await send(stand, body(results[:1], *before, tools=[TOOL]), *headers)
        assert refused.status == 400
        assert refused.json()["error"]["message"].startswith("`tool_use_id` must name the call")
        done = await send(stand, body(results, *before, tools=[TOOL]), *headers)
        assert done.status == 200, done.body
        *_, first, second = stand.sent[-1]
    assert [first["content"], second["content"]] == ["one", "two"]
    assert [first["tool_call_id"], second["tool_call_id"]] == [shortened(use["id"]) for use in uses]


async def test_a_stream_begins_at_once_and_is_kept_alive_by_pings(tmp_path: Path) -> None:
    gate = asyncio.Event()
    script = faults.sse_gated([gate], [chunk_of({"content": "late"}), chunk_of(reason="stop"), DONE])
    async with serving_agents(tmp_path, script) as stand, await stand.client() as client:
        await stand.gateway.send(client, body("hi", stream=True), VERSION, target=MESSAGES)
        await until(lambda: b"message_start" in client.received, "the begin")
        connections = stand.gateway.role.connections
        for seconds in (20, 40):  # silence counts from the check that saw the last event
            for connection in connections._connections:
                connection.check_timeouts(connections.now() + seconds)
        await until(lambda: b"event: ping" in client.received, "a ping")
        gate.set()
        response = await client.response()
    assert [one["type"] for one in events(response) if one["type"] != "ping"] == [
        "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
        "message_stop",
    ]  # fmt: skip


async def test_a_failure_within_a_stream_is_an_error_event(tmp_path: Path) -> None:
    cut = sse_response([chunk_of({"content": "half"})])
    async with serving_agents(tmp_path, cut) as stand:
        response = await send(stand, body("hi", stream=True))
    *_, error = events(response)
    assert error["type"] == "error" and error["error"]["type"] == "api_error"
    assert b"message_stop" not in response.body and b"[DONE]" not in response.body


async def test_errors_are_of_this_dialect(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, faults.error_response(429, "slow down")) as stand:
        busy = await send(stand, body("hi"))
        unknown = await send(stand, body("hi", model="openclaw/nope"))
        clash = await send(stand, body("hi"), ("x-openclaw-agent-id", "nope"))
        empty = await send(stand, body("hi", max_tokens=0))
    assert busy.status == 429 and busy.json()["error"]["type"] == "rate_limit_error"
    for response in (unknown, clash, empty):
        assert response.status == 400 and response.json()["type"] == "error"
        assert response.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_repeat_gets_the_same_message_and_no_other_dialects(tmp_path: Path, stream: bool) -> None:
    """Also after a restart, with the run that made it."""
    asked, one = body("hi", stream=stream), ("idempotency-key", "k")
    async with serving_agents(tmp_path, says("once"), echoes) as stand:
        first, again = await send(stand, asked, one), await send(stand, asked, one)
        other = await stand.ask(asked, one)
        assert len(stand.model.requests) == 1
    assert first.body == again.body and again.header("x-clawgate-repeated") == "true"
    assert again.header("x-clawgate-run") == first.header("x-clawgate-run")
    assert other.status == 409
    async with serving_agents(tmp_path, echoes) as stand:
        later = await send(stand, asked, one)
        assert not stand.model.requests
    assert later.body == first.body and later.header("x-clawgate-run") == first.header("x-clawgate-run")


async def test_a_detached_run_can_be_resumed(tmp_path: Path) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    gates[0].set()
    pieces = [chunk_of({"content": "half"}), chunk_of({"content": " rest"}) + chunk_of(reason="stop") + DONE]
    detach = ("x-clawgate-disconnect", "detach")
    async with serving_agents(tmp_path, faults.sse_gated(gates, pieces)) as stand:
        async with await stand.client() as client:
            await stand.gateway.send(client, body("hi", stream=True), VERSION, detach, target=MESSAGES)
            await until(lambda: b"half" in client.received, "the first text")
            ids = [line[4:] for line in client.received.split(b"\n") if line.startswith(b"id: ")]
        gates[1].set()
        resumed = await send(stand, body("hi", stream=True), detach, ("last-event-id", ids[-1].decode()))
        assert len(stand.model.requests) == 1
    texts = [
        event["delta"].get("text") for event in events(resumed) if event["type"] == "content_block_delta"
    ]
    assert texts == [" rest"] and events(resumed)[-1]["type"] == "message_stop"


@pytest.mark.parametrize("known", [True, False])
async def test_an_effort_reaches_a_model_that_is_known_to_take_one(tmp_path: Path, known: bool) -> None:
    asked = body("hi", output_config={"effort": "high"}, thinking={"type": "adaptive"})
    agents: dict[str, Any] = {"entries": {"main": {"model": {"primary": "up/other" if known else "up/m"}}}}
    async with serving_agents(tmp_path, **agents) as stand:
        response = await send(stand, asked)
        (request,) = stand.model.requests
    assert json.loads(request.body).get("reasoning_effort") == ("high" if known else None)
    assert ("output_config.effort" in str(response.header("x-clawgate-ignored"))) is not known


async def test_tokens_are_estimated_with_what_the_agent_adds(tmp_path: Path) -> None:
    counts = []
    for prompt in ("", "x" * 700):
        config = {
            "plugins": {"entries": {"clawgate": {"config": {"agents": {"main": {"systemPrompt": prompt}}}}}}
        }
        async with serving_agents(tmp_path, config=config) as stand:
            response = await send(stand, body("hi"), target=COUNT)
            assert response.status == 200 and response.header("x-clawgate-estimated") == "true"
            counts.append(response.json()["input_tokens"])
            assert not stand.model.requests
            wrong = await send(stand, body("hi", model="openclaw/nope"), target=COUNT)
            assert wrong.status == 400 and wrong.json()["error"]["type"] == "invalid_request_error"
    assert 190 <= counts[1] - counts[0] <= 210
