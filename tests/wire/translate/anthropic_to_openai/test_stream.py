"""Whatever a chat service streams, Anthropic's clients read a legal stream that says the same, as the SDK reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from clawgate.errors import UpstreamClosed, UpstreamFailed, UpstreamMalformed
from clawgate.wire.translate.anthropic_to_openai import stream as messages_stream
from clawgate.wire.translate.anthropic_to_openai.stream import PING, MessagesStream
from clawgate.wire.translate.chat_upstream.stream import KEEP_ALIVE
from clawgate.wire.translate.errors import messages_event
from tests.wire.exchanges import Fed, check_messages, events, sse

DONE = b"data: [DONE]\n\n"
EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def call(index: int | None, arguments: str = "", **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": more.pop("name")} if "name" in more else {})
    piece = {"function": function, **more} | ({} if index is None else {"index": index})
    return chunk(tool_calls=[piece])


def new() -> Fed:
    return Fed(MessagesStream(model="m"))


def read(*upstream: object, done: bytes = DONE) -> bytes:
    stream = new()
    return stream.feed(sse(*upstream) + done) + stream.end()


def added_up(said: bytes) -> Any:
    """The message that the SDK makes of a stream."""
    message: Any = None
    buffers: dict[int, bytes] = {}
    for event in check_messages(said):
        read_event = EVENT.validate_python(event)
        message = accumulate_event(event=read_event, current_snapshot=message, json_bufs=buffers)
    return message


# Any legal stream


words = st.text("aé🦞\n", min_size=1, max_size=4)


@st.composite
def chats(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A legal chat stream, the pieces of its parallel calls mixed at will, and what was said in it."""
    inputs = draw(st.lists(st.dictionaries(words, words | st.integers(), max_size=2), max_size=3))
    wanting = [list(_cut(draw, json.dumps(value))) for value in inputs]
    sent = [chunk(role="assistant", content="")]
    said: dict[str, Any] = {
        "text": "",
        "thinking": "",
        "calls": [(f"call_{n}", v) for n, v in enumerate(inputs)],
    }
    begun = 0
    while True:
        moves = ["text", "thinking", "end"]
        moves += ["begin"] if begun < len(inputs) else []
        moves += [f"piece{n}" for n in range(begun) if wanting[n]]
        if len(moves) > 3:
            moves.remove("end")
        move = draw(st.sampled_from(moves))
        if move == "end" or len(sent) > 40:
            break
        if move == "begin":
            sent.append(call(begun, id=f"call_{begun}", name="f", type="function"))
            begun += 1
        elif move.startswith("piece"):
            number = int(move[5:])
            sent.append(call(number, wanting[number].pop(0)))
        else:
            piece = draw(words)
            said[move] += piece
            sent.append(chunk(**{"content" if move == "text" else "reasoning_content": piece}))
    for number in range(len(inputs)):
        if number >= begun:
            sent.append(call(number, id=f"call_{number}", name="f"))
        sent += [call(number, piece) for piece in wanting[number]]
    sent.append(chunk("tool_calls" if inputs else "stop"))
    sent.append({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}})
    return sent, said


def _cut(draw: st.DrawFn, whole: str) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=2)))
    return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


@given(chats(), st.booleans())
def test_the_sdk_adds_a_stream_up_to_what_was_said(
    exchange: tuple[list[dict[str, Any]], dict[str, Any]], done: bool
) -> None:
    sent, said = exchange
    message = added_up(read(*sent, done=DONE if done else b""))
    blocks = message.content
    assert "".join(block.text for block in blocks if block.type == "text") == said["text"]
    assert "".join(block.thinking for block in blocks if block.type == "thinking") == said["thinking"]
    assert [(block.id, block.input) for block in blocks if block.type == "tool_use"] == said["calls"]
    assert message.stop_reason == ("tool_use" if said["calls"] else "end_turn")
    assert (message.usage.input_tokens, message.usage.output_tokens) == (9, 4)


# One thing at a time


def test_a_long_call_streams_while_the_second_waits() -> None:
    stream = new()
    stream.feed(sse(call(0, '{"a":"', id="a", name="f"), call(1, id="b", name="f")))
    assert b'"partial_json":"{' in stream.feed(sse(call(0, "x" * messages_stream.CALL_WAITS_BYTES)))
    assert stream.feed(sse(call(1, "{}"))) == b""
    assert b'"partial_json":"\\"}"' in stream.feed(sse(call(0, '"}')))


