"""Whatever Anthropic streams, the chat client reads a legal stream that says the same, as the official SDK reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk, ParsedChatCompletion

from clawgate.errors import UpstreamClosed, UpstreamFailed, UpstreamMalformed
from clawgate.wire.openai.chunks import DONE
from clawgate.wire.openai.types import AssistantMessage
from clawgate.wire.translate.errors import chat_event
from clawgate.wire.translate.openai_to_anthropic import stream as chat_stream
from clawgate.wire.translate.openai_to_anthropic.stream import KEEP_ALIVE, ChatStream
from clawgate.wire.translate.openai_to_anthropic.thinking import kept_thinking, thinking_detail
from tests.wire.exchanges import Fed, check_chat, events, sse

BEGUN = {"id": "msg_1", "content": [], "usage": {"input_tokens": 7, "output_tokens": 1}}
START = {"type": "message_start", "message": BEGUN}
STOP = {"type": "message_stop"}


def opened(index: object, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def added(index: object, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def closed(index: object) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


TOOL = {"type": "tool_use", "id": "1", "name": "f", "input": {}}


def noted(reason: str | None = "end_turn", **delta: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, **delta}, "usage": {"output_tokens": 3}}


def new(*, include_usage: bool = False) -> Fed:
    return Fed(ChatStream(model="m", created=1, include_usage=include_usage))


def read(*upstream: object, include_usage: bool = False) -> bytes:
    stream = new(include_usage=include_usage)
    return stream.feed(sse(*upstream)) + stream.end()


def deltas(said: bytes) -> list[dict[str, Any]]:
    return [choice["delta"] for chunk in check_chat(said) for choice in chunk["choices"]]


# Any legal stream


between: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{"type": "ping"}, {"type": "confetti", "index": "x"}]
)
words = st.text("aé🦞\n", max_size=5)
objects = st.dictionaries(words, words | st.integers() | st.none(), max_size=2)


@st.composite
def pieces_of(draw: st.DrawFn, whole: str) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=3)))
    return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


@st.composite
def messages(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A legal stream of Anthropic's, and what was said in it."""
    sent: list[dict[str, Any]] = [START]
    said: dict[str, Any] = {"text": "", "reasoning": "", "thinking": [], "calls": []}
    for index in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from(["text", "thinking", "redacted_thinking", "tool_use", "server_tool_use"]))
        block: dict[str, Any] = {"type": kind}
        steps: list[dict[str, Any]] = []
        if kind == "text":
            block["text"] = ""
            whole = draw(words)
            said["text"] += whole
            steps = [{"type": "text_delta", "text": piece} for piece in draw(pieces_of(whole))]
        elif kind == "thinking":
            block |= {"thinking": "", "signature": ""}
            whole, signature = draw(words), draw(words)
            said["reasoning"] += whole
            said["thinking"].append({"type": "thinking", "thinking": whole, "signature": signature})
            steps = [{"type": "thinking_delta", "thinking": piece} for piece in draw(pieces_of(whole))]
            steps.append({"type": "signature_delta", "signature": signature})
        elif kind == "redacted_thinking":
            block["data"] = draw(words)
            said["thinking"].append(dict(block))
        elif kind == "tool_use":
            block |= {"id": f"toolu_{index}", "name": "f", "input": {}}
            arguments = draw(objects)
            said["calls"].append((block["id"], arguments))
            said_at_all = bool(arguments) or draw(st.booleans())
            if said_at_all:
                steps = [
                    {"type": "input_json_delta", "partial_json": piece}
                    for piece in draw(pieces_of(json.dumps(arguments)))
                ]
        else:
            block |= {"id": "srvtoolu_1", "name": "web_search", "input": {}}
            steps = [{"type": "input_json_delta", "partial_json": "{}"}]
        sent += [opened(index, **block), *(added(index, **step) for step in steps), closed(index)]
        if draw(st.booleans()):
            sent.append(draw(between))
    sent += [noted("tool_use" if said["calls"] else "end_turn"), STOP]
    return sent, said


