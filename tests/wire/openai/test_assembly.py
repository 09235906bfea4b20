"""The chunks of a stream give the complete response, as the official SDK adds them up; a cut stream gives none."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from clawgate.errors import UpstreamClosed, UpstreamMalformed
from clawgate.wire.openai.assembly import MAX_INDEXED, ChatAssembler
from clawgate.wire.sse.reader import EventReader
from tests.wire.exchanges import sse


def chunk(reason: str | None = None, index: int = 0, **delta: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def assembled(*chunks: object, end: bytes = b"data: [DONE]\n\n") -> dict[str, Any]:
    assembler = ChatAssembler()
    for event in EventReader().feed(b": ping\n\n" + sse(*chunks) + end):
        assembler.feed(event)
    made = json.loads(assembler.complete())
    ChatCompletion.model_validate(made)
    return dict(made)


def message_of(*deltas: dict[str, Any]) -> dict[str, Any]:
    made = assembled(*(chunk(**delta) for delta in deltas), chunk("stop"))
    return dict(made["choices"][0]["message"])


words = st.text('aé🦞"\n', max_size=4)
calls = st.lists(st.tuples(st.sampled_from(["f", "g"]), st.lists(words, min_size=1, max_size=3)), max_size=3)


@given(st.lists(words, max_size=4), st.lists(words, max_size=3), calls, st.booleans())
def test_the_response_is_that_of_the_sdk(
    texts: list[str], refusals: list[str], called: list[tuple[str, list[str]]], with_usage: bool
) -> None:
    chunks = [chunk(role="assistant", content="")]
    chunks += [chunk(content=text) for text in texts] + [chunk(refusal=text) for text in refusals]
    for index, (name, pieces) in enumerate(called):
        function = {"name": name, "arguments": ""}
        chunks.append(
            chunk(
                tool_calls=[{"index": index, "id": f"call_{index}", "type": "function", "function": function}]
            )
        )
        chunks += [chunk(tool_calls=[{"index": index, "function": {"arguments": piece}}]) for piece in pieces]
    chunks.append(chunk("tool_calls" if called else "stop"))
    if with_usage:
        usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
        chunks.append({**chunk(), "choices": [], "usage": usage})
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for one in chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(one))
    theirs = state.get_final_completion().model_dump(exclude_none=True)
    ours = ChatCompletion.model_validate(assembled(*chunks)).model_dump(exclude_none=True)
    for call in theirs["choices"][0]["message"].get("tool_calls", ()):
        call["function"].pop("parsed_arguments", None)
        call.pop("index", None)
    assert ours == theirs


def test_extensions_are_kept() -> None:
    message = message_of(
        {"reasoning_content": "h", "thinking_blocks": [{"index": 0, "type": "thinking", "signature": "s"}]},
        {"reasoning_content": "m", "reasoning_details": [{"type": "reasoning.text", "text": "x"}]},
        {"sources": [{"type": "url_citation"}], "voice": {"id": "a", "data": "d1"}},
        {"sources": [{"type": "url_citation"}], "voice": {"id": "a", "data": "d2"}},
        {"tool_calls": [{"index": 0, "id": "1", "function": {"name": "f", "arguments": "{}"},
                         "extra_content": {"google": {"thought_signature": "s"}}}]},
    )  # fmt: skip
    assert message["reasoning_content"] == "hm" and message["reasoning_details"] == [
        {"type": "reasoning.text", "text": "x"}
    ]
    assert message["thinking_blocks"] == [{"type": "thinking", "signature": "s"}]
    assert len(message["sources"]) == 2 and message["voice"] == {"id": "a", "data": "d1d2"}
    assert message["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "s"}}


def test_calls_of_one_index_with_several_ids_stay_several() -> None:
    def call(name: str, **more: Any) -> dict[str, Any]:
        return {"index": 0, "function": {"name": "f", "arguments": name}, **more}

    pieces = (call("1", id="a"), call("2", id="b"), call("3", id="b"), call("4"))
    message = message_of(*({"tool_calls": [piece]} for piece in pieces))
    assert [(one["id"], one["function"]["arguments"]) for one in message["tool_calls"]] == [
        ("a", "1"),
        ("b", "234"),
    ]


def function(index: object, name: str | None, arguments: object, **more: Any) -> dict[str, Any]:
    return {"index": index, "function": {"name": name, "arguments": arguments}, **more}


@pytest.mark.parametrize(
    "deltas",
    [
        [[function(0, "f", '{"a":1}')], [function(0, "g", '{"b":2}')]],
        [[function(None, "f", '{"a":1}'), function(None, "g", '{"b":2}')]],
        [[function(0, "f", ""), function(1, "g", "")],
         [function("1", None, '{"b":2}'), function(0.0, None, '{"a":1}')]],
        [[function(0, "f", '{"a":1}', id="x")], [function(0, "g", '{"b":2}', id="x")]],
    ],
    ids=["one index", "no index", "written in several ways", "one id"],
)  # fmt: skip
def test_calls_are_told_apart_as_in_a_translated_stream(deltas: list[list[dict[str, Any]]]) -> None:
    calls = message_of(*({"tool_calls": delta} for delta in deltas))["tool_calls"]
    assert [(one["function"]["name"], one["function"]["arguments"]) for one in calls] == [
        ("f", '{"a":1}'),
        ("g", '{"b":2}'),
    ]
    assert len({one["id"] for one in calls}) == 2 and not any("index" in one for one in calls)


def test_a_signature_that_is_sent_again_is_not_doubled() -> None:
    signed = {"extra_content": {"google": {"thought_signature": "SIG=="}}}
    pieces = [function(0, "f", "{", **signed), function(0, None, "}", **signed)]
    (call,) = message_of(*({"tool_calls": [piece]} for piece in pieces))["tool_calls"]
    assert call["extra_content"] == signed["extra_content"]


def test_a_call_without_an_id_gets_one() -> None:
    (call,) = message_of({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{}"}}]})[
        "tool_calls"
    ]
    assert call["id"] == "call_c_0"


def test_a_complete_message_in_one_event_is_one() -> None:
    whole = {
        "id": "c",
        "created": 1,
        "model": "m",
        "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
    }
    assert assembled(whole)["choices"][0]["message"] == {"role": "assistant", "content": "hi"}


def test_a_complete_message_behind_its_pieces_is_not_added_to_them() -> None:
    called = [function(0, "f", "{}", id="x")]
    whole = {
        "choices": [{"index": 0, "message": {"content": "hi", "tool_calls": called}, "finish_reason": "stop"}]
    }
    message = assembled(chunk(content=""), chunk(content="hi"), chunk(tool_calls=called), whole)["choices"][
        0
    ]["message"]
    assert message["content"] == "hi" and len(message["tool_calls"]) == 1
    assert assembled(chunk(role="assistant", content=""), whole)["choices"][0]["message"]["content"] == "hi"


def test_ids_and_counts_of_later_chunks_count() -> None:
    made = assembled(
        {
            **chunk(content="a"),
            "id": "",
            "usage": {"prompt_tokens": 9, "completion_tokens": 0, "total_tokens": 9},
        },
        {**chunk("stop"), "id": "real", "obfuscation": "xxx"},
        {"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 3, "total_tokens": 12}},
    )
    assert made["id"] == "real" and "obfuscation" not in made
    assert made["usage"] == {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


def test_several_choices_are_kept_apart() -> None:
    made = assembled(chunk(content="a"), chunk(index=1, content="b"), chunk("stop"), chunk("length", index=1))
    assert [(one["index"], one["message"]["content"], one["finish_reason"]) for one in made["choices"]] == [
        (0, "a", "stop"),
        (1, "b", "length"),
    ]


@pytest.mark.parametrize("end", [b"", b"data: [DONE]\n\n"])
@pytest.mark.parametrize(
    "chunks", [(), (chunk(content="half"),), (chunk("stop"), chunk(index=1, content="half"))]
)
def test_a_stream_that_did_not_finish_gives_no_response(chunks: tuple[Any, ...], end: bytes) -> None:
    with pytest.raises(UpstreamClosed):
        assembled(*chunks, end=end)


@pytest.mark.parametrize("data", [b"[]", b"{", b"text", b'{"choices":' + b"[" * 5000])
def test_what_is_no_chunk_is_malformed(data: bytes) -> None:
    with pytest.raises(UpstreamMalformed):
        assembled(end=b"data: " + data + b"\n\n")


def test_what_is_held_is_bounded() -> None:
    many = [{"tool_calls": [{"index": index}]} for index in range(MAX_INDEXED + 1)]
    with pytest.raises(UpstreamMalformed):
        message_of(*many)
    with pytest.raises(UpstreamMalformed):
        assembled(*(chunk(index=index) for index in range(MAX_INDEXED + 1)))


def test_what_is_nested_deeply_is_joined_or_refused() -> None:
    """Pythons differ in how deep they go; no other error comes of it."""
    deep = json.loads('{"a":' * 900 + "1" + "}" * 900)
    with contextlib.suppress(UpstreamMalformed):
        assert message_of({"x": deep}, {"x": deep})["x"]


@given(st.lists(st.recursive(st.none() | st.integers() | words, lambda inner: st.lists(inner, max_size=2)
       | st.dictionaries(st.sampled_from(["id", "index", "delta", "choices", "tool_calls", "x"]), inner, max_size=3)),
       max_size=4))  # fmt: skip
def test_whatever_an_upstream_streams_ends_in_a_response_or_in_its_failure(values: list[Any]) -> None:
    assembler = ChatAssembler()
    try:
        for value in values:
            for event in EventReader().feed(
                sse({"choices": [{"delta": value, "finish_reason": "stop", "x": value}]})
            ):
                assembler.feed(event)
        assembler.complete()
    except (UpstreamClosed, UpstreamMalformed):
        pass