def test_a_text_ends_where_a_call_begins_that_waits() -> None:
    stream = new()
    said = stream.feed(sse(chunk(content="hi"), call(0, id="a", name="f")))
    assert events(said)[-1]["type"] == "content_block_stop"


@pytest.mark.parametrize(
    "sent",
    [
        [call(0, "{}", id="a", name="f"), call(0, '{"x":1}', id="b", name="f")],
        [call(None, "{}", id="a", name="f"), call(None, '{"x":1}', id="b", name="f")],
        [call(None, "{", id="a", name="f"), call(None, "}"), call(None, '{"x"', id="b", name="f"), call(None, ":1}")],
        [call(0, "{", id="a", name="f"), call(1, '{"x"', id="b", name="f"), call(0, "}", id="a"),
         call(1, ":1}", id="b")],
        [call(0, "{", name="f"), call(0, "}", id="a"), call(1, "", id="b"), call(1, '{"x":1}', name="f")],
    ],
    ids=["one index for all", "no index", "no index, in pieces", "id in every piece", "id and name late"],
)  # fmt: skip
def test_calls_are_told_apart_however_the_server_numbers_them(sent: list[dict[str, Any]]) -> None:
    message = added_up(read(*sent, chunk("tool_calls")))
    assert [(block.id, block.input) for block in message.content] == [("a", {}), ("b", {"x": 1})]


@pytest.mark.parametrize("indexes", [("0", "1"), (0.0, 1.0), (-1, -2), (None, None), ([], {}), (True, False)])
def test_whole_calls_are_told_apart_whatever_their_index_is(indexes: tuple[Any, Any]) -> None:
    sent = [call(0, arguments, name=name) for name, arguments in (("f", "{}"), ("g", '{"x":1}'))]
    for one, index in zip(sent, indexes, strict=True):
        one["choices"][0]["delta"]["tool_calls"][0]["index"] = index
        one["choices"][0]["index"] = "0"
    message = added_up(read(*sent, chunk("tool_calls")))
    assert [(block.name, block.input) for block in message.content] == [("f", {}), ("g", {"x": 1})]


def test_a_call_without_an_id_gets_one() -> None:
    message = added_up(read(call(0, "{}", name="f"), chunk("stop")))
    assert message.content[0].id == "call_c_0" and message.stop_reason == "tool_use"


def test_signatures_stay_with_their_thinking() -> None:
    """From a gateway that has Anthropic behind it, in the form that ours sends: whole, when the block ends."""
    first = [{"index": 0, "type": "thinking", "thinking": "ab", "signature": "s"}]
    second = [
        {"type": "redacted_thinking", "data": "d"},
        {"type": "thinking", "thinking": "c", "signature": "t"},
    ]
    sent = [chunk(reasoning_content="a"), chunk(reasoning_content="b"), chunk(thinking_blocks=first),
            chunk(thinking_blocks=second), chunk(content="x"), chunk("stop")]  # fmt: skip
    blocks = [block.to_dict() for block in added_up(read(*sent)).content]
    assert blocks == [
        {"type": "thinking", "thinking": "ab", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "thinking", "thinking": "c", "signature": "t"},
        {"type": "text", "text": "x"},
    ]


def test_a_signature_is_kept_where_the_thinking_is_not_shown() -> None:
    """Anthropic can leave out the words and still wants the signature back."""
    entry = [{"type": "thinking", "thinking": "", "signature": "s"}]
    for before in ([], [call(0, "{}", id="1", name="f")]):
        message = added_up(read(*before, chunk(thinking_blocks=entry), chunk(content="x"), chunk("stop")))
        shown = [block.to_dict() for block in message.content if block.type != "tool_use"]
        assert shown == [*entry, {"type": "text", "text": "x"}]


