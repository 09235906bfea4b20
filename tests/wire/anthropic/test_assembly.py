"""The events of a stream give the complete message, as the official SDK adds them up; a cut stream gives none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from clawgate.errors import UpstreamClosed, UpstreamMalformed
from clawgate.wire.anthropic.assembly import MAX_BLOCKS, MessageAssembler
from clawgate.wire.sse.reader import EventReader
from tests.wire.exchanges import sse

EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
START: dict[str, Any] = {
    "type": "message_start",
    "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
                "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 25, "output_tokens": 1}},
}  # fmt: skip
END: dict[str, Any] = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
    "usage": {"output_tokens": 7},
}
STOP: dict[str, Any] = {"type": "message_stop"}


def opened(index: object, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def added(index: object, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def assembled(*events: object) -> dict[str, Any]:
    assembler = MessageAssembler()
    for event in EventReader().feed(b": ping\n\n" + sse({"type": "ping"}, *events)):
        assembler.feed(event)
    made = json.loads(assembler.complete())
    Message.model_validate(made)
    return dict(made)


words = st.text('aé🦞"\n', min_size=1, max_size=4)
pieces = st.lists(words, min_size=1, max_size=3)


@st.composite
def blocks(draw: st.DrawFn, index: int) -> list[dict[str, Any]]:
    kind = draw(st.sampled_from(["text", "thinking", "redacted_thinking", "tool_use"]))
    events: list[dict[str, Any]] = []
    if kind == "text":
        events = [opened(index, type="text", text="")]
        events += [added(index, type="text_delta", text=piece) for piece in draw(pieces)]
    elif kind == "thinking":
        events = [opened(index, type="thinking", thinking="", signature="")]
        events += [added(index, type="thinking_delta", thinking=piece) for piece in draw(pieces)]
        events.append(added(index, type="signature_delta", signature=draw(words)))
    elif kind == "redacted_thinking":
        events = [opened(index, type="redacted_thinking", data=draw(words))]
    else:
        arguments = json.dumps(draw(st.dictionaries(words, words, max_size=2)))
        cut = draw(st.integers(0, len(arguments)))
        events = [opened(index, type="tool_use", id=f"toolu_{index}", name="f", input={})]
        events += [
            added(index, type="input_json_delta", partial_json=piece)
            for piece in (arguments[:cut], arguments[cut:])
        ]
    return [*events, {"type": "content_block_stop", "index": index}]


@given(st.data())
def test_the_message_is_that_of_the_sdk(data: st.DataObject) -> None:
    events: list[dict[str, Any]] = [START]
    for index in range(data.draw(st.integers(0, 4))):
        events += data.draw(blocks(index))
    events += [END, STOP]
    theirs: Any = None
    buffers: dict[int, bytes] = {}
    for event in events:
        read = EVENT.validate_python(event)
        theirs = accumulate_event(event=read, current_snapshot=theirs, json_bufs=buffers)
    ours = Message.model_validate(assembled(*events))
    assert ours.model_dump(exclude_none=True) == theirs.model_dump(exclude_none=True, warnings=False)


def test_what_a_later_event_zeroes_is_kept_and_unknown_members_too() -> None:
    made = assembled(
        START,
        opened(0, type="text", text="a", citations=None),
        added(0, type="citations_delta", citation={"type": "char_location", "cited_text": "x", "document_index": 0,
              "document_title": None, "start_char_index": 0, "end_char_index": 1}),
        added(0, type="confetti"),
        {**END, "usage": {"input_tokens": 0, "output_tokens": 7}, "context_management": {}},
        {"type": "news"},
    )  # fmt: skip
    assert made["usage"] == {"input_tokens": 25, "output_tokens": 7}
    assert made["content"][0]["text"] == "a" and len(made["content"][0]["citations"]) == 1


def test_a_call_keeps_arguments_that_came_at_once_and_those_that_are_no_object() -> None:
    made = assembled(
        START,
        opened(0, type="tool_use", id="1", name="f", input={"a": 1}),
        opened(1, type="tool_use", id="2", name="f", input={}),
        added(1, type="input_json_delta", partial_json='{"a": "cut'),
        END,
    )
    assert [block["input"] for block in made["content"]] == [{"a": 1}, {"_raw": '{"a": "cut'}]


@pytest.mark.parametrize(
    "indexes", [(0, 0), (None, None), ("0", "1"), (-1, -1), (0.0, 1.0), ("a", "b"), ({}, [])]
)
@pytest.mark.parametrize("is_in_delta", [True, False])
def test_calls_are_not_merged_whatever_their_index_is(indexes: tuple[Any, Any], is_in_delta: bool) -> None:
    events: list[object] = []
    for number, index in enumerate(indexes):
        events += [
            opened(index, type="tool_use", id=str(number), name="f", input={}),
            added(index if is_in_delta else None, type="input_json_delta", partial_json=f'{{"n":{number}}}'),
        ]
    made = assembled(START, *events, END)
    assert [(block["id"], block["input"]) for block in made["content"]] == [("0", {"n": 0}), ("1", {"n": 1})]


@pytest.mark.parametrize(
    "events", [(), (START,), (START, STOP), (START, opened(0, type="text", text="a"), STOP)]
)
def test_a_stream_that_did_not_finish_gives_no_message(events: tuple[Any, ...]) -> None:
    with pytest.raises(UpstreamClosed):
        assembled(*events)


@pytest.mark.parametrize(
    "events", [(END,), (opened(0, type="text"),), (added(0, type="text_delta"),), ([],), ("x",)]
)
def test_what_is_no_event_of_a_message_is_malformed(events: tuple[Any, ...]) -> None:
    with pytest.raises(UpstreamMalformed):
        assembled(*events)


def test_what_is_held_is_bounded() -> None:
    with pytest.raises(UpstreamMalformed):
        assembled(START, *(opened(index, type="text", text="") for index in range(MAX_BLOCKS + 1)))


VALUES = st.recursive(
    st.none() | st.integers() | words,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "text", "x"]), inner, max_size=3)
    ),
)


TYPES = st.sampled_from([str(event["type"]) for event in (START, END, STOP, opened(0), added(0))])
MEMBERS = ("index", "message", "content_block", "delta", "usage")
EVENTS = st.fixed_dictionaries({"type": TYPES}, optional=dict.fromkeys(MEMBERS, VALUES))


@given(st.lists(EVENTS, max_size=4))
def test_whatever_an_upstream_streams_ends_in_a_message_or_in_its_failure(events: list[Any]) -> None:
    assembler = MessageAssembler()
    try:
        for event in EventReader().feed(sse(*events)):
            assembler.feed(event)
        assembler.complete()
    except (UpstreamClosed, UpstreamMalformed):
        pass
