"""Whatever a chat service streams, Responses clients read a legal stream that says the same, as the SDK reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai._types import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from clawgate.errors import UpstreamClosed, UpstreamFailed, UpstreamMalformed
from clawgate.wire.responses.assembly import ResponseAssembler
from clawgate.wire.responses.types import ResponsesRequest, Tool
from clawgate.wire.sse.reader import EventReader
from clawgate.wire.translate.chat_upstream import opaque_state
from clawgate.wire.translate.chat_upstream.call_ids import CallIds
from clawgate.wire.translate.chat_upstream.stream import KEEP_ALIVE
from clawgate.wire.translate.compat import Compat
from clawgate.wire.translate.responses_to_chat import response
from clawgate.wire.translate.responses_to_chat.stream import ResponsesStream
from clawgate.wire.translate.responses_to_chat.tools import ToolTable
from clawgate.wire.translate.responses_to_chat.writer import ResponseWriter
from tests.wire.exchanges import Fed, check_responses, events, sse
from tests.wire.translate.anthropic_to_openai.test_stream import call, chats, chunk

DONE = b"data: [DONE]\n\n"
EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
END = chunk("stop")
SIGNED = {"extra_content": {"google": {"thought_signature": "SIG=="}}}


def stream(compat: Compat | None = None) -> ResponsesStream:
    head = response.head_of(ResponsesRequest(), response.Repeated(), model="m", created=7, unique="u")
    table = ToolTable()
    table.add_all([Tool("custom", "patch"), Tool("namespace", "ns", tools=[Tool("function", "g")])], "tools")
    ids = CallIds(unique="u", provider="p")
    return ResponsesStream(ResponseWriter(head, "u"), table=table, ids=ids, compat=compat or Compat())


def said(*upstream: object, done: bytes = DONE, compat: Compat | None = None) -> list[Any]:
    fed = Fed(stream(compat))
    return check_responses(fed.feed(sse(*upstream) + done) + fed.end())


def output(*upstream: object, **options: Any) -> list[Any]:
    ended = said(*upstream, **options)[-1]["response"]
    return list(Response.model_validate(ended).output)


def added_up(stream: list[Any]) -> Any:
    """The response that the SDK makes of a stream."""
    state: Any = ResponseStreamState(input_tools=omit, text_format=omit)
    for event in stream:
        state.handle_event(EVENT.validate_python(event))
    return state._completed_response


# Any legal stream


@given(chats(), st.booleans())
def test_the_sdk_adds_a_stream_up_to_what_was_said(
    exchange: tuple[list[dict[str, Any]], dict[str, Any]], done: bool
) -> None:
    sent, words = exchange
    made = added_up(said(*sent, done=DONE if done else b""))
    items = made.output
    assert made.output_text == words["text"]
    thought = "".join(part.text for item in items if item.type == "reasoning" for part in item.summary)
    assert thought == words["thinking"]
    calls = [(item.call_id, json.loads(item.arguments)) for item in items if item.type == "function_call"]
    assert sorted(calls, key=str) == sorted(words["calls"], key=str)
    assert (made.status, made.usage.input_tokens, made.usage.output_tokens) == ("completed", 9, 4)


@given(chats(), st.integers(1, 50))
def test_the_size_of_chunks_changes_nothing_and_the_assembled_stream_is_the_response(
    exchange: tuple[list[dict[str, Any]], dict[str, Any]], size: int
) -> None:
    sent = sse(*exchange[0]) + DONE
    whole, cut = Fed(stream()), Fed(made := stream())
    expected = whole.feed(sent) + whole.end()
    pieces = b"".join(cut.feed(sent[at : at + size]) for at in range(0, len(sent), size)) + cut.end()
    assert pieces == expected
    assembler = ResponseAssembler()
    for event in EventReader().feed(pieces):
        assembler.feed(event)
    assert json.loads(assembler.complete()) == made.response


# Calls


def test_parallel_calls_end_one_after_the_other() -> None:
    kinds = [event["type"] for event in said(
        call(0, id="a", name="f"), call(0, '{"x"'), call(0, ":1}"), call(1, "{}", id="b", name="f"), chunk("tool_calls")
    )]  # fmt: skip
    assert kinds.index("response.output_item.done") < len(kinds) - 1 - kinds[::-1].index(
        "response.output_item.added"
    )


def test_calls_without_ids_and_with_one_index_stay_apart() -> None:
    """Gemini's compatible endpoint: whole calls, each with index 0 and no id."""
    items = output(call(0, '{"a":1}', name="f"), call(0, '{"b":2}', name="g"), chunk("tool_calls"))
    assert [(item.name, item.arguments) for item in items] == [("f", '{"a":1}'), ("g", '{"b":2}')]
    assert len({item.call_id for item in items}) == len({item.id for item in items}) == 2


