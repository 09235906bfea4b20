"""The built-in model's responses in OpenAI's Responses API: text only, no tools.

Pure and deterministic like `openai_chat`, which makes the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from demo.models.openai_chat import CREATED, Body, Reply, reply_to_chat, text_of


def reply_to_input(body: Body) -> Reply:
    """Return the response to an `input`: a string, or items of which the last user message counts."""
    given = body["input"]
    items = given if isinstance(given, list) else [{"role": "user", "content": given}]
    messages = [
        {"role": item.get("role", "user"), "content": text_of(item.get("content"))}
        for item in items
        if isinstance(item, dict)
    ]
    return reply_to_chat(
        {"model": body["model"], "messages": messages, "max_tokens": body.get("max_output_tokens")}
    )


def response(body: Body, reply: Reply) -> dict[str, Any]:
    """A response that is not streamed."""
    return {
        **_shell(body, reply, "completed"),
        "output": [_message(reply, "completed")],
        "usage": _usage(reply),
    }


def events(body: Body, reply: Reply) -> Iterator[dict[str, Any]]:
    """The events of a streamed response, each with its `type` and running `sequence_number`."""
    for number, event in enumerate(_events(body, reply)):
        yield {**event, "sequence_number": number}


def _events(body: Body, reply: Reply) -> Iterator[dict[str, Any]]:
    place = {"item_id": f"msg_{reply.key}", "output_index": 0, "content_index": 0}
    yield {"type": "response.created", "response": _shell(body, reply, "in_progress")}
    yield {"type": "response.in_progress", "response": _shell(body, reply, "in_progress")}
    item = {**_message(reply, "in_progress"), "content": []}
    yield {"type": "response.output_item.added", "output_index": 0, "item": item}
    yield {"type": "response.content_part.added", **place, "part": _part("")}
    for word in reply.words:
        yield {"type": "response.output_text.delta", **place, "delta": word, "logprobs": []}
    yield {"type": "response.output_text.done", **place, "text": reply.text, "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": _part(reply.text)}
    yield {"type": "response.output_item.done", "output_index": 0, "item": _message(reply, "completed")}
    yield {"type": "response.completed", "response": response(body, reply)}


def _shell(body: Body, reply: Reply, status: str) -> dict[str, Any]:
    return {
        "id": f"resp_{reply.key}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "metadata": {},
        "model": body["model"],
        "output": [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _message(reply: Reply, status: str) -> dict[str, Any]:
    return {
        "id": f"msg_{reply.key}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [_part(reply.text)],
    }


def _usage(reply: Reply) -> dict[str, Any]:
    counts = reply.usage
    return {
        "input_tokens": counts["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": counts["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": counts["total_tokens"],
    }
