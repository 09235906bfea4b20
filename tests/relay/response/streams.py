"""Streams and responses in both dialects, and the writers that a provider's response gets: shared by these tests."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.relay.interfaces import ResponseHead, ResponseWriter
from clawgate.relay.response.error_mapping import MapError
from clawgate.relay.response.head import ResponseOptions
from clawgate.relay.response.writer import ProviderTraits, make_provider_writer
from clawgate.wire.dialect import Dialect
from clawgate.wire.translate.translator import translation
from tests.peers import faults
from tests.routing.gateway_server import ANTHROPIC, CHAT, MESSAGES, OPENAI, question
from tests.wire.exchanges import sse

SECRET = b"sk-canary-0123456789"
EVENT_STREAM = b"text/event-stream; charset=utf-8"
NAMES = b"x-clawgate-provider: a\r\n"
ORIGIN = "http://a.example"

CHAT_FRAMES = faults.CHAT_FRAMES
MESSAGES_FRAMES = tuple(
    sse(event)
    for event in (
        {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "model": "m",
         "content": [], "stop_reason": None, "usage": {"input_tokens": 3, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Grüße, "}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "🦞"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    )
)  # fmt: skip
FRAMES = {OPENAI: CHAT_FRAMES, ANTHROPIC: MESSAGES_FRAMES}
COMPLETE: dict[str, dict[str, Any]] = {
    OPENAI: {
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    },
    ANTHROPIC: {
        "id": "m", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
    },
}  # fmt: skip
PAIRS = pytest.mark.parametrize(
    ("path", "api"),
    [(CHAT, OPENAI), (CHAT, ANTHROPIC), (MESSAGES, OPENAI), (MESSAGES, ANTHROPIC)],
    ids=["chat", "chat to messages", "messages to chat", "messages"],
)
TRANSLATED = pytest.mark.parametrize(
    ("path", "api"), [(CHAT, ANTHROPIC), (MESSAGES, OPENAI)], ids=["chat to messages", "messages to chat"]
)


def response_head(status: int = 200, **more: Any) -> ResponseHead:
    """A head with an id, a cookie, attribution that is forged and a header that repeats our credential."""
    content_type = more.pop("content_type", EVENT_STREAM)
    headers = [(b"content-type", content_type), (b"request-id", b"r1"), (b"set-cookie", b"a=b"),
               (b"x-clawgate-provider", b"forged"), (b"openai-version", SECRET), *more.pop("headers", [])]  # fmt: skip
    made: dict[str, Any] = {
        "status": status, "headers": headers, "length": None, "chunked": True, "content_type": content_type,
        "encoded": False,
    }  # fmt: skip
    return ResponseHead(**made | more)


def response_options(**more: Any) -> ResponseOptions:
    given: dict[str, Any] = {
        "http10": False, "close": False, "bodiless": False, "secrets": (SECRET,), "attribution_headers": NAMES
    }  # fmt: skip
    return ResponseOptions(**given | more)


def provider_writer(
    head: ResponseHead | None = None,
    *,
    client: Dialect = Dialect.CHAT,
    upstream: Dialect = Dialect.MESSAGES,
    stream: bool = True,
    map_error: MapError | None = None,
    assembles: bool = True,
    has_fallback: bool = False,
    **options: Any,
) -> ResponseWriter:
    """The writer of a provider's response, translated where the dialects differ."""
    translated = None
    if client is not upstream:
        translated = translation(
            client, upstream, requested_model="a/m", upstream_model="m", created=1_700_000_000, unique_id="u1"
        )
        asked = question("a/m", stream=stream)
        if client is Dialect.RESPONSES:
            asked = asked.replace(b'"messages"', b'"input"')
        translated.translate_request(asked)
    return make_provider_writer(
        head or response_head(),
        response_options(dialect=client, **options),
        ProviderTraits(
            origin=ORIGIN,
            translation=translated,
            map_error=map_error,
            upstream=upstream,
            streams=stream,
            assembles=assembles,
            has_fallback=has_fallback,
        ),
    )


def written(writer: ResponseWriter, body: bytes, size: int = 0) -> bytes:
    """What is sent for a body that comes in pieces of ``size`` and ends in order."""
    sent = b""
    for at in range(0, len(body), size or len(body) or 1):
        writer.feed(body[at : at + (size or len(body))])
        sent += writer.flush(ended=False)
    return sent + writer.flush(ended=True)
