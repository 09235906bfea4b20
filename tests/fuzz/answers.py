"""Makes answers of a model, and the event streams in which servers of either dialect send them.

Nothing here knows the product: an `Answer` says what a client has to see, a stream is one of the many legal ways to
send it. Sources of the event orders: the streaming references of OpenAI's chat completions and Anthropic's Messages.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

TEXTS = st.sampled_from(
    ["hi", "Grüße 🦞", "two\nlines", " ", "\u2028", "x" * 99, "data: [DONE]\n\n", "event: message_stop\n\n",
     '{"error":{"message":"no"}}', "finish_reason", "[DONE]", "\x00", "a\r\nb", "\\n", '"type":"message_stop"']
)  # fmt: skip
ARGUMENTS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["city", "ü", "x"]),
    st.one_of(st.integers(-(2**53), 2**53), TEXTS, st.none(), st.lists(st.booleans(), max_size=2)),
    max_size=3,
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answers: thinking, then text, then calls; why it stops (OpenAI's word), and what it cost."""

    thinking: str
    text: str
    calls: tuple[Call, ...]
    stop: str
    prompt: int
    cached: int
    output: int


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Any answer; one without text has calls."""
    calls = tuple(
        Call(f"call_{number}x", name, json.dumps(arguments, ensure_ascii=draw(st.booleans())))
        for number, (name, arguments) in enumerate(
            draw(st.lists(st.tuples(st.sampled_from(["weather", "clock"]), ARGUMENTS), max_size=3))
        )
    )
    stop = draw(st.sampled_from(["tool_calls", "length"] if calls else ["stop", "length"]))
    cached = draw(st.integers(0, 9))
    text = "".join(draw(st.lists(TEXTS, min_size=0 if calls else 1, max_size=3)))
    return Answer(
        thinking="".join(draw(st.lists(TEXTS, max_size=2))),
        text=text,
        calls=calls,
        stop=stop,
        prompt=cached + draw(st.integers(1, 90)),
        cached=cached,
        output=draw(st.integers(1, 90)),
    )


def _pieces(draw: st.DrawFn, text: str) -> list[str]:
    """The text in one to four pieces, none of them empty; no piece for no text."""
    places = sorted({draw(st.integers(0, len(text))) for _ in range(draw(st.integers(0, 3)))})
    bounds = [0, *places, len(text)]
    return [text[start:end] for start, end in itertools.pairwise(bounds) if end > start]


# OpenAI


def _chunk(delta: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": None}], **more}  # fmt: skip


def _chat_usage(answer: Answer) -> dict[str, Any]:
    return {
        "prompt_tokens": answer.prompt,
        "completion_tokens": answer.output,
        "total_tokens": answer.prompt + answer.output,
        "prompt_tokens_details": {"cached_tokens": answer.cached},
    }


def _call_pieces(draw: st.DrawFn, answer: Answer) -> list[dict[str, Any]]:
    """The deltas of all calls: one call after the other or mixed, in pieces, whole, or all in one delta."""
    style = draw(st.sampled_from(["pieces", "mixed", "whole", "one delta", "no index", "named again"]))
    queues: list[list[dict[str, Any]]] = []
    for index, call in enumerate(answer.calls):
        first = {"index": index, "id": call.id, "type": "function",
                 "function": {"name": call.name, "arguments": ""}}  # fmt: skip
        if style in ("whole", "one delta", "no index"):
            first["function"] = {"name": call.name, "arguments": call.arguments}
            queues.append([first])
            if style == "no index":
                del first["index"]
            continue
        again = {"id": call.id, "type": "function"} if style == "named again" else {}
        rest = [
            {"index": index, **again, "function": {"arguments": piece}}
            for piece in _pieces(draw, call.arguments)
        ]
        queues.append([first, *rest])
    if style == "one delta":
        return [{"tool_calls": [piece for queue in queues for piece in queue]}] if queues else []
    if style != "mixed":
        return [{"tool_calls": [piece]} for queue in queues for piece in queue]
    mixed = []
    firsts = [queue.pop(0) for queue in queues]
    while any(queues):
        queue = draw(st.sampled_from([queue for queue in queues if queue]))
        mixed.append(queue.pop(0))
    return [{"tool_calls": [piece]} for piece in [*firsts, *mixed]]


@st.composite
def chat_events(draw: st.DrawFn, answer: Answer) -> list[object]:
    """The chunks of a chat completion that holds the answer, ``[DONE]`` mostly last."""
    word = draw(st.sampled_from(["reasoning_content", "reasoning"]))
    deltas: list[dict[str, Any]] = [{word: piece} for piece in _pieces(draw, answer.thinking)]
    deltas += [{"content": piece} for piece in _pieces(draw, answer.text)]
    deltas += _call_pieces(draw, answer)
    if draw(st.booleans()):
        deltas = [{"role": "assistant", "content": draw(st.sampled_from(["", None]))}, *deltas]
    else:
        deltas[0] = {"role": "assistant", **deltas[0]}
    chunks = [_chunk(delta) for delta in deltas]
    if draw(st.booleans()):
        chunks.append(_chunk({}))
    chunks[-1]["choices"][0]["finish_reason"] = answer.stop
    match draw(st.sampled_from(["chunk", "with the finish", "in all", "zero first"])):
        case "chunk":
            chunks.append(_chunk({}, usage=_chat_usage(answer)) | {"choices": []})
        case "with the finish":
            chunks[-1]["usage"] = _chat_usage(answer)
        case "in all":
            for chunk in chunks:
                chunk["usage"] = _chat_usage(answer)
        case _:
            chunks[0]["usage"] = dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), 0)
            chunks.append(_chunk({}, usage=_chat_usage(answer)) | {"choices": []})
    return [*chunks, *(["[DONE]"] if draw(st.integers(0, 4)) else [])]


# Anthropic

STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def _block(index: int, block: dict[str, Any], deltas: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield {"type": "content_block_start", "index": index, "content_block": block}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


@st.composite
def message_events(draw: st.DrawFn, answer: Answer) -> list[object]:
    """The events of a Messages stream that holds the answer."""
    usage = {"input_tokens": answer.prompt - answer.cached, "cache_read_input_tokens": answer.cached}
    message: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
               "stop_reason": None, "stop_sequence": None, "usage": {**usage, "output_tokens": 1}}  # fmt: skip
    events: list[object] = [{"type": "message_start", "message": message}]
    index = 0
    if answer.thinking:
        said = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(draw, answer.thinking)]
        said.append({"type": "signature_delta", "signature": "c2ln"})
        events += _block(index, {"type": "thinking", "thinking": "", "signature": ""}, said)
        index += 1
    if answer.text:
        pieces = _pieces(draw, answer.text)
        begun = pieces.pop(0) if draw(st.booleans()) else ""
        said = [{"type": "text_delta", "text": piece} for piece in pieces]
        events += _block(index, {"type": "text", "text": begun}, said)
        index += 1
    for call in answer.calls:
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        said = [
            {"type": "input_json_delta", "partial_json": piece} for piece in _pieces(draw, call.arguments)
        ]
        if draw(st.booleans()):
            block["input"], said = json.loads(call.arguments), []
        elif draw(st.booleans()):
            said.insert(0, {"type": "input_json_delta", "partial_json": ""})
        events += _block(index, block, said)
        index += 1
    counts: dict[str, int] = {"output_tokens": answer.output}
    if draw(st.booleans()):
        counts |= draw(st.sampled_from([usage, dict.fromkeys(usage, 0)]))
    delta = {"stop_reason": STOP_REASONS[answer.stop], "stop_sequence": None}
    events += [{"type": "message_delta", "delta": delta, "usage": counts}, {"type": "message_stop"}]
    for extra in draw(st.lists(st.sampled_from(["ping", "vendor_note"]), max_size=2)):
        events.insert(draw(st.integers(1, len(events) - 1)), {"type": extra})
    return events


# Responses


def _numbered(events: list[dict[str, Any]]) -> list[object]:
    return [event | {"sequence_number": number} for number, event in enumerate(events)]


def _item_events(
    index: int, item: dict[str, Any], whole: dict[str, Any], inner: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    yield {"type": "response.output_item.added", "output_index": index, "item": item}
    for event in inner:
        yield event | {"output_index": index, "item_id": item["id"]}
    yield {"type": "response.output_item.done", "output_index": index, "item": whole}


def _grown(draw: st.DrawFn, name: str, member: str, text: str, place: dict[str, int]) -> list[dict[str, Any]]:
    """What a text grows by, and its end."""
    pieces = [{"type": f"response.{name}.delta", "delta": piece, **place} for piece in _pieces(draw, text)]
    return [*pieces, {"type": f"response.{name}.done", member: text, **place}]


@st.composite
def response_events(draw: st.DrawFn, answer: Answer) -> list[object]:
    """The events of a Responses stream that holds the answer."""
    output: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    if answer.thinking:
        begun: dict[str, Any] = {"id": "rs_1", "type": "reasoning", "summary": []}
        open_words = draw(st.booleans())
        kind, part_type, place = (
            ("reasoning_text", "reasoning_text", {"content_index": 0})
            if open_words
            else ("reasoning_summary_text", "summary_text", {"summary_index": 0})
        )
        parts = [{"type": part_type, "text": answer.thinking}]
        whole = begun | ({"content": parts} if open_words else {"summary": parts})
        inner = _grown(draw, kind, "text", answer.thinking, place)
        if not open_words:
            bare = {"type": part_type, "text": ""}
            inner.insert(0, {"type": "response.reasoning_summary_part.added", "part": bare, **place})
            inner.append({"type": "response.reasoning_summary_part.done", "part": parts[0], **place})
        events += _item_events(len(output), begun, whole, inner)
        output.append(whole)
    if answer.text:
        begun = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "in_progress",
            "content": [],
        }
        part = {"type": "output_text", "text": answer.text, "annotations": []}
        inner = [{"type": "response.content_part.added", "part": part | {"text": ""}, "content_index": 0}]
        inner += _grown(draw, "output_text", "text", answer.text, {"content_index": 0})
        inner.append({"type": "response.content_part.done", "part": part, "content_index": 0})
        whole = begun | {"status": "completed", "content": [part]}
        events += _item_events(len(output), begun, whole, inner)
        output.append(whole)
    for number, call in enumerate(answer.calls):
        begun = {"id": f"fc_{number}", "type": "function_call", "status": "in_progress", "call_id": call.id,
                 "name": call.name, "arguments": ""}  # fmt: skip
        inner = _grown(draw, "function_call_arguments", "arguments", call.arguments, {})
        whole = begun | {"status": "completed", "arguments": call.arguments}
        events += _item_events(len(output), begun, whole, inner)
        output.append(whole)
    reason = {"incomplete_details": {"reason": "max_output_tokens"}} if answer.stop == "length" else {}
    status = "incomplete" if reason else "completed"
    usage = {
        "input_tokens": answer.prompt,
        "input_tokens_details": {"cached_tokens": answer.cached},
        "output_tokens": answer.output,
        "total_tokens": answer.prompt + answer.output,
    }
    base = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "error": None}
    opening = {"response": {**base, "status": "in_progress", "output": []}}
    shown = output if draw(st.integers(0, 3)) else []
    final = {**base, "status": status, "output": shown, "usage": usage, **reason}
    begins = [{"type": "response.created", **opening}, {"type": "response.in_progress", **opening}]
    end = {"type": f"response.{status}", "response": final}
    return _numbered([*begins[: draw(st.integers(1, 2))], *events, end])


# Bytes


def _plain(name: str, data: str) -> str:
    return (f"event: {name}\n" if name else "") + f"data: {data}\n\n"


SPELLINGS: dict[str, Callable[[str, str], str]] = {
    "plain": _plain,
    "tight": lambda name, data: _plain(name, data).replace(": ", ":", 1 + bool(name)),
    "CRLF": lambda name, data: _plain(name, data).replace("\n", "\r\n"),
    "CR": lambda name, data: _plain(name, data).replace("\n", "\r"),
    "a comment in front": lambda name, data: f": {name}\n\n{_plain(name, data)}",
    "a comment within": lambda name, data: f":\n{_plain(name, data)}",
    "an id": lambda name, data: f"id: 1\nretry: 9\n{_plain(name, data)}",
    "the name behind": lambda name, data: f"data: {data}\n" + (f"event: {name}\n\n" if name else "\n"),
}


@st.composite
def streams(draw: st.DrawFn, events: list[object]) -> bytes:
    """The bytes of the events, each spelled in a way of its own."""
    return b"".join(_spelled(draw, event) for event in events)


def _spelled(draw: st.DrawFn, event: object) -> bytes:
    """An event as a server might write it."""
    name = event["type"] if isinstance(event, dict) and "type" in event else ""
    separators = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    data = event if isinstance(event, str) else json.dumps(
        event, separators=separators, ensure_ascii=draw(st.booleans())
    )  # fmt: skip
    return SPELLINGS[draw(st.sampled_from(list(SPELLINGS)))](name, data).encode()
