"""Scripts of a server that speaks OpenAI's Responses API: it sends the items that it is given, streamed or whole.

Written from the API reference, "Streaming events"; the official SDK knows every event (`test_responses_api`). Must not
know clawgate. Each item is sent as OpenAI does: added, its texts in pieces, each done, the item done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tests.peers.connection import Request
from tests.peers.faults import json_response, sse_response
from tests.peers.script import Script
from tests.peers.upstream import OfBody

Object = dict[str, Any]


def message(*texts: str, item_id: str = "msg_1", annotations: Sequence[Object] = ()) -> Object:
    """What the model wrote; each text is a part of its own, and the ``annotations`` are of the first one."""
    content = [
        {
            "type": "output_text",
            "text": text,
            "annotations": [*annotations] if not number else [],
            "logprobs": [],
        }
        for number, text in enumerate(texts)
    ]
    return {"id": item_id, "type": "message", "status": "completed", "role": "assistant", "content": content}


def refusal(text: str, item_id: str = "msg_1") -> Object:
    return {**message(item_id=item_id), "content": [{"type": "refusal", "refusal": text}]}


def reasoning(*summary: str, sealed: str | None = "gAAAA-sealed", item_id: str = "rs_1") -> Object:
    """What the model thought: the parts of the summary, and what it ``sealed``, if the client asked for it."""
    parts = [{"type": "summary_text", "text": text} for text in summary]
    return {"id": item_id, "type": "reasoning", "summary": parts, "encrypted_content": sealed}


def function_call(name: str, arguments: str = "{}", call_id: str = "call_1", item_id: str = "fc_1") -> Object:
    made = {"id": item_id, "type": "function_call", "status": "completed"}
    return made | {"call_id": call_id, "name": name, "arguments": arguments}


def custom_tool_call(name: str, text: str, call_id: str = "call_1", item_id: str = "ctc_1") -> Object:
    made = {"id": item_id, "type": "custom_tool_call", "status": "completed"}
    return made | {"call_id": call_id, "name": name, "input": text}


def response_of(
    *output: Object, status: str = "completed", response_id: str = "resp_1", **members: Any
) -> Object:
    """The response object; ``members`` replace its own."""
    counts = {
        "input_tokens": 20, "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 0},
        "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 25,
    }  # fmt: skip
    made = {
        "id": response_id, "object": "response", "created_at": 1764489600, "status": status, "error": None,
        "incomplete_details": None, "instructions": None, "max_output_tokens": None, "model": "gpt-5-2025-08-07",
        "output": [*output], "parallel_tool_calls": True, "previous_response_id": None, "reasoning": {"effort": None},
        "service_tier": "default", "store": False, "temperature": 1.0, "text": {"format": {"type": "text"}},
        "tool_choice": "auto", "tools": [], "top_p": 1.0, "truncation": "disabled", "user": None, "metadata": {},
        "usage": counts if status in ("completed", "incomplete") else None,
    }  # fmt: skip
    return made | members


def events_of(response: Object, *, piece: int = 4) -> list[Object]:
    """The events of the response's stream, with texts in pieces of that length."""
    begun = {
        **response,
        "status": "in_progress",
        "output": [],
        "usage": None,
        "error": None,
        "incomplete_details": None,
    }
    sent = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(response["output"]):
        sent += _events_of_item(item, index, piece)
    sent.append({"type": f"response.{response['status']}", "response": response})
    return [{**event, "sequence_number": number} for number, event in enumerate(sent)]


def frames_of(events: Sequence[Object], *, named: bool = True) -> list[bytes]:
    """The SSE frames of events, with their ``event:`` lines unless the server leaves them out."""
    return [
        (f"event: {event['type']}\n" if named else "").encode()
        + f"data: {json.dumps(event, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()
        for event in events
    ]


def responds(*output: Object, **members: Any) -> OfBody:
    """A server that responds with these items; ``members`` are those of `response_of`."""
    response = response_of(*output, **members)
    return _streamed_or_whole(events_of(response), response)


def cut_after(count: int, *output: Object) -> Script:
    """A server whose stream ends behind that many events, without an end of the response."""
    return sse_response(frames_of(events_of(response_of(*output))[:count]))


def fails(
    message: str = "boom",
    code: str = "server_error",
    *output: Object,
    begun: bool = True,
    kept_alive: bool = False,
) -> OfBody:
    """A server that reports with status 200 that the response failed, behind its ``output``; or an error at once.

    ``kept_alive``: behind an event that OpenAI sends while nothing is said.
    """
    response = response_of(*output, status="failed", error={"code": code, "message": message})
    error = {"type": "error", "code": code, "message": message, "param": None, "sequence_number": 0}
    silence = [{"type": "keepalive", "sequence_number": 0}] if kept_alive else []
    return _streamed_or_whole([*silence, *(events_of(response) if begun else [error])], response)


def _streamed_or_whole(events: Sequence[Object], response: Object) -> OfBody:
    def choose(request: Request) -> Script:
        streams = json.loads(request.body).get("stream")
        return sse_response(frames_of(events)) if streams else json_response(response)

    return OfBody(choose)


def _events_of_item(item: Object, index: int, piece: int) -> Iterator[Object]:
    place = {"item_id": item["id"], "output_index": index}
    empty = {"content": [], "summary": [], "arguments": "", "input": "", "status": "in_progress"}
    begun = {name: empty.get(name, value) for name, value in item.items()}
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    for number, part in enumerate(item.get("content", ())):
        at = {**place, "content_index": number}
        name, member = ("output_text", "text") if part["type"] == "output_text" else ("refusal", "refusal")
        extra: Object = {"logprobs": []} if name == "output_text" else {}
        blank = {**part, member: ""} | ({"annotations": []} if name == "output_text" else {})
        yield {"type": "response.content_part.added", **at, "part": blank}
        for text in _pieces(part[member], piece):
            yield {"type": f"response.{name}.delta", **at, "delta": text, "obfuscation": "x9", **extra}
        for count, annotation in enumerate(part.get("annotations", ())):
            added = {"annotation_index": count, "annotation": annotation}
            yield {"type": "response.output_text.annotation.added", **at, **added}
        yield {"type": f"response.{name}.done", **at, member: part[member], **extra}
        yield {"type": "response.content_part.done", **at, "part": part}
    for number, part in enumerate(item.get("summary", ())):
        at = {**place, "summary_index": number}
        yield {"type": "response.reasoning_summary_part.added", **at, "part": {**part, "text": ""}}
        for text in _pieces(part["text"], piece):
            yield {"type": "response.reasoning_summary_text.delta", **at, "delta": text}
        yield {"type": "response.reasoning_summary_text.done", **at, "text": part["text"]}
        yield {"type": "response.reasoning_summary_part.done", **at, "part": part}
    for member, name in (("arguments", "function_call_arguments"), ("input", "custom_tool_call_input")):
        if member in item:
            for text in _pieces(item[member], piece):
                yield {"type": f"response.{name}.delta", **place, "delta": text}
            named = {"name": item["name"]} if member == "arguments" else {}
            yield {"type": f"response.{name}.done", **place, member: item[member], **named}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]
