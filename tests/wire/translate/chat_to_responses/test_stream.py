"""Whatever a Responses server streams, the chat client reads a legal stream that says the same, as the official SDK
reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from clawgate.errors import UpstreamClosed, UpstreamFailed, UpstreamMalformed
from clawgate.wire.openai.assembly import ChatAssembler
from clawgate.wire.openai.chunks import DONE
from clawgate.wire.sse.reader import EventReader
from clawgate.wire.translate.chat_to_responses import reasoning
from clawgate.wire.translate.chat_to_responses import stream as chat_stream
from clawgate.wire.translate.chat_to_responses.output_items import MAX_ITEMS
from clawgate.wire.translate.chat_to_responses.stream import KEEP_ALIVE
from clawgate.wire.translate.chat_to_responses.translator import ChatToResponses
from clawgate.wire.translate.errors import chat_event
from tests.wire.exchanges import NAMES, Fed, check_chat, events, recorded, sse

CREATED = {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": []}}
COUNTS = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


def exchange() -> ChatToResponses:
    return ChatToResponses(requested_model="m", upstream_model="gpt-5", created=1, unique_id="u1")


def ended(*output: Any, kind: str = "completed", **members: Any) -> dict[str, Any]:
    response = {"id": "resp_1", "status": kind, "output": list(output), "usage": COUNTS, **members}
    return {"type": f"response.{kind}", "response": response}


def said(text: str, **members: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "role": "assistant", "status": "completed", "content": content, **members}


def called(name: str = "f", arguments: str = "{}", **members: Any) -> dict[str, Any]:
    return {"type": "function_call", "status": "completed", "name": name, "arguments": arguments, **members}


def delta(text: str, **members: Any) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "delta": text, **members}


def read(*upstream: object) -> bytes:
    fed = Fed(exchange())
    return fed.feed(sse(*upstream)) + fed.end()


def added_up(stream: bytes) -> Any:
    """The message that OpenAI's SDK makes of a stream."""
    state: Any = ChatCompletionStreamState()
    for chunk in check_chat(stream):
        if '"custom"' in json.dumps(
            chunk
        ):  # of custom tools the SDK has no type in a stream: it reads without one
            state.handle_chunk(ChatCompletionChunk.construct(None, **chunk))
        else:
            state.handle_chunk(ChatCompletionChunk.model_validate(chunk, strict=True))
    return state.get_final_completion()


def reason_of(stream: bytes) -> str:
    """The last finish reason of a stream."""
    choices = [choice for chunk in check_chat(stream) for choice in chunk["choices"]]
    return str(choices[-1]["finish_reason"])


def message_of(*upstream: object) -> Any:
    return added_up(read(*upstream)).choices[0].message


# Any legal stream, and most others


words = st.text("aé🦞\n", min_size=1, max_size=5)
MODES = ("as documented", "without ids", "without indexes", "another id each time", "one index for all")


@st.composite
def pieces_of(draw: st.DrawFn, whole: str) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=3)))
    return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