@given(messages(), st.booleans())
def test_the_sdk_adds_a_stream_up_to_what_was_said(
    exchange: tuple[list[dict[str, Any]], dict[str, Any]], include_usage: bool
) -> None:
    sent, said = exchange
    stream = read(*sent, include_usage=include_usage)
    chunks = check_chat(stream)
    assert any("usage" in chunk for chunk in chunks) is include_usage
    final = added_up(chunks)
    message: Any = final.choices[0].message
    assert (message.content or "") == said["text"]
    assert (message.model_extra or {}).get("reasoning_content", "") == said["reasoning"]
    thinking = (message.model_extra or {}).get("thinking_blocks", [])
    assert [{key: entry[key] for key in entry if key != "index"} for entry in thinking] == said["thinking"]
    details = (message.model_extra or {}).get("reasoning_details", [])
    said_in_details = [detail.get("text", "") for detail in details if detail["type"] == "reasoning.text"]
    assert "".join(said_in_details) == said["reasoning"]
    kept = kept_thinking(AssistantMessage(reasoning_details=details), "")
    assert kept == [entry for entry in said["thinking"] if entry.get("signature", entry.get("data"))]
    calls = [(call.id, json.loads(call.function.arguments)) for call in message.tool_calls or ()]
    assert calls == said["calls"]
    assert final.choices[0].finish_reason == ("tool_calls" if calls else "stop")


def added_up(chunks: list[Any]) -> ParsedChatCompletion[None]:
    state: Any = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk, strict=True))
    final: ParsedChatCompletion[None] = state.get_final_completion()
    return final


# One thing at a time


def test_usage_has_the_latest_totals_if_it_was_requested() -> None:
    later = {"type": "message_delta", "delta": {}, "usage": {"input_tokens": 9, "output_tokens": 5}}
    said = read(START, noted(), later, STOP, include_usage=True)
    counts = events(said)[-2]
    assert counts["choices"] == []
    assert (counts["usage"]["prompt_tokens"], counts["usage"]["completion_tokens"]) == (9, 5)


def test_a_call_without_arguments_is_an_object_all_the_same() -> None:
    """Nothing was streamed of either: one was empty, one was whole at its start."""
    empty = opened(0, type="tool_use", id="1", name="f", input={})
    whole = opened(1, type="tool_use", id="2", name="f", input={"a": 1})
    said = read(START, empty, closed(0), whole, closed(1), noted("tool_use"), STOP)
    pieces = [call["function"]["arguments"] for delta in deltas(said) for call in delta.get("tool_calls", ())]
    assert pieces == ["", "{}", "", '{"a":1}']


def test_text_and_thinking_at_the_start_of_a_block_are_sent() -> None:
    said = read(START, opened(0, type="thinking", thinking="t"), closed(0), opened(1, type="text", text="a"),
                added(1, type="text_delta", text="b"), closed(1), noted(), STOP)  # fmt: skip
    assert [delta.get("content") for delta in deltas(said) if "content" in delta] == ["", "a", "b"]
    assert [delta["reasoning_content"] for delta in deltas(said) if "reasoning_content" in delta] == ["t"]


def test_a_refusal_keeps_its_reason() -> None:
    said = read(START, noted("refusal", stop_details={"type": "refusal", "explanation": "No."}), STOP)
    assert {"refusal": "No."} in deltas(said)
    assert b'"finish_reason":"content_filter"' in said


@pytest.mark.parametrize("warm", [b": ping\n\n", sse({"type": "ping"})])
def test_what_keeps_the_stream_warm_is_passed_on_as_a_comment(warm: bytes) -> None:
    assert new().feed(warm) == KEEP_ALIVE


def failed(error: object) -> dict[str, Any]:
    """The client's event for an error event in the middle of a stream."""
    stream = ChatStream(model="m", created=1, include_usage=False)
    fed = Fed(stream)
    with pytest.raises(UpstreamFailed):
        fed.feed(sse(START, opened(0, type="text", text="a"), error, closed(0), noted(), STOP))
    said = fed.rest()
    check_chat(said, whole=False)
    assert b'"content":"a"' in said and fed.feed(sse(STOP)) == fed.end() == b""
    assert stream.error is not None and not stream.finished
    event: dict[str, Any] = events(chat_event(stream.error))[0]
    return event