def test_thinking_behind_an_open_call_waits_for_its_end() -> None:
    entry = [{"type": "thinking", "thinking": "ab", "signature": "s"}]
    sealed = [{"type": "redacted_thinking", "data": "d"}]
    sent = [call(0, "{", id="1", name="f"), chunk(reasoning="a"), chunk(reasoning="b"), chunk(thinking_blocks=entry),
            chunk(thinking_blocks=sealed), chunk(reasoning="c"), call(0, "}"), chunk("tool_calls")]  # fmt: skip
    blocks = [block.to_dict() for block in added_up(read(*sent)).content]
    assert blocks == [
        {"type": "tool_use", "id": "1", "name": "f", "input": {}},
        {"type": "thinking", "thinking": "ab", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "thinking", "thinking": "c", "signature": ""},
    ]


def test_signed_thinking_behind_an_open_call_stays_in_its_blocks() -> None:
    entries = [{"type": "thinking", "thinking": word, "signature": word * 2} for word in ("a", "b")]
    sent = [call(0, "{}", id="1", name="f"), chunk(thinking_blocks=entries), chunk("tool_calls")]
    assert [block.to_dict() for block in added_up(read(*sent)).content[1:]] == entries


def test_a_call_whose_name_comes_late_keeps_its_place() -> None:
    sent = [call(0, id="a"), call(1, "{}", id="b", name="g"), call(0, "{}", name="f"), chunk("tool_calls")]
    assert [(block.id, block.name) for block in added_up(read(*sent)).content] == [("a", "f"), ("b", "g")]


def test_thinking_beside_the_same_reasoning_is_sent_once() -> None:
    """As other gateways stream it."""
    sent = [
        chunk(reasoning_content="a", thinking_blocks=[{"type": "thinking", "thinking": "a"}]),
        chunk(reasoning_content="b", thinking_blocks=[{"type": "thinking", "thinking": "b"}]),
        chunk(thinking_blocks=[{"type": "thinking", "thinking": "", "signature": "s"}]),
        chunk("stop"),
    ]
    (block,) = added_up(read(*sent)).content
    assert (block.thinking, block.signature) == ("ab", "s")


def test_a_refusal_is_text_and_the_reason() -> None:
    message = added_up(read(chunk(refusal="No."), chunk("stop")))
    assert message.content[0].text == "No." and message.stop_reason == "refusal"


def test_other_choices_are_not_read() -> None:
    other = {"choices": [{"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"}]}
    assert added_up(read(other, chunk(content="a"), chunk("length"))).content[0].text == "a"


def test_a_comment_is_a_ping_once_the_message_has_begun() -> None:
    stream = new()
    assert stream.feed(b": warm\n\n") == KEEP_ALIVE
    stream.feed(sse(chunk(role="assistant")))
    assert stream.feed(b": warm\n\n") == PING


def failed(error: bytes, *before: object) -> tuple[bytes, dict[str, Any]]:
    """What a stream gave in front of an error event, and the client's event for that."""
    stream = MessagesStream(model="m")
    fed = Fed(stream)
    with pytest.raises(UpstreamFailed):
        fed.feed(sse(*before) + error + sse(chunk("stop")) + DONE)
    assert stream.error is not None and not stream.finished
    said = fed.rest()
    check_messages(said, whole=False)
    assert fed.feed(DONE) == fed.end() == b"", "nothing comes out behind it"
    return said, events(messages_event(stream.error))[0]


@pytest.mark.parametrize("error", [{"message": "Busy.", "type": "server_error"}, "Busy."])
def test_an_error_event_ends_the_stream_and_keeps_its_message(error: object) -> None:
    said, event = failed(sse({"error": error}), chunk(content="a"))
    assert b'"text":"a"' in said
    assert event["type"] == "error" and event["error"]["message"] == "Busy."
    assert event["error"]["type"] == "api_error"


def test_an_error_without_a_message_is_an_error() -> None:
    assert "without an error message" in failed(sse({"error": {}}), chunk(content="a"))[1]["error"]["message"]


ERRORS = [
    sse({"error": {"code": 429, "message": "boom"}}),
    b'event: error\ndata: {"message":"boom"}\n\n',
    b'error: {"code":500,"message":"boom","type":"server_error"}\n\n',
]


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_of_any_form_is_raised_with_its_message(error: bytes) -> None:
    with pytest.raises(UpstreamFailed, match="boom"):
        new().feed(error)
    assert failed(error, chunk(content="a"))[1]["error"]["message"] == "boom"


def test_a_character_that_was_cut_in_two_is_whole_again() -> None:
    halves = sse(chunk(content="\ud83e"), chunk(content="\udd9e"), chunk(content="\udd9e."), chunk("stop"))
    stream = new()
    (block,) = added_up(stream.feed(halves + DONE)).content
    assert block.text == "🦞\ufffd."