class Upstream:
    """A scripted server's events for its items."""

    def __init__(self, draw: st.DrawFn, mode: str, index: int, item: dict[str, Any]) -> None:
        self._draw, self._mode, self._index, self._item = draw, mode, index, item
        self._count = 0
        self._has_texts = draw(st.booleans())

    def _named(self) -> dict[str, Any]:
        self._count += 1
        named: dict[str, Any] = {"item_id": self._item["id"], "output_index": self._index}
        match self._mode:
            case "without ids":
                del named["item_id"]
            case "without indexes":
                del named["output_index"]
            case "another id each time":
                named["item_id"] += f"_{self._count}"
            case "one index for all":
                named["output_index"] = 0
        return named

    def _of_item(self, kind: str, item: dict[str, Any]) -> dict[str, Any]:
        named = self._named()
        shown = {**item, "id": named.pop("item_id", None)}
        return {"type": f"response.output_item.{kind}", "item": shown, **named}

    def _text(self, name: str, whole: str, member: str, **place: int) -> list[dict[str, Any]]:
        """A text in pieces, complete, or both, unless the item alone has it."""
        sent: list[dict[str, Any]] = []
        if not self._has_texts:
            return sent
        has_pieces = self._draw(st.booleans())
        if has_pieces:
            pieces = self._draw(pieces_of(whole))
            sent += [{"type": f"{name}.delta", "delta": piece, **place, **self._named()} for piece in pieces]
        if not has_pieces or self._draw(st.booleans()):
            sent.append({"type": f"{name}.done", member: whole, **place, **self._named()})
        return sent

    def events(self) -> list[dict[str, Any]]:
        item = self._item
        sent = [self._of_item("added", {**item, "content": [], "summary": [], "arguments": ""})]
        for number, part in enumerate(item.get("content", ())):
            kind = "text" if part["type"] == "output_text" else "refusal"
            name = "response.output_text" if kind == "text" else "response.refusal"
            sent += self._text(name, part[kind], kind, content_index=number)
        for number, part in enumerate(item.get("summary", ())):
            name = "response.reasoning_summary_text"
            sent += self._text(name, part["text"], "text", summary_index=number)
        if item["type"] == "function_call":
            name = "response.function_call_arguments"
            sent += self._text(name, item["arguments"], "arguments")
        return [*sent, self._of_item("done", item)]


@st.composite
def items(draw: st.DrawFn, number: int) -> dict[str, Any]:
    kind = draw(st.sampled_from(["message", "reasoning", "function_call", "web_search_call"]))
    item: dict[str, Any] = {"type": kind, "id": f"item_{number}"}
    match kind:
        case "message":
            parts: list[dict[str, Any]] = []
            for _ in range(draw(st.integers(1, 2))):
                if draw(st.booleans()):
                    parts.append({"type": "output_text", "text": draw(words), "annotations": []})
                else:
                    parts.append({"type": "refusal", "refusal": draw(words)})
            item["content"] = parts
        case "reasoning":
            item["summary"] = [
                {"type": "summary_text", "text": draw(words)} for _ in range(draw(st.integers(0, 2)))
            ]
            item["encrypted_content"] = f"sealed{number}"
        case "function_call":
            item |= {"call_id": f"call_{number}", "name": "f", "arguments": json.dumps({"a": draw(words)})}
    return item


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A stream, and the response that it is about."""
    output = [draw(items(number)) for number in range(draw(st.integers(0, 5)))]
    mode = draw(st.sampled_from(MODES))
    sent: list[dict[str, Any]] = [CREATED]
    for index, item in enumerate(output):
        sent += Upstream(draw, mode, index, item).events()
        if draw(st.booleans()):
            sent.append({"type": "response.of_next_year", "sequence_number": 1, "message": "hello"})
    last = ended(*output)
    sent.append(last)
    response = last["response"]
    if draw(st.booleans()):  # Codex' own server has no output here
        sent[-1] = {**last, "response": {**response, "output": []}}
    return sent, response


def joined(response: dict[str, Any], kind: str, holder: str, member: str) -> str:
    parts = [part for item in response["output"] for part in item.get(holder, ()) if part["type"] == kind]
    return "".join(part[member] for part in parts)


@given(streams(), st.booleans())
def test_the_sdk_adds_a_stream_up_to_the_response(
    sent: tuple[list[dict[str, Any]], dict[str, Any]], has_names: bool
) -> None:
    upstream, response = sent
    stream = read(*upstream) if has_names else read_unnamed(upstream)
    final = added_up(stream)
    message = final.choices[0].message
    assert (message.content or "") == joined(response, "output_text", "content", "text")
    assert (message.refusal or "") == joined(response, "refusal", "content", "refusal")
    extra = message.model_extra or {}
    assert extra.get("reasoning_content", "").replace("\n", "") == joined(
        response, "summary_text", "summary", "text"
    ).replace("\n", "")
    details = extra.get("reasoning_details", [])
    sealed = [entry["data"] for entry in details if "data" in entry and entry["format"] == reasoning.FORMAT]
    assert sealed == [item["encrypted_content"] for item in response["output"] if item["type"] == "reasoning"]
    calls = [
        json.loads(call.function.arguments) for call in message.tool_calls or () if call.type == "function"
    ]
    assert calls == [json.loads(item["arguments"]) for item in response["output"] if "arguments" in item]
    ids = [call.id for call in message.tool_calls or ()]
    assert ids == [item["call_id"] for item in response["output"] if "call_id" in item]
    assert final.choices[0].finish_reason == ("tool_calls" if ids else "stop")


def read_unnamed(upstream: list[dict[str, Any]]) -> bytes:
    """The client's stream if no event has an `event:` line."""
    fed = Fed(exchange())
    stream = "".join(f"data: {json.dumps(event)}\n\n" for event in upstream).encode()
    return fed.feed(stream) + fed.end()


