"""A client of either dialect, a gateway, and a scripted provider of either: what each of them gets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers import faults
from tests.peers.connection import Request
from tests.peers.response import Response
from tests.peers.script import ReadBody, Script, Send
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import (
    ANTHROPIC,
    CHAT,
    MESSAGES,
    OPENAI,
    config_of,
    provider,
    serving_gateway,
)
from tests.wire.exchanges import sse

HI = {"role": "user", "content": "hi"}

MESSAGE_END: list[Any] = [
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
]
GOOD_STREAMS: dict[str, list[Any]] = {
    OPENAI: [
        {"id": "c1", "choices": [{"index": 0, "delta": {"content": "good"}, "finish_reason": None}]},
        {"id": "c1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"id": "c1", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
        "[DONE]",
    ],
    ANTHROPIC: [
        {"type": "message_start", "message": {"id": "m1", "type": "message", "role": "assistant", "content": [],
                                              "usage": {"input_tokens": 1, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "good"}},
        {"type": "content_block_stop", "index": 0},
        *MESSAGE_END,
    ],
}  # fmt: skip
GOOD_BODIES: dict[str, Any] = {
    OPENAI: {
        "id": "c1",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "good"}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    },
    ANTHROPIC: {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "good"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
}


def event_bytes(events: Sequence[Any]) -> bytes:
    """The events as a provider writes them; a text, such as ``[DONE]``, as it is."""
    return b"".join(
        b"data: " + one.encode() + b"\n\n" if isinstance(one, str) else sse(one) for one in events
    )


def streamed(data: bytes, *, content_type: str = "text/event-stream") -> Script:
    return (ReadBody(), Send(faults.response(data, content_type=content_type)))


def good(api: str) -> Any:
    """A script that responds as was requested."""

    def respond(request: Request) -> Script:
        if json.loads(request.body).get("stream"):
            return streamed(event_bytes(GOOD_STREAMS[api]))
        return faults.json_response(GOOD_BODIES[api])

    return respond


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What the client got, and what the provider was sent."""

    response: Response
    sent: list[Any]

    @property
    def data(self) -> list[Any]:
        """The data of the client's events, decoded but for ``[DONE]``."""
        return [json.loads(one) for one in self.response.events() if one != "[DONE]"]


async def exchange(
    folder: Path,
    path: str,
    api: str,
    *bodies: dict[str, Any],
    scripts: Sequence[Any] = (),
    model: str = "m",
    model_keys: dict[str, Any] | None = None,
) -> list[Exchanged]:
    """Send the requests one after another; each member of ``scripts`` is for one of them."""
    listed = {"id": model, "name": model, **(model_keys or {})}
    async with FakeUpstream(*(scripts or [good(api)])) as upstream:
        config = config_of({"p": provider(upstream.url, api, models=[listed])})
        async with serving_gateway(folder, config) as stand:
            found = []
            for body in bodies:
                full = {"model": f"p/{model}", "max_tokens": 50, "messages": [HI], **body}
                before = len(upstream.requests)
                raw = full.pop("raw", None) or json.dumps(full).encode()
                response = await stand.ask(raw, target=path)
                sent = [json.loads(one.body) for one in upstream.requests[before:]]
                found.append(Exchanged(response, sent))
            return found


def text_of(path: str, exchanged: Exchanged, *, stream: bool) -> str:
    """The text that the client got, and that its response is complete in its dialect."""
    if path == CHAT and stream:
        assert exchanged.response.events()[-1] == "[DONE]"
        return "".join(
            choice["delta"].get("content") or "" for one in exchanged.data for choice in one["choices"]
        )
    if path == CHAT:
        return str(exchanged.response.json()["choices"][0]["message"]["content"])
    if not stream:
        return "".join(block.get("text", "") for block in exchanged.response.json()["content"])
    assert exchanged.data[-1] == {"type": "message_stop"}
    return "".join(
        one["delta"].get("text", "") for one in exchanged.data if one["type"] == "content_block_delta"
    )


PAIRS = [(MESSAGES, OPENAI), (CHAT, ANTHROPIC), (MESSAGES, ANTHROPIC), (CHAT, OPENAI)]
"""Client and provider: the translated pairs first."""
