"""Between two dialects by way of a third nothing is lost that both have, and nothing is held."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from clawgate.errors import InvalidRequest, UpstreamClosed, UpstreamFailed
from clawgate.wire.dialect import Dialect
from clawgate.wire.translate.composed import Composed
from clawgate.wire.translate.translator import translation
from tests.wire.exchanges import Fed, check_messages, check_responses, events, sse

THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "SIG"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
    "content": [THOUGHT, {"type": "text", "text": "Let me see."}, CALL],
    "usage": {"input_tokens": 7, "cache_read_input_tokens": 2, "output_tokens": 5},
}  # fmt: skip
REASONED = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "gAAAA"}  # fmt: skip
FUNCTION_CALL = {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "f",
                 "arguments": '{"a":1}'}  # fmt: skip
RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m", "error": None,
    "output": [REASONED, FUNCTION_CALL],
    "usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 2}, "output_tokens": 5, "total_tokens": 14},
}  # fmt: skip


def new(client: Dialect, *, provider: str = "p") -> Composed:
    upstream = Dialect.MESSAGES if client is Dialect.RESPONSES else Dialect.RESPONSES
    made = translation(
        client,
        upstream,
        requested_model="a/m",
        upstream_model="claude-sonnet-4-5" if upstream is Dialect.MESSAGES else "gpt-5",
        created=1,
        unique_id="u1",
        provider=provider,
    )
    assert isinstance(made, Composed)
    return made


def asking(client: Dialect, turns: list[Any], **more: Any) -> bytes:
    if client is Dialect.RESPONSES:
        tool: dict[str, Any] = {"type": "function", "name": "f", "parameters": {"type": "object"}}
        return json.dumps({"model": "m", "input": turns, "tools": [tool], **more}).encode()
    tool = {"name": "f", "input_schema": {"type": "object"}}
    return json.dumps({"model": "m", "max_tokens": 99, "messages": turns, "tools": [tool], **more}).encode()


def message_events() -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}}
    said = [
        ({"type": "thinking", "thinking": "", "signature": ""},
         [{"type": "thinking_delta", "thinking": "hm"}, {"type": "signature_delta", "signature": "SIG"}]),
        ({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in ("Let me", " see.")]),
        ({**CALL, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in ('{"a":', "1}")]),
    ]  # fmt: skip
    for index, (block, deltas) in enumerate(said):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}}
    yield {"type": "message_stop"}


def response_events() -> Iterator[dict[str, Any]]:
    yield {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": []}}
    part = {"output_index": 0, "item_id": "rs_1", "summary_index": 0}
    yield {"type": "response.output_item.added", "output_index": 0,
           "item": {"id": "rs_1", "type": "reasoning", "summary": []}}  # fmt: skip
    yield {"type": "response.reasoning_summary_text.delta", "delta": "hm", **part}
    yield {"type": "response.output_item.done", "output_index": 0, "item": REASONED}
    begun = {**FUNCTION_CALL, "status": "in_progress", "arguments": ""}
    yield {"type": "response.output_item.added", "output_index": 1, "item": begun}
    for piece in ('{"a":', "1}"):
        yield {"type": "response.function_call_arguments.delta", "output_index": 1, "item_id": "fc_1",
               "delta": piece}  # fmt: skip
    yield {"type": "response.output_item.done", "output_index": 1, "item": FUNCTION_CALL}
    yield {"type": "response.completed", "response": RESPONSE}


UPSTREAM = {Dialect.RESPONSES: message_events, Dialect.MESSAGES: response_events}
COMPLETE: dict[Dialect, object] = {Dialect.RESPONSES: MESSAGE, Dialect.MESSAGES: RESPONSE}
CHECKS = {Dialect.RESPONSES: check_responses, Dialect.MESSAGES: check_messages}
CLIENTS = pytest.mark.parametrize("client", [Dialect.RESPONSES, Dialect.MESSAGES])
HI = {"role": "user", "content": "hi"}


def streamed(client: Dialect) -> bytes:
    exchange = new(client)
    exchange.translate_request(asking(client, [HI], stream=True))
    fed = Fed(exchange)
    return fed.feed(sse(*UPSTREAM[client]())) + fed.end()


def said(client: Dialect, *, streams: bool) -> list[Any]:
    """The items or blocks that a client has of the upstream's turn."""
    if not streams:
        exchange = new(client)
        exchange.translate_request(asking(client, [HI]))
        body = json.loads(exchange.translate_response(json.dumps(COMPLETE[client]).encode()))
        whole: list[Any] = body["output" if client is Dialect.RESPONSES else "content"]
        return whole
    found = CHECKS[client](streamed(client))
    if client is Dialect.RESPONSES:
        output: list[Any] = found[-1]["response"]["output"]
        return output
    blocks: list[Any] = []
    for event in found:
        if event["type"] == "content_block_start":
            blocks.append(event["content_block"] | {"input": ""} if "input" in event["content_block"]
                          else event["content_block"])  # fmt: skip
        elif event["type"] == "content_block_delta":
            for name, value in event["delta"].items():
                member = {"partial_json": "input"}.get(name, name)
                if name != "type":
                    blocks[-1][member] += value
    return [block | {"input": json.loads(block["input"])} if "input" in block else block for block in blocks]