def as_read(message: Any) -> dict[str, Any]:
    """What a message says, but for how it is spelt in a stream."""
    fields = message.model_dump(exclude_none=True, exclude_unset=True)
    fields.pop("parsed", None)
    details = [one for one in fields.get("reasoning_details", ()) if one["format"] == reasoning.FORMAT]
    fields["reasoning_details"] = details
    for detail in details:
        detail.pop("index", None)
        detail.pop("id", None)  # which some servers leave out or change
    for call in fields.get("tool_calls", ()):
        call.pop("index", None)
        call.get("function", {}).pop("parsed_arguments", None)
    return {name: value for name, value in fields.items() if value not in ("", [], None)}


@given(streams())
def test_a_stream_says_what_the_complete_response_says(
    sent: tuple[list[dict[str, Any]], dict[str, Any]],
) -> None:
    upstream, response = sent
    body = exchange().translate_response(json.dumps(response).encode())
    whole = ChatCompletion.model_validate_json(body, strict=True)
    streamed = as_read(added_up(read(*upstream)).choices[0].message)
    assert streamed == as_read(whole.choices[0].message)
    again = exchange().response_as_stream(json.dumps(response).encode())
    assert as_read(added_up(again).choices[0].message) == as_read(whole.choices[0].message)


@given(streams(), st.data())
def test_any_order_of_events_gives_a_legal_stream(
    sent: tuple[list[dict[str, Any]], dict[str, Any]], data: st.DataObject
) -> None:
    """Events lost, doubled and shuffled in front of the last one."""
    *upstream, last = sent[0]
    mixed = data.draw(st.lists(st.sampled_from(upstream), max_size=12))
    fed = Fed(exchange())
    try:
        stream = fed.feed(sse(*mixed, last)) + fed.end()
    except UpstreamMalformed:  # nothing that is left of a call names it
        assert "function_call" in str(mixed)
        check_chat(fed.rest(), whole=False)
        return
    final = added_up(stream)
    assert final.choices[0].finish_reason in ("stop", "tool_calls")
    ids = [call.id for call in final.choices[0].message.tool_calls or ()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("chat_to_responses")])
def test_what_is_recorded_is_what_the_sdk_knows(name: str) -> None:
    known: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
    for event in events(recorded(name, "upstream_stream.txt")):
        known.validate_python(event)
    ChatCompletion.model_validate_json(recorded(name, "answer.json"), strict=True)


# One thing at a time


def test_messages_that_are_mixed_follow_each_other() -> None:
    mixed = [
        delta("A", output_index=0),
        delta("x", output_index=1),
        {"type": "response.output_text.done", "text": "xy", "output_index": 1},
        delta("B", output_index=0),
        {"type": "response.output_text.done", "text": "AB", "output_index": 0},
        ended(said("AB"), said("xy")),
    ]
    assert message_of(*mixed).content == "ABxy"
    assert message_of(*mixed[:-1], ended()).content == "ABxy"


def test_a_message_that_is_never_done_holds_no_other_back_for_ever() -> None:
    assert message_of(delta("A", output_index=0), delta("x", output_index=1), ended()).content == "Ax"


def test_pieces_behind_the_complete_text_repeat_it() -> None:
    done = {"type": "response.output_text.done", "text": "ab", "item_id": "m"}
    pieces = [delta("a", item_id="m"), delta("b", item_id="m")]
    item = {"type": "response.output_item.done", "item": said("ab", id="m"), "output_index": 0}
    again = {"type": "response.output_item.added", "item": said("", id="m"), "output_index": 0}
    for upstream in (
        [done, *pieces],
        [pieces[0], done, pieces[1]],
        [item, done, *pieces],
        [item, again, *pieces],
    ):
        assert message_of(*upstream, ended()).content == "ab"
        assert message_of(*upstream, ended(said("ab", id="m"))).content == "ab"


