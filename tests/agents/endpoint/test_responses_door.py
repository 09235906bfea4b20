"""The Responses API in front of an agent: the run of chat completions, chains of responses, and stored ones."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from clawgate.wire.translate.chat_upstream.call_ids import shortened
from tests.agents.agent_stand import echoes, says, serving_agents, session
from tests.agents.model_stand import DONE, SIGNED, SIGNED_CALL, call_of, chunk_of, usage_of
from tests.agents.responses_stand import TOOL, call, create, events, made, text
from tests.peers.faults import sse_response

CALLS = sse_response(
    [
        chunk_of({"content": "I look."}),
        call_of("look", '{"at":1}', id="call-up-1"),
        call_of("look", '{"at":2}', index=1, id="chatcmpl-tool-" + "0" * 40),
        chunk_of(reason="tool_calls"),
        usage_of(5, 1),
        DONE,
    ]
)


async def test_a_response_is_the_agents(tmp_path: Path) -> None:
    config = {
        "plugins": {"entries": {"clawgate": {"config": {"agents": {"main": {"systemPrompt": "A clerk."}}}}}}
    }
    async with serving_agents(tmp_path, says("Hel", "lo", prompt=11, completion=5), config=config) as stand:
        response = await create(
            stand, "hi", model="agent:main", instructions="Be short.", metadata={"k": "v"}
        )
        (sent,) = stand.sent
    assert sent == [{"role": "system", "content": "A clerk.\n\nBe short."}, {"role": "user", "content": "hi"}]
    body = response.json()
    assert text(body) == "Hello" and body["model"] == "agent:main" and body["status"] == "completed"
    assert body["usage"]["input_tokens"] == 11 and body["metadata"] == {"k": "v"}
    assert body["store"] is True and body["background"] is False and body["previous_response_id"] is None
    run = response.header("x-clawgate-run")
    assert body["id"] == f"resp_{run}" and response.header("x-request-id") == run
    assert response.header("cache-control") == "no-store"


async def test_a_stored_response_is_what_was_sent_streamed_or_not(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, CALLS) as stand:
        whole = await made(stand, "look", tools=[TOOL])
        stream = events(await create(stand, "look", tools=[TOOL], stream=True))
        for sent in (whole, stream[-1]["response"]):
            found = await call(stand, "GET", sent["id"])
            assert found.status == 200 and found.json() == sent
    assert stream[0]["type"] == "response.created" and stream[-1]["type"] == "response.completed"
    assert [item["type"] for item in whole["output"]] == ["message", "function_call", "function_call"]


async def test_a_chain_forks_from_any_response(tmp_path: Path) -> None:
    """What goes to the model is the history of exactly the response that is named."""
    async with serving_agents(tmp_path, echoes) as stand:
        one = await made(stand, "one")
        two = await made(stand, "two", previous_response_id=one["id"])
        left = await made(stand, "left", previous_response_id=two["id"])
        right = await made(stand, "right", previous_response_id=one["id"])
        more = await made(stand, "more", previous_response_id=right["id"])
        sent = [[message["content"] for message in messages] for messages in stand.sent]
    assert sent == [
        ["one"],
        ["one", "one (1)", "two"],
        ["one", "one (1)", "two", "two (3)", "left"],
        ["one", "one (1)", "right"],
        ["one", "one (1)", "right", "right (3)", "more"],
    ]
    assert left["previous_response_id"] == two["id"] and text(more) == "more (5)"


async def test_instructions_are_of_one_response_alone(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, echoes) as stand:
        one = await made(stand, "one", instructions="Be kind.")
        await made(stand, "two", previous_response_id=one["id"])
        assert [message["role"] for message in stand.sent[-1]] == ["user", "assistant", "user"]


@pytest.mark.parametrize("how", ["previous", "conversation", "input"])
async def test_results_of_tools_continue_their_calls(tmp_path: Path, how: str) -> None:
    """By the results alone where the calls are stored; ids longer than OpenAI's are sent shortened."""
    more = {"conversation": "c"} if how == "conversation" else {}
    async with serving_agents(tmp_path, CALLS, echoes) as stand:
        called = await made(stand, "look", tools=[TOOL], **more)
        calls = [item for item in called["output"] if item["type"] == "function_call"]
        outputs = [
            {"type": "function_call_output", "call_id": one["call_id"], "output": f"seen {one['call_id']}"}
            for one in calls
        ]
        if how == "previous":
            more = {"previous_response_id": called["id"]}
        before = [{"role": "user", "content": "look"}, *called["output"]] if how == "input" else []
        done = await create(stand, [*before, *outputs], tools=[TOOL], **more)
        assert done.status == 200, done.body
        sent = stand.sent[-1]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool"]
    ids = [one["id"] for one in sent[1]["tool_calls"]]
    assert ids == [message["tool_call_id"] for message in sent[2:]]
    assert ids == [shortened(one["call_id"]) for one in calls] and len(calls[1]["call_id"]) > len(ids[1])


