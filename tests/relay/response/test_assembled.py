"""A stream that the client did not request reaches it as one complete response, or as a failure with a status."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import Message
from openai.types.chat import ChatCompletion

from clawgate.bundled.anthropic_claude_proxy.error_mapping import map_error as judge
from clawgate.errors import GatewayError, UpstreamFailed
from clawgate.relay.interfaces import ResponseWriter
from clawgate.relay.response.assembled import AssembledWriter
from clawgate.wire.dialect import Dialect
from tests.peers.message_reader import MessageReader
from tests.relay.response.streams import CHAT_FRAMES, MESSAGES_FRAMES, SECRET, provider_writer, response_head
from tests.wire.exchanges import sse

STREAMS = {Dialect.CHAT: CHAT_FRAMES, Dialect.MESSAGES: MESSAGES_FRAMES}
PAIRS = pytest.mark.parametrize(
    ("client", "upstream"), [(client, upstream) for client in STREAMS for upstream in STREAMS]
)
LABELS = pytest.mark.parametrize("label", [b"text/event-stream", b"application/json"])


def writer_for(
    client: Dialect, upstream: Dialect, label: bytes = b"text/event-stream", **more: Any
) -> ResponseWriter:
    return provider_writer(
        response_head(content_type=label), client=client, upstream=upstream, stream=False, **more
    )


def response_of(writer: ResponseWriter, body: bytes, size: int = 0) -> Any:
    for at in range(0, len(body), size or len(body)):
        writer.feed(body[at : at + (size or len(body))])
        assert writer.flush(ended=False) == writer.on_silence(99.0) == b"" and writer.headers_pending
    reader = MessageReader("response", to_method="POST")
    reader.feed(writer.flush(ended=True))
    assert reader.complete and reader.anomalies == [] and reader.head is not None
    assert reader.head.all("content-type") == ["application/json"]
    return json.loads(bytes(reader.body))


@PAIRS
@LABELS
@pytest.mark.parametrize("size", [0, 1, 7])
def test_a_stream_that_was_not_requested_is_one_response(
    client: Dialect, upstream: Dialect, label: bytes, size: int
) -> None:
    frames = STREAMS[upstream]
    said = "".join(
        json.loads(frame.split(b"data: ")[1]).get("delta", {}).get("text", "") for frame in frames[:-1]
    )
    body = b": hm\n\n" + b"".join(frames)
    made = response_of(writer_for(client, upstream, label), body, size)
    if client is Dialect.CHAT:
        completion = ChatCompletion.model_validate(made)
        assert completion.choices[0].finish_reason == "stop" and completion.choices[0].message.content
        text = completion.choices[0].message.content
        assert upstream is Dialect.CHAT or (
            completion.usage is not None and completion.usage.completion_tokens == 5
        )
    else:
        message = Message.model_validate(made)
        assert message.stop_reason == "end_turn" and message.usage.output_tokens >= 0
        text = "".join(block.text for block in message.content if block.type == "text")
    assert upstream is Dialect.CHAT or text == said


FAILED = sse(
    {"type": "error", "error": {"type": "overloaded_error", "message": f"full of {SECRET.decode()}"}}
)


@PAIRS
@LABELS
@pytest.mark.parametrize("behind", [0, 1, 3])
def test_a_failure_in_it_has_a_status(client: Dialect, upstream: Dialect, label: bytes, behind: int) -> None:
    """Also behind content: nothing was sent."""
    writer = writer_for(client, upstream, label)
    with pytest.raises(UpstreamFailed) as failed:
        response_of(writer, b"".join(STREAMS[upstream][:behind]) + FAILED)
    assert writer.headers_pending and writer.abort_message(failed.value) == (b"", False)
    assert SECRET.decode() not in failed.value.message and failed.value.status == 503


@PAIRS
def test_a_stream_that_is_cut_is_no_response(client: Dialect, upstream: Dialect) -> None:
    writer = writer_for(client, upstream)
    with pytest.raises(GatewayError):
        response_of(writer, b"".join(STREAMS[upstream][:2]))
    assert writer.headers_pending


def test_failures_are_mapped_and_credentials_masked() -> None:
    writer = writer_for(Dialect.MESSAGES, Dialect.MESSAGES, map_error=judge)
    with pytest.raises(UpstreamFailed) as failed:
        response_of(writer, MESSAGES_FRAMES[0] + FAILED)
    assert failed.value.status is not None
    text = b"".join(MESSAGES_FRAMES).replace("🦞".encode(), SECRET)
    text = text.replace(b"\\ud83e\\udd9e", SECRET)
    made = json.dumps(response_of(writer_for(Dialect.MESSAGES, Dialect.MESSAGES), text))
    assert SECRET.decode() not in made and "*" * len(SECRET) in made


def test_pings_are_no_progress() -> None:
    writer = writer_for(Dialect.CHAT, Dialect.MESSAGES)
    assert isinstance(writer, AssembledWriter)
    writer.feed(sse({"type": "ping"}))
    assert not writer.progress.content_started and not writer.until_close