@pytest.mark.parametrize("arguments", [None, "", {"a": 1}])
def test_arguments_are_json_whatever_was_sent(arguments: object) -> None:
    piece = {"index": 0, "id": "a", "function": {"name": "f", "arguments": arguments}}
    (item,) = output(chunk(tool_calls=[piece]), chunk("tool_calls"))
    assert json.loads(item.arguments) == (arguments or {})


def test_a_name_may_come_behind_its_arguments_but_has_to_come() -> None:
    (item,) = output(call(0, '{"a":'), call(0, "1}", name="f"), chunk("tool_calls"))
    assert (item.name, item.arguments) == ("f", '{"a":1}')
    with pytest.raises(UpstreamMalformed, match="without a name"):
        said(call(0, "{}"), chunk("tool_calls"))


def test_a_custom_tool_is_called_with_its_text_at_once() -> None:
    stream = said(call(0, '{"input": "*** Be', id="a", name="patch"), call(0, 'gin"}'), chunk("tool_calls"))
    assert [
        event["delta"] for event in stream if event["type"] == "response.custom_tool_call_input.delta"
    ] == ["*** Begin"]
    (item,) = added_up(stream).output
    assert (item.type, item.name, item.input, item.call_id) == ("custom_tool_call", "patch", "*** Begin", "a")


def test_a_function_of_a_namespace_is_called_by_its_own_name() -> None:
    (item,) = output(call(0, "{}", id="a", name="ns__g"), chunk("tool_calls"))
    assert (item.name, item.namespace) == ("g", "ns")


def test_a_call_that_the_limit_cut_off_is_not_complete_and_a_whole_one_is() -> None:
    items = output(call(0, "{}", id="a", name="f"), call(1, '{"a"', id="b", name="f"), chunk("length"))
    assert [item.status for item in items] == ["completed", "incomplete"]
    (last,) = output(call(0, "{}", id="a", name="f"), chunk("length"))
    assert last.status == "completed"


def test_entities_in_arguments_become_characters() -> None:
    compat = Compat(tool_call_arguments_encoding="html-entities")
    (item,) = output(
        call(0, '{"a": "&lt;', id="a", name="f"), call(0, '"}'), chunk("tool_calls"), compat=compat
    )
    assert json.loads(item.arguments) == {"a": "<"}


# Text, refusals, reasoning


def test_a_refusal_is_a_part_of_its_message() -> None:
    (item,) = output(chunk(content="a"), chunk(refusal="no"), chunk(refusal="pe"), END)
    assert [part.type for part in item.content] == ["output_text", "refusal"] and item.content[
        1
    ].refusal == "nope"


def test_reasoning_between_words_is_an_item_of_its_own() -> None:
    items = output(chunk(content="a"), chunk(reasoning="t"), chunk(content="b"), END)
    assert [item.type for item in items] == ["message", "reasoning", "message"]