def test_a_call_of_the_old_form_is_a_call() -> None:
    begun = chunk(function_call={"name": "f", "arguments": ""})
    final = added_up(read(begun, chunk(function_call={"arguments": '{"a":1}'}), chunk("function_call")))
    assert final.stop_reason == "tool_use" and final.content[0].input == {"a": 1}


def test_content_in_parts_and_strange_counts_cost_no_stream() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "Hi"},
    ]
    final = added_up(read(chunk(content=parts), {**chunk("stop"), "usage": {"completion_tokens": "5.0"}}))
    assert [block.type for block in final.content] == ["thinking", "text"] and final.usage.output_tokens == 5


def test_a_finish_reason_without_a_word_is_none() -> None:
    with pytest.raises(UpstreamMalformed, match="without a finish_reason"):
        read(chunk("", content="a"))


def test_a_stream_that_failed_is_not_finished() -> None:
    said, event = failed(sse(chunk("error", content="b")), chunk(content="a"))
    assert b'"text":"b"' in said and event["type"] == "error"


def test_nothing_is_read_behind_done() -> None:
    stream = new()
    stream.feed(sse(chunk("stop")) + DONE)
    assert stream.feed(b"data: nonsense\n\n") == stream.end() == b""


def test_done_without_a_finish_reason_is_malformed_and_an_early_end_is_a_cut() -> None:
    stream = new()
    said = stream.feed(sse(chunk(content="a")))
    check_messages(said, whole=False)
    with pytest.raises(UpstreamClosed):
        stream.end()
    with pytest.raises(UpstreamMalformed):
        stream.feed(DONE)


def test_content_in_front_of_a_malformed_event_is_kept() -> None:
    """However the bytes were cut: it was said."""
    stream = new()
    with pytest.raises(UpstreamMalformed):
        stream.feed(sse(chunk(content="hi")) + DONE)
    assert b'"text":"hi"' in stream.rest() and stream.rest() == b""


def test_a_complete_message_in_one_event_is_sent() -> None:
    """A message behind pieces repeats them, as some servers do."""
    whole = {"index": None, "message": {"content": "hi", "refusal": {}}, "finish_reason": "stop"}
    assert added_up(read({"id": 5, "choices": [whole]})).content[0].text == "hi"
    assert added_up(read(chunk(content="hi"), {"choices": [whole]})).content[0].text == "hi"


def test_a_complete_message_behind_its_pieces_is_not_sent_again() -> None:
    whole = {
        "choices": [
            {"message": call(0, "{}", id="a", name="f")["choices"][0]["delta"], "finish_reason": "stop"}
        ]
    }
    assert len(added_up(read(call(0, "{}", id="a", name="f"), whole)).content) == 1


@pytest.mark.parametrize("warm", [b"data:\n\n", b"data\n\n", b"data:  \ndata:\n\n"])
def test_an_event_of_nothing_keeps_the_stream_warm(warm: bytes) -> None:
    stream = new()
    said = stream.feed(warm + sse(chunk(content="hi")) + warm + sse(chunk("stop")) + warm + DONE)
    assert said.startswith(KEEP_ALIVE) and added_up(said).content[0].text == "hi"


def test_a_call_that_never_gets_a_name_is_malformed() -> None:
    stream = new()
    stream.feed(sse(call(0, "{}", id="a"), chunk("tool_calls")))
    with pytest.raises(UpstreamMalformed, match="without a name"):
        stream.end()


@pytest.mark.parametrize(
    "piece", [call(1, "0123456789"), call(1), chunk(content="0123456789"), chunk(reasoning_content="0123456789"),
              chunk(thinking_blocks=[{"type": "redacted_thinking", "data": "d"}])]
)  # fmt: skip
def test_what_waits_for_the_open_call_is_bounded(
    monkeypatch: pytest.MonkeyPatch, piece: dict[str, Any]
) -> None:
    monkeypatch.setattr(messages_stream, "MAX_EVENT_BYTES", 1000)
    stream = new()
    stream.feed(sse(call(0, id="a", name="f")))
    with pytest.raises(UpstreamMalformed, match="1000"):
        stream.feed(sse(*[piece] * 20))