def test_an_error_event_ends_the_stream_and_keeps_its_message() -> None:
    event = failed({"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}})
    assert event["error"] == {
        "message": "Busy.", "type": "service_unavailable", "code": "overloaded_error", "param": None
    }  # fmt: skip


def test_an_error_without_a_message_is_an_error() -> None:
    assert "without an error message" in failed({"type": "error"})["error"]["message"]


@pytest.mark.parametrize(
    "error",
    [{"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}}, {"error": "Busy."}],
)
def test_an_error_in_front_of_content_is_raised_with_its_message(error: object) -> None:
    with pytest.raises(UpstreamFailed, match="Busy"):
        new().feed(sse(error))


def test_nothing_is_read_behind_the_end() -> None:
    stream = new()
    assert stream.feed(sse(START, noted(), STOP)).endswith(DONE)
    assert stream.feed(b"data: nonsense\n\n") == stream.end() == b""


@pytest.mark.parametrize(
    "sent",
    [
        [opened(0, type="text")],
        [STOP],
        [START, START],
        [START, STOP],
        [START, {"type": "content_block_start", "index": 0}],
        [START, opened(0, type="text"), {"type": "content_block_delta", "index": 0}],
        [START, opened(0, type="tool_use", id="1", name="")],
        [START, added(0, type="input_json_delta", partial_json="{}")],
        [added(0, type="text_delta", text="a")],
        [START, {"type": "content_block_delta", "index": "0"}],
        [
            START,
            opened(0, **TOOL),
            opened(1, **TOOL),
            added(None, type="input_json_delta", partial_json="{}"),
        ],
        [{"index": 0}],
        ["text"],
        ["[DONE]"],
    ],
)
def test_what_breaks_the_order_is_malformed(sent: list[object]) -> None:
    stream = new()
    with pytest.raises(UpstreamMalformed):
        stream.feed(sse(*sent))


@pytest.mark.parametrize("sent", [[START], [START, opened(0, type="text")], [START, noted(None)]])
def test_a_stream_that_ends_before_its_stop_reason_is_not_finished(sent: list[object]) -> None:
    stream = new()
    stream.feed(sse(*sent))
    with pytest.raises(UpstreamClosed):
        stream.end()


@pytest.mark.parametrize("last", [b"", b"data: [DONE]\n\n", b'data: {"type":"message_stop"}'])
def test_a_stream_without_its_message_stop_ends_with_its_stop_reason(last: bytes) -> None:
    stream = new(include_usage=True)
    said = (
        stream.feed(sse(START, opened(0, type="text", text="a"), noted("max_tokens")) + last) + stream.end()
    )
    chunks = check_chat(said)
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"
    assert chunks[-1]["usage"]["completion_tokens"] == 3


UNMARKED: list[list[object]] = [
    [added(0, type="text_delta", text="hi"), opened(1, **TOOL), added(1, type="input_json_delta", partial_json="{}")],
    [opened(0, type="text"), opened(1, **TOOL), added(0, type="text_delta", text="hi"), closed(1), closed(0)],
    [opened(0, type="text", text="hi"), closed(0), closed(0), opened(1, **TOOL), closed(1), closed(1)],
    [opened(0, type="text", text="hi"), opened(0, **TOOL), added(0, type="input_json_delta", partial_json="{}")],
    [added(None, type="text_delta", text="hi"), opened(None, **TOOL), closed(None)],
    [opened("0", type="text"), added(0, type="text_delta", text="hi"), opened(1.0, **TOOL),
     added("1", type="input_json_delta", partial_json="{}"), closed(-1), closed(1)],
    [opened(0, type="text"), added(None, type="text_delta", text="hi"), closed(None), opened(1, **TOOL),
     added(None, type="input_json_delta", partial_json="{}"), closed(None)],
    [opened(None, **TOOL), added(0, type="text_delta", text="hi"),
     added(1, type="input_json_delta", partial_json="{}")],
]  # fmt: skip


def test_a_call_is_why_the_model_stopped_whatever_it_is_called() -> None:
    call = opened(0, type="tool_use", id="1", name="f", input={})
    assert b'"finish_reason":"tool_calls"' in read(START, call, closed(0), noted("end_turn"), STOP)
    assert b'"finish_reason":"length"' in read(START, call, closed(0), noted("max_tokens"), STOP)


@pytest.mark.parametrize("sent", UNMARKED)
def test_blocks_whose_begin_or_end_was_left_out_say_what_they_say(sent: list[object]) -> None:
    """Side by side, too: some servers do not keep to one block after the other."""
    final = added_up(check_chat(read(START, *sent, noted("tool_use"), STOP))).choices[0]
    assert final.message.tool_calls is not None and len(final.message.tool_calls) == 1
    call = final.message.tool_calls[0]
    assert final.message.content == "hi" and final.finish_reason == "tool_calls"
    assert (call.id, call.function.name, call.function.arguments) == ("1", "f", "{}")


def test_calls_are_not_merged_whatever_their_index_is() -> None:
    def read_calls(*indexes: object) -> list[tuple[str, str]]:
        sent: list[object] = []
        for number, index in enumerate(indexes):
            piece = added(index, type="input_json_delta", partial_json=f'{{"n":{number}}}')
            sent += [opened(index, **TOOL | {"id": str(number)}), piece, closed(index)]
        calls = (
            added_up(check_chat(read(START, *sent, noted("tool_use"), STOP))).choices[0].message.tool_calls
        )
        return [(call.id, call.function.arguments) for call in calls or ()]

    spellings: list[tuple[object, object]] = [
        (0, 0),
        (None, None),
        ("0", "1"),
        (-1, -1),
        (0.0, 1.0),
        ("a", "b"),
        ({}, []),
    ]
    for indexes in spellings:
        assert read_calls(*indexes) == [("0", '{"n":0}'), ("1", '{"n":1}')], indexes


def test_what_a_newer_page_of_the_api_holds_costs_no_stream() -> None:
    """Of blocks and deltas that nobody here knows, no field has a type."""
    odd = {"type": "text", "text": None, "citations": None}
    said = read(
        {"type": "message_start", "message": {"id": None, "usage": None}},
        opened(0, type="confetti", id=5, name=[], text={"a": 1}, input="x"),
        added(0, type="confetti_delta", text=5, partial_json={}),
        opened(1, **odd),
        added(1, type="text_delta", text="hi", partial_json=None, signature=None),
        added(1, type="citations_delta", citation={"type": "page_location"}),
        noted("refusal", stop_details="odd"),
        STOP,
    )
    assert [delta["content"] for delta in deltas(said) if "content" in delta] == ["", "hi"]


def test_a_call_without_an_id_gets_one_of_its_own() -> None:
    said = read(START, opened(0, type="tool_use", name="f"), noted("tool_use"), STOP)
    assert b'"id":"call_msg1_0"' in said


def test_arguments_that_come_as_text_are_the_arguments() -> None:
    said = read(START, opened(0, type="tool_use", id="1", name="f", input='{"a":1}'), noted("tool_use"), STOP)
    assert [
        call.function.arguments for call in added_up(check_chat(said)).choices[0].message.tool_calls or ()
    ] == ['{"a":1}']


def test_content_in_front_of_a_malformed_event_is_kept() -> None:
    """However the bytes were cut: it was said."""
    stream = new()
    with pytest.raises(UpstreamMalformed):
        stream.feed(sse(START, opened(0, type="text", text="hi"), "nonsense"))
    assert b'"content":"hi"' in stream.rest() and stream.rest() == b""


def test_blocks_that_are_never_closed_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_stream, "MAX_OPEN_BLOCKS", 10)
    stream = new()
    with pytest.raises(UpstreamMalformed, match="10 blocks"):
        stream.feed(sse(START, *[opened(index, type="text") for index in range(11)]))


def test_thinking_that_is_held_for_its_signature_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_stream, "MAX_EVENT_BYTES", 100)
    stream = new()
    stream.feed(sse(START, opened(0, type="thinking")))
    with pytest.raises(UpstreamMalformed, match="100"):
        stream.feed(sse(*[added(0, type="thinking_delta", thinking="0123456789")] * 11))


def test_counts_that_a_later_event_zeroes_are_kept() -> None:
    """Of the prompt, of the cache, and of what the model wrote."""
    start = {"input_tokens": 25, "cache_read_input_tokens": 100, "output_tokens": 1}
    zeroed = {"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 7}
    late = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 0}}
    sent = read(
        {"type": "message_start", "message": {**BEGUN, "usage": start}},
        {**noted(), "usage": zeroed},
        late,
        STOP,
        include_usage=True,
    )
    usage = check_chat(sent)[-1]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (125, 7, 132)
    assert usage["prompt_tokens_details"]["cached_tokens"] == 100


def test_a_tool_call_carries_the_signed_thinking_in_front_of_it() -> None:
    """For clients that keep `reasoning_details` by the id of the call, as OpenClaw does."""
    sent = deltas(
        read(
            START,
            opened(0, type="thinking", thinking=""),
            added(0, type="thinking_delta", thinking="hm"),
            added(0, type="signature_delta", signature="s"),
            closed(0),
            opened(1, type="tool_use", id="toolu_1", name="f", input={}),
            closed(1),
            opened(2, type="tool_use", id="toolu_2", name="f", input={}),
            closed(2),
            noted("tool_use"),
            STOP,
        )
    )
    carried = [
        (delta["tool_calls"][0]["id"], delta["reasoning_details"])
        for delta in sent
        if "reasoning_details" in delta and "tool_calls" in delta
    ]
    thinking: dict[str, object] = {"type": "thinking", "thinking": "hm", "signature": "s"}
    assert carried == [("toolu_1", [{"index": 1, **thinking_detail("toolu_1", [thinking], "")}])]