@pytest.mark.parametrize("how", ["previous", "conversation", "input"])
async def test_what_a_model_signed_in_a_call_returns_to_it(tmp_path: Path, how: str) -> None:
    """Gemini 3 rejects a call without its signature."""
    more = {"conversation": "c"} if how == "conversation" else {}
    async with serving_agents(tmp_path, SIGNED_CALL, echoes) as stand:
        called = await made(stand, "look", tools=[TOOL], **more)
        (call_id,) = [one["call_id"] for one in called["output"] if one["type"] == "function_call"]
        if how == "previous":
            more = {"previous_response_id": called["id"]}
        before = [{"role": "user", "content": "look"}, *called["output"]] if how == "input" else []
        output = {"type": "function_call_output", "call_id": call_id, "output": "seen"}
        done = await create(stand, [*before, output], tools=[TOOL], **more)
        assert done.status == 200, done.body
        *_, calling, answer = stand.sent[-1]
    (call,) = calling["tool_calls"]
    assert (call["id"], call["extra_content"]) == ("c1", SIGNED) and answer["tool_call_id"] == "c1"


@pytest.mark.parametrize("how", ["previous", "conversation", "input"])
@pytest.mark.parametrize("named", [{}, {"call_id": ""}, {"call_id": None}])
async def test_results_that_name_no_call_are_of_those_that_wait_in_order(
    tmp_path: Path, how: str, named: dict[str, Any]
) -> None:
    more = {"conversation": "c"} if how == "conversation" else {}
    outputs = [{"type": "function_call_output", "output": text, **named} for text in ("one", "two")]
    async with serving_agents(tmp_path, CALLS, echoes) as stand:
        called = await made(stand, "look", tools=[TOOL], **more)
        ids = [item["call_id"] for item in called["output"] if item["type"] == "function_call"]
        if how == "previous":
            more = {"previous_response_id": called["id"]}
        before = [{"role": "user", "content": "look"}, *called["output"]] if how == "input" else []
        refused = await create(stand, [*before, outputs[0]], tools=[TOOL], **more)
        assert refused.status == 400
        assert refused.json()["error"]["message"].startswith("`call_id` must name the call")
        done = await create(stand, [*before, *outputs], tools=[TOOL], **more)
        assert done.status == 200, done.body
        *_, first, second = stand.sent[-1]
    assert [first["content"], second["content"]] == ["one", "two"]
    assert [first["tool_call_id"], second["tool_call_id"]] == [shortened(call_id) for call_id in ids]


async def test_a_result_of_no_call_is_refused(tmp_path: Path) -> None:
    """Also where something is stored: a stand-in for its call never reaches the model."""
    output = [{"type": "function_call_output", "call_id": "call_unknown", "output": "x"}]
    async with serving_agents(tmp_path, echoes) as stand:
        one = await made(stand, "one")
        for more in ({}, {"previous_response_id": one["id"]}, {"conversation": "c"}):
            response = await create(stand, output, **more)
            assert response.status == 400, response.body
        assert len(stand.model.requests) == 1


@pytest.mark.parametrize("field", ["conversation", "conversation.id", "user", "header"])
async def test_a_session_is_shared_with_chat_completions(tmp_path: Path, field: str) -> None:
    key, more, headers = "agent:main:c", dict[str, Any](), tuple[tuple[str, str], ...]()
    match field:
        case "conversation":
            more = {"conversation": "c"}
        case "conversation.id":
            more = {"conversation": {"id": "c"}}
        case "user":
            key, more = "agent:main:openai-user:u", {"user": "u"}
        case _:
            headers = (session("c"),)
    chat = json.dumps({"messages": [{"role": "user", "content": "one"}], "user": "u"}).encode()
    async with serving_agents(tmp_path, echoes) as stand:
        await stand.text(chat, *(() if field == "user" else (session("c"),)))
        response = await create(stand, "two", *headers, **more)
        assert text(response.json()) == "two (3)" and response.header("x-clawgate-session") == key
        if "conversation" in field:
            assert response.json()["conversation"] == {"id": "c"}
        turns = await stand.turns(key)
    assert [turn.message["content"] for turn in turns] == ["one", "one (1)", "two", "two (3)"]


async def test_a_session_goes_on_from_its_last_response_and_branches_from_another(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, echoes) as stand:
        one = await made(stand, "one", conversation="c")
        two = await create(stand, "two", previous_response_id=one["id"])
        assert two.header("x-clawgate-session") == "agent:main:c"
        branch = await create(stand, "branch", previous_response_id=one["id"])
        assert text(branch.json()) == "branch (3)" and branch.header("x-clawgate-session") is None
        turns = await stand.turns("agent:main:c")
        assert [turn.message["content"] for turn in turns] == ["one", "one (1)", "two", "two (3)"]
        clash = await create(stand, "x", session("c"), previous_response_id=one["id"])
        other = await create(stand, "x", session("d"), previous_response_id=two.json()["id"])
        fine = await create(stand, "three", session("c"), previous_response_id=two.json()["id"])
    assert (clash.status, other.status, fine.status) == (400, 400, 200)
    assert text(fine.json()) == "three (5)"


