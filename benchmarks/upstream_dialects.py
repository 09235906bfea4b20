"""What does a fake model API say, in each dialect: its answers, and its streams with the time of sending in them?

`RELAYED` keeps the time where no reader looks, so that all the other bytes are known. A translator writes each event
anew and drops what it does not know; therefore `CHAT` and `MESSAGES` keep it in the text of the answer, the one
thing that every translator has to carry. Their streams begin and end as OpenAI's and Anthropic's do.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import payloads
from benchmarks.roles import MODEL, Dialect

OUTPUT_TOKENS = 300
INPUT_TOKENS = 231
_CHAT_ID = "chatcmpl-CQx1b6kUbpVvMzSgD0tZ5nqgJ9dPa"
_MESSAGE_ID = "msg_01XFDUDYJgAACzvnptvVoYEL"
_CREATED = 1764000000


@dataclass(frozen=True)
class UpstreamDialect:
    """``plan`` finds what to do in a body; the other parts are what is sent, HTTP framing included."""

    plan: Callable[[bytes], re.Match[bytes] | None]
    answer: Callable[[int], bytes]
    tell: Callable[[bytes], bytes]
    """An answer that says these bytes."""
    opening: bytes
    """What comes before the first chunk of a stream."""
    chunk: Callable[[], bytes]
    ending: bytes


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _framed(content: str) -> bytes:
    return f"{len(content):x}\r\n{content}\r\n".encode()


def _stamped(event: str) -> Callable[[], bytes]:
    """One HTTP chunk with ``event``, in which the text is replaced by one with the time of sending."""
    before, _, after = event.partition(payloads.UNSTAMPED_TEXT)
    size = len(before) + len(payloads.UNSTAMPED_TEXT) + len(after)
    head, tail = f"{size:x}\r\n{before}".encode(), f"{after}\r\n".encode()

    def chunk() -> bytes:
        return head + payloads.STAMPED_TEXT % time.monotonic_ns() + tail

    return chunk


def _chat_event(choices: list[object], **more: object) -> str:
    head = {
        "id": _CHAT_ID,
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": f"{MODEL}-2024-07-18",
        "service_tier": "default",
        "system_fingerprint": "fp_560af6e559",
    }
    return f"data: {_json({**head, 'choices': choices, **more})}\n\n"


def _chat_choice(delta: dict[str, object], finish: str | None = None) -> list[object]:
    return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]


_CHAT_USAGE = {
    "prompt_tokens": INPUT_TOKENS,
    "completion_tokens": OUTPUT_TOKENS,
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
}


def _chat_answer(told: bytes) -> bytes:
    message = {"role": "assistant", "content": told.decode(), "refusal": None}
    answer = {
        "id": _CHAT_ID,
        "object": "chat.completion",
        "created": _CREATED,
        "model": f"{MODEL}-2024-07-18",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": _CHAT_USAGE,
    }
    return payloads.answer_with(_json(answer).encode())


def _message(content: list[object], stop: str | None, output_tokens: int) -> dict[str, object]:
    return {
        "id": _MESSAGE_ID,
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": output_tokens},
    }


def _messages_answer(told: bytes) -> bytes:
    content: list[object] = [{"type": "text", "text": told.decode()}]
    return payloads.answer_with(_json(_message(content, "end_turn", OUTPUT_TOKENS)).encode())


def _messages_event(kind: str, **content: object) -> str:
    return f"event: {kind}\ndata: {_json({'type': kind, **content})}\n\n"


def _plan_in_text(body: bytes) -> re.Match[bytes] | None:
    return payloads.PLAN_IN_TEXT.search(body)


RELAYED = UpstreamDialect(
    plan=lambda body: payloads.PLAN.search(body, 0, payloads.PLAN_WITHIN),
    answer=payloads.answer,
    tell=payloads.answer_with,
    opening=b"",
    chunk=payloads.stamped_chunk,
    ending=payloads.STREAM_END,
)
CHAT = UpstreamDialect(
    plan=_plan_in_text,
    answer=lambda number: _chat_answer(b"Answer %d" % number),
    tell=_chat_answer,
    opening=_framed(_chat_event(_chat_choice({"role": "assistant", "content": "", "refusal": None}))),
    chunk=_stamped(_chat_event(_chat_choice({"content": payloads.UNSTAMPED_TEXT}), obfuscation="K5m8Qe")),
    ending=_framed(_chat_event(_chat_choice({}, "stop")))
    + _framed(_chat_event([], usage=_CHAT_USAGE))
    + payloads.STREAM_END,
)
MESSAGES = UpstreamDialect(
    plan=_plan_in_text,
    answer=lambda number: _messages_answer(b"Answer %d" % number),
    tell=_messages_answer,
    opening=_framed(_messages_event("message_start", message=_message([], None, 1)))
    + _framed(_messages_event("content_block_start", index=0, content_block={"type": "text", "text": ""}))
    + _framed(_messages_event("ping")),
    chunk=_stamped(
        _messages_event(
            "content_block_delta", index=0, delta={"type": "text_delta", "text": payloads.UNSTAMPED_TEXT}
        )
    ),
    ending=_framed(_messages_event("content_block_stop", index=0))
    + _framed(
        _messages_event(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={"output_tokens": OUTPUT_TOKENS},
        )
    )
    + _framed(_messages_event("message_stop"))
    + b"0\r\n\r\n",
)


def _response(status: str, output: list[object], **more: object) -> dict[str, object]:
    return {
        "id": "resp_68c0ffee",
        "object": "response",
        "created_at": _CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": MODEL,
        "output": output,
        **more,
    }


_ITEM_ID = "msg_68c0ffee"
_RESPONSES_USAGE = {
    "input_tokens": INPUT_TOKENS,
    "output_tokens": OUTPUT_TOKENS,
    "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
}
_PART_PLACE = {"item_id": _ITEM_ID, "output_index": 0, "content_index": 0}


def _item(status: str, content: list[object]) -> dict[str, object]:
    return {"id": _ITEM_ID, "type": "message", "status": status, "role": "assistant", "content": content}


def _output_text(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _responses_answer(told: bytes) -> bytes:
    item = _item("completed", [_output_text(told.decode())])
    return payloads.answer_with(_json(_response("completed", [item], usage=_RESPONSES_USAGE)).encode())


_LAST_ITEM = _item("completed", [])
"""Without its text, which is in the events before and would have to be known here."""
RESPONSES = UpstreamDialect(
    plan=_plan_in_text,
    answer=lambda number: _responses_answer(b"Answer %d" % number),
    tell=_responses_answer,
    opening=_framed(_messages_event("response.created", response=_response("in_progress", [])))
    + _framed(_messages_event("response.output_item.added", output_index=0, item=_item("in_progress", [])))
    + _framed(_messages_event("response.content_part.added", **_PART_PLACE, part=_output_text(""))),
    chunk=_stamped(
        _messages_event(
            "response.output_text.delta",
            **_PART_PLACE,
            delta=payloads.UNSTAMPED_TEXT,
            logprobs=[],
            sequence_number=7,
        )
    ),
    ending=_framed(_messages_event("response.output_item.done", output_index=0, item=_LAST_ITEM))
    + _framed(
        _messages_event(
            "response.completed", response=_response("completed", [_LAST_ITEM], usage=_RESPONSES_USAGE)
        )
    )
    + b"0\r\n\r\n",
)
UPSTREAM_DIALECTS: dict[Dialect, UpstreamDialect] = {
    "relayed": RELAYED,
    "chat": CHAT,
    "messages": MESSAGES,
    "responses": RESPONSES,
}