def test_content_in_parts_is_reasoning_and_text() -> None:
    """Mistral's reasoning models."""
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}
    items = output(chunk(content=[thinking, {"type": "text", "text": "a"}]), END)
    assert items[0].summary[0].text == "t" and items[1].content[0].text == "a"


def test_a_whole_response_in_one_event_is_read() -> None:
    whole = {"id": "c", "choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}
    assert output(whole)[0].content[0].text == "a"


# What the upstream wants back


def state(text: str) -> Any:
    return opaque_state.split(text)[1]


def test_a_signed_call_carries_its_signature_in_its_id() -> None:
    piece = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}, **SIGNED}
    (item,) = output(chunk(tool_calls=[piece]), chunk("tool_calls"))
    assert opaque_state.split(item.call_id)[0] == "a" and state(item.call_id).call == SIGNED


def test_a_signature_behind_its_call_is_carried_by_reasoning_without_words() -> None:
    late = {"index": 0, "function": {"arguments": ""}, **SIGNED}
    called, rest = output(call(0, "{}", id="a", name="f"), chunk(tool_calls=[late]), chunk("tool_calls"))
    assert called.call_id == "a" and rest.type == "reasoning" and rest.summary == []
    assert state(rest.encrypted_content).calls == {"a": SIGNED}


def test_signed_reasoning_carries_what_it_was_signed_with() -> None:
    text = [{"type": "reasoning.text", "text": "t", "index": 0}]
    signature = [{"type": "reasoning.text", "signature": "s", "index": 0}]
    items = output(chunk(reasoning_details=text), chunk(reasoning_details=signature), chunk(content="a"), END)
    assert items[0].summary[0].text == "t" and len(items) == 2
    (detail,) = state(items[0].encrypted_content).message["reasoning_details"]
    assert (detail["text"], detail["signature"]) == ("t", "s")


# The beginning and the end


def test_a_stream_that_is_cut_has_no_last_event() -> None:
    fed = Fed(stream())
    begun = fed.feed(sse(chunk(content="a")))
    with pytest.raises(UpstreamClosed):
        fed.end()
    check_responses(begun, whole=False)
    with pytest.raises(UpstreamMalformed):
        Fed(stream()).feed(sse(chunk(content="a")) + DONE)


@pytest.mark.parametrize(
    "failure",
    [
        {"error": {"message": "boom"}},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]},
        {"choices": [], "error": {"message": "boom", "code": 502}},
    ],
)
def test_an_error_is_raised_wherever_it_comes(failure: object) -> None:
    for before in ([], [chunk(content="a")], [chunk(content="a"), END]):
        with pytest.raises(UpstreamFailed):
            said(*before, failure)


def test_comments_are_passed_on_as_such() -> None:
    out: list[bytes] = []
    for event in EventReader().feed(b": PROCESSING\n\n"):
        stream().feed(event, out)
    assert out == [KEEP_ALIVE]


def test_counts_only_grow() -> None:
    """Some servers repeat them as zeros at the end."""
    counts = {"prompt_tokens": 9, "completion_tokens": 4}
    ended = said(
        {**chunk(content="a"), "usage": counts}, END, {"choices": [], "usage": dict.fromkeys(counts, 0)}
    )
    assert ended[-1]["response"]["usage"]["input_tokens"] == 9


def test_each_response_has_an_id_of_its_own_whatever_the_server_sends() -> None:
    """Azure's first chunk has an empty id."""
    made = said({"id": "", "choices": []}, chunk(content="a"), END)
    assert {event["response"]["id"] for event in made if "response" in event} == {"resp_u"}


def test_another_choice_is_not_mixed_in() -> None:
    other = {"id": "c", "choices": [{"index": 1, "delta": {"content": "x"}, "finish_reason": "stop"}]}
    assert output(chunk(content="a"), other, END)[0].content[0].text == "a"


def test_events_have_their_types_as_names() -> None:
    fed = Fed(stream())
    assert events(fed.feed(sse(chunk(content="a"), END)) + fed.end())