async def test_two_that_continue_the_last_response_at_once_are_two_branches(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, echoes) as stand:
        one = await made(stand, "one", conversation="c")
        both = await asyncio.gather(
            *(made(stand, f"x{number}", previous_response_id=one["id"]) for number in range(2))
        )
        assert sorted(map(text, both)) == ["x0 (3)", "x1 (3)"]
        assert len(await stand.turns("agent:main:c")) == 4


async def test_what_is_not_stored_cannot_be_continued(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, echoes) as stand:
        one = await made(stand, "one")
        none = await made(stand, "two", store=False, previous_response_id=one["id"])
        assert none["store"] is False and text(none) == "two (3)"
        for found in (
            await call(stand, "GET", none["id"]),
            await create(stand, "x", previous_response_id=none["id"]),
            await create(stand, "x", previous_response_id="resp_nope"),
            await call(stand, "GET", "resp_nope"),
            await call(stand, "DELETE", none["id"]),
        ):
            assert found.status == 404 and found.json()["error"]["code"] == "response_not_found"


async def test_a_response_of_another_agent_is_not_continued(tmp_path: Path) -> None:
    agents: dict[str, Any] = {"entries": {"main": {"default": True}, "other": {}}}
    async with serving_agents(tmp_path, echoes, **agents) as stand:
        one = await made(stand, "one")
        response = await create(stand, "two", model="openclaw/other", previous_response_id=one["id"])
    assert response.status == 400 and response.json()["error"]["param"] == "previous_response_id"


async def test_items_can_be_sent_by_their_ids(tmp_path: Path) -> None:
    """As the AI SDK does where a response was stored."""
    async with serving_agents(tmp_path, CALLS, echoes) as stand:
        called = await made(stand, "look", tools=[TOOL])
        references = [{"type": "item_reference", "id": item["id"]} for item in called["output"]]
        outputs = [
            {"type": "function_call_output", "call_id": item["call_id"], "output": "seen"}
            for item in called["output"][1:]
        ]
        given = [{"role": "user", "content": "look"}, *references, *outputs]
        assert (await create(stand, given, tools=[TOOL])).status == 200
        assert [message["role"] for message in stand.sent[-1]] == ["user", "assistant", "tool", "tool"]
        lost = await create(stand, [{"type": "item_reference", "id": "msg_" + "0" * 32 + "_0"}])
    assert lost.status == 404 and lost.json()["error"]["param"] == "input[0].id"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "resp_" + "0" * 32, "conversation": "c"}, "previous_response_id"),
        ({"previous_response_id": 1}, "previous_response_id"),
        ({"background": True, "store": False}, "background"),
        ({"background": "yes"}, "background"),
        ({"conversation": {}}, "conversation"),
        ({"conversation": "cron:x"}, "conversation"),
        ({"conversation": "{{id}}"}, "conversation"),
        ({"input": 5}, "input"),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]}, "tools[0]"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"model": "openclaw/nope"}, "model"),
    ],
)
async def test_what_cannot_be_served_is_refused_by_name(
    tmp_path: Path, fields: dict[str, Any], param: str
) -> None:
    async with serving_agents(tmp_path) as stand:
        response = await create(
            stand,
            fields.get("input", "hi"),
            **{name: value for name, value in fields.items() if name != "input"},
        )
        assert not stand.model.requests
    assert response.status == 400 and response.json()["error"]["param"] == param, response.body


async def test_two_names_of_a_session_are_refused(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand:
        response = await create(stand, "hi", session("d"), conversation="c")
        same = await create(stand, "hi", session("agent:main:c"), conversation="c")
    assert response.status == 400 and same.status == 200


async def test_a_cut_stream_fails_with_the_response(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, sse_response([chunk_of({"content": "half"})])) as stand:
        stream = events(await create(stand, "hi", stream=True))
    assert stream[-1]["type"] == "response.failed" and stream[-1]["response"]["status"] == "failed"
    assert stream[-1]["response"]["output"][0]["content"][0]["text"] == "half"


async def test_a_repeat_gets_the_same_response(tmp_path: Path) -> None:
    key = ("idempotency-key", "k")
    async with serving_agents(tmp_path, echoes) as stand:
        first, again = await create(stand, "hi", key), await create(stand, "hi", key)
        assert first.body == again.body and again.header("x-clawgate-repeated") == "true"
        assert len(stand.model.requests) == 1
        assert (await create(stand, "ho", key)).status == 409


async def test_a_background_run_may_not_be_one_that_ends_with_its_client(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand:
        response = await create(stand, "hi", ("x-clawgate-disconnect", "cancel"), background=True)
    assert response.status == 400 and response.json()["error"]["param"] == "background"