@pytest.mark.parametrize("item_id", [None, "always the same"])
def test_messages_without_names_of_their_own_follow_each_other(item_id: str | None) -> None:
    upstream: list[Any] = []
    for text in ("ab", "cd"):
        begins = {"type": "response.output_item.added", "item": said("", id=item_id)}
        upstream += [begins, *(delta(letter, item_id=item_id) for letter in text)]
        upstream.append({"type": "response.output_text.done", "text": text, "item_id": item_id})
        upstream.append({"type": "response.output_item.done", "item": said(text, id=item_id)})
    whole = ended(said("ab", id=item_id), said("cd", id=item_id))
    assert message_of(*upstream, ended()).content == message_of(*upstream, whole).content == "abcd"
    bare = [event for event in upstream if event["type"] != "response.output_item.added"]
    assert item_id or message_of(*bare, whole).content == "abcd"


def test_a_call_begins_with_any_of_its_events() -> None:
    piece = {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": '{"a"'}
    rest = {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": ":1}"}
    begins = {"type": "response.output_item.added", "item": called(arguments="", id="fc_1", call_id="call_1")}
    for order in ([piece, begins, rest], [begins, piece, rest], [piece, rest, begins]):
        [call] = message_of(*order, ended()).tool_calls
        assert (call.id, call.function.name, call.function.arguments) == ("call_1", "f", '{"a":1}')


def test_a_call_of_a_custom_tool_has_text_for_its_input() -> None:
    """In complete chunks alone: the SDK has no type for it in a stream."""
    item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "c", "input": ""}
    begins = {"type": "response.output_item.added", "item": item}
    piece = {"type": "response.custom_tool_call_input.delta", "item_id": "ctc_1", "delta": "1+"}
    whole = {"type": "response.custom_tool_call_input.done", "item_id": "ctc_1", "input": "1+2"}
    for upstream in ([begins, piece, whole, ended()], [ended({**item, "input": "1+2"})]):
        assembler = ChatAssembler()
        for event in EventReader().feed(read(*upstream)):
            assembler.feed(event)
        [choice] = ChatCompletion.model_validate_json(assembler.complete(), strict=True).choices
        assert choice.message.tool_calls is not None
        call = choice.message.tool_calls[0]
        assert call.type == "custom" and (call.id, call.custom.input) == ("call_1", "1+2")
        assert choice.finish_reason == "tool_calls"


def test_a_call_whose_item_never_comes_is_named_by_its_arguments() -> None:
    whole = {
        "type": "response.function_call_arguments.done",
        "item_id": "fc_1",
        "name": "f",
        "arguments": "{}",
    }
    [call] = message_of(whole, ended()).tool_calls
    assert (call.id, call.function.name) == ("fc_1", "f")
    with pytest.raises(UpstreamMalformed, match="without a name"):
        read({**whole, "name": None}, ended())


@pytest.mark.parametrize(("arguments", "read_as"), [("", "{}"), (None, "{}"), ({"a": 1}, '{"a":1}')])
def test_arguments_are_json_whatever_the_server_sends(arguments: Any, read_as: str) -> None:
    [call] = message_of(ended(called(arguments=arguments, call_id="c"))).tool_calls
    assert call.function.arguments == read_as