@CLIENTS
@pytest.mark.parametrize("streams", [True, False])
def test_signed_reasoning_returns_with_its_tool_call_to_who_signed_it(client: Dialect, streams: bool) -> None:
    """A turn with reasoning and a call comes back to the upstream as it was; another provider gets none of it."""
    turn = said(client, streams=streams)
    if client is Dialect.RESPONSES:
        result = {"type": "function_call_output", "call_id": turn[-1]["call_id"], "output": "ok"}
        turns: list[Any] = [HI, *turn, result]
    else:
        result = {"type": "tool_result", "tool_use_id": turn[-1]["id"], "content": "ok"}
        turns = [HI, {"role": "assistant", "content": turn}, {"role": "user", "content": [result]}]
    there = json.loads(new(client).translate_request(asking(client, turns)))
    other = new(client, provider="other").translate_request(asking(client, turns))
    if client is Dialect.RESPONSES:
        assert there["messages"][1]["content"] == MESSAGE["content"]
        assert b"SIG" not in other
    else:
        assert there["input"][1]["encrypted_content"] == "gAAAA"
        call = {name: there["input"][2][name] for name in ("type", "call_id", "name", "arguments")}
        assert call == {name: FUNCTION_CALL[name] for name in call}
        assert b"gAAAA" not in other


@CLIENTS
def test_a_stream_is_that_of_a_complete_response(client: Dialect) -> None:
    """For an upstream that did not stream: with the usage of the other dialect's counting."""
    exchange = new(client)
    exchange.translate_request(asking(client, [HI], stream=True))
    stream = exchange.response_as_stream(json.dumps(COMPLETE[client]).encode())
    last = CHECKS[client](stream)
    if client is Dialect.RESPONSES:
        usage = last[-1]["response"]["usage"]
        assert (usage["input_tokens"], usage["input_tokens_details"]["cached_tokens"]) == (9, 2)
    else:
        usage = last[-2]["usage"]
        assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (7, 2)
    assert usage["output_tokens"] == 5


@CLIENTS
def test_each_event_is_passed_on_at_once(client: Dialect) -> None:
    """What is held is what the client's dialect needs to be held, and a stream that is cut has no end."""
    exchange = new(client)
    exchange.translate_request(asking(client, [HI], stream=True))
    fed = Fed(exchange)
    *events_but_the_last, _ = UPSTREAM[client]()
    sent = [(json.dumps(event), fed.feed(sse(event))) for event in events_but_the_last]
    for words in (b'"hm"', b'"Let me"', b'" see."'):
        assert all(
            words in said_now for event, said_now in sent if words.decode() in event and "delta" in event
        )
    assert exchange.held_bytes < 2_000 and not exchange.finished
    if client is Dialect.MESSAGES:  # message_stop is Anthropic's end, the stop reason is enough
        with pytest.raises(UpstreamClosed):
            fed.end()


@CLIENTS
def test_an_error_of_the_upstream_is_one_in_the_client_s_dialect(client: Dialect) -> None:
    exchange = new(client)
    exchange.translate_request(asking(client, [HI], stream=True))
    fed = Fed(exchange)
    began = fed.feed(sse(*list(UPSTREAM[client]())[:3]))
    error = {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded", "code": "overloaded_error"},
    }
    with pytest.raises(UpstreamFailed, match="Overloaded"):
        fed.feed(sse(error))
    (*_, last) = events(exchange.error_event())
    assert began and "Overloaded" in json.dumps(last)
    assert last["type"] == ("response.failed" if client is Dialect.RESPONSES else "error")
    body = json.loads(exchange.translate_error(529, json.dumps(error).encode()))
    assert body["error"]["message"] == "Overloaded"


def test_a_failure_of_ours_ends_a_response_as_failed() -> None:
    exchange = new(Dialect.RESPONSES)
    exchange.translate_request(asking(Dialect.RESPONSES, [HI], stream=True))
    Fed(exchange).feed(sse(*list(message_events())[:3]))
    *_, last = events(exchange.failure_event(message="cut", kind="upstream_error", code="upstream_closed"))
    assert last["type"] == "response.failed" and last["response"]["error"]["message"] == "cut"


@pytest.mark.parametrize(
    ("client", "fields", "param"),
    [
        (Dialect.RESPONSES, {"max_output_tokens": -1}, "max_output_tokens"),
        (Dialect.RESPONSES, {"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        (Dialect.RESPONSES, {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:x"}]}]},
         "input"),
        (Dialect.MESSAGES, {"stop_sequences": 5}, "stop_sequences"),
    ],
)  # fmt: skip
def test_what_is_rejected_has_the_client_s_name(client: Dialect, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        new(client).translate_request(asking(client, [HI], **fields))
    assert (caught.value.param or "").split("[")[0].split(".")[0] == param.split(".", maxsplit=1)[0]
    assert "messages[" not in caught.value.message or client is Dialect.MESSAGES


def test_fields_without_effect_are_named_as_the_client_names_them() -> None:
    exchange = new(Dialect.RESPONSES)
    more = {
        "text": {"verbosity": "low"},
        "top_logprobs": 0,
        "temperature": 0.5,
        "reasoning": {"effort": "low"},
    }
    exchange.translate_request(asking(Dialect.RESPONSES, [HI], **more))
    assert set(exchange.ignored) == {"text.verbosity", "temperature"}
    exchange = new(Dialect.MESSAGES)
    exchange.translate_request(asking(Dialect.MESSAGES, [HI], stop_sequences=["x"], top_k=5))
    assert (
        "stop_sequences" in exchange.ignored
        and "top_k" in exchange.ignored
        and "stop" not in exchange.ignored
    )