def test_arguments_that_came_are_not_completed_by_guess() -> None:
    piece = {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": "["}
    begins = {"type": "response.output_item.added", "item": called(arguments="", id="fc_1", call_id="call_1")}
    assert message_of(begins, piece, ended()).tool_calls[0].function.arguments == "["


def test_a_call_that_the_limit_cut_off_stays_cut_off() -> None:
    last = ended(
        called(arguments="", call_id="c", status="incomplete"),
        kind="incomplete",
        incomplete_details={"reason": "max_output_tokens"},
    )
    stream = read(last)
    assert reason_of(stream) == "length" and b'"arguments":"{' not in stream


@pytest.mark.parametrize("call_id", ["", None, 7, "twice"])
def test_calls_with_the_same_id_or_none_get_ids_of_their_own(call_id: object) -> None:
    calls = message_of(ended(called(call_id=call_id), called("g", call_id=call_id))).tool_calls
    assert len({call.id for call in calls}) == 2 and all(call.id for call in calls)


@pytest.mark.parametrize(
    "opens", [{"type": "response.created"}, {"type": "response.queued", "response": {"id": "resp_9"}}]
)
def test_the_id_is_the_upstream_s_if_it_comes_in_time(opens: dict[str, Any]) -> None:
    stream = check_chat(read(opens, delta("a"), ended()))
    assert {chunk["id"] for chunk in stream} == {"resp_9" if "response" in opens else "chatcmpl-u1"}


def test_the_larger_count_stays() -> None:
    early = {"type": "response.in_progress", "response": {"id": "r", "usage": {"input_tokens": 25}}}
    counts = {"input_tokens": 0, "output_tokens": 7, "input_tokens_details": {"cached_tokens": 5}}
    fed = Fed(exchange())
    said_now = fed.feed(sse(early, ended(usage=counts))) + fed.end()
    usage = check_chat(said_now)[-1]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (25, 7, 32)
    assert usage["prompt_tokens_details"]["cached_tokens"] == 5


def test_citations_point_into_the_joined_content() -> None:
    cites = {"type": "url_citation", "start_index": 0, "end_index": 2, "url": "u", "title": "t"}
    event = {
        "type": "response.output_text.annotation.added",
        "item_id": "m2",
        "annotation_index": 0,
        "annotation": cites,
    }
    done = {"type": "response.output_text.done", "item_id": "m1", "text": "ab"}
    second = said("cd", id="m2")
    second["content"][0]["annotations"] = [cites, {"type": "file_path"}]
    pieces = [delta("ab", item_id="m1"), done, delta("cd", item_id="m2"), event, ended()]
    for upstream in (pieces, [ended(said("ab", id="m1"), second)]):
        [citation] = message_of(*upstream).annotations
        assert citation.url_citation.model_dump() == {
            "start_index": 2, "end_index": 4, "url": "u", "title": "t"
        }  # fmt: skip


def test_probabilities_of_tokens_come_with_their_words() -> None:
    token = {"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "b", "logprob": -1.0}]}
    final = added_up(read(delta("a", logprobs=[token]), ended()))
    [known] = final.choices[0].logprobs.content
    assert (known.token, known.logprob, known.bytes, known.top_logprobs[0].token) == ("a", -0.5, None, "b")


def test_open_reasoning_is_carried_as_text() -> None:
    item = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "hm"}],
    }
    old = {"type": "response.reasoning.delta", "item_id": "rs_1", "delta": "h"}
    for upstream in ([ended(item)], [old, ended(item)]):
        message = message_of(*upstream)
        assert message.reasoning_content == "hm"
        [detail] = message.reasoning_details
        assert {name: value for name, value in detail.items() if name != "index"} == {
            "type": "reasoning.text", "text": "hm", "id": "rs_1", "format": "openai-responses-v1"
        }  # fmt: skip


def test_what_a_newer_version_sends_adds_nothing() -> None:
    strange = [
        {"type": "keepalive", "sequence_number": 3},
        {"type": "response.image_generation_call.partial_image", "item_id": "i", "partial_image_b64": "aGk="},
        {"type": "response.output_item.added", "item": "no object"},
        {"type": "response.output_item.done", "item": {"type": "of_next_year", "content": "words"}},
        {"type": "response.content_part.done", "part": {"type": "of_next_year", "text": "words"}},
        {"type": "response.output_text.delta", "delta": {"text": "x"}},
    ]
    assert message_of(CREATED, *strange, delta("a"), ended()).content == "a"


def test_comments_keep_the_client_waiting() -> None:
    assert Fed(exchange()).feed(b": ping\n\n") == KEEP_ALIVE


# The end


@pytest.mark.parametrize(
    ("kind", "details", "reason"),
    [
        ("completed", None, "stop"),
        ("incomplete", {"reason": "max_output_tokens"}, "length"),
        ("incomplete", {"reason": "content_filter"}, "content_filter"),
        ("incomplete", {"reason": "steered"}, "stop"),
        ("incomplete", None, "length"),
    ],
)
@pytest.mark.parametrize("status", ["as it is", "missing", "stale"])
def test_the_finish_reason_is_why_the_response_ended(
    kind: str, details: object, reason: str, status: str
) -> None:
    last = ended(said("a"), kind=kind, incomplete_details=details)
    if status != "as it is":
        last["response"]["status"] = "in_progress" if status == "stale" else None
    assert reason_of(read(CREATED, last)) == reason


def test_a_stream_that_is_cut_never_has_a_finish_reason() -> None:
    upstream = sse(CREATED, delta("a"), {"type": "response.output_item.done", "item": said("a")})
    fed = Fed(exchange())
    stream = fed.feed(upstream)
    with pytest.raises(UpstreamClosed):
        fed.end()
    check_chat(stream, whole=False)
    with pytest.raises(UpstreamMalformed, match="DONE"):
        fed.feed(b"data: [DONE]\n\n")


def test_what_follows_the_end_adds_nothing_unless_it_is_a_failure() -> None:
    fed = Fed(exchange())
    assert fed.feed(sse(ended(said("a")))).endswith(DONE)
    assert fed.feed(b"data: [DONE]\n\ndata: nonsense\n\n: comment\n\n" + sse(delta("b"))) == b""
    assert fed.end() == b""
    with pytest.raises(UpstreamFailed, match="boom"):
        fed.feed(sse({"type": "response.failed", "response": {"error": {"message": "boom"}}}))


FAILURES = [
    {"type": "error", "code": "rate_limit_exceeded", "message": "boom", "param": None, "sequence_number": 1},
    {"type": "error", "error": {"type": "x", "code": "rate_limit_exceeded", "message": "boom", "param": None}},
    {"error": {"code": "rate_limit_exceeded", "message": "boom"}},
    {"type": "response.failed",
     "response": {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "boom"}}},
    {"type": "response.completed",
     "response": {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "boom"}}},
    {"type": "response.of_next_year", "error": {"code": "rate_limit_exceeded", "message": "boom"}},
]  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("before", [[], [CREATED], [CREATED, delta("a")]])
def test_a_failure_is_raised_with_its_message_and_never_looks_finished(
    failure: dict[str, Any], before: list[Any]
) -> None:
    made = exchange()
    fed = Fed(made)
    stream = fed.feed(sse(*before))
    with pytest.raises(UpstreamFailed, match="boom") as caught:
        fed.feed(sse(failure))
    assert caught.value.status == 429
    check_chat(stream + fed.rest(), whole=False)
    [event] = events(made.error_event())
    assert event["error"]["code"] == "rate_limit_exceeded" and event["error"]["message"] == "boom"
    assert made.error_event() == chat_event(made._streamed.error)  # type: ignore[arg-type]  # it is set


@pytest.mark.parametrize("kind", ["response.failed", "response.cancelled", "error"])
def test_a_failure_without_a_message_is_one(kind: str) -> None:
    with pytest.raises(UpstreamFailed):
        read(CREATED, {"type": kind, "response": {"status": kind.removeprefix("response."), "error": None}})


def test_an_event_without_a_type_is_named_by_its_line_or_malformed() -> None:
    fed = Fed(exchange())
    stream = fed.feed(b'event: response.output_text.delta\ndata: {"delta":"a"}\n\n' + sse(ended()))
    assert added_up(stream + fed.end()).choices[0].message.content == "a"
    with pytest.raises(UpstreamMalformed):
        read({"choices": [{"delta": {"content": "a"}}]})


def test_items_and_what_is_held_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UpstreamMalformed, match="items"):
        read(*({"type": "response.output_item.added", "item": called()} for _ in range(MAX_ITEMS + 1)))
    monkeypatch.setattr(chat_stream, "MAX_EVENT_BYTES", 200)
    held = {"type": "response.function_call_arguments.delta", "delta": "x" * 100}
    with pytest.raises(UpstreamMalformed, match="bytes"):
        read(held, held)
