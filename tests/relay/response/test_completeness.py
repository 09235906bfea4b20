"""A Messages or Responses stream that passes: no proper end where it was cut, and not a byte changed otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.errors import UpstreamClosed, UpstreamFailed
from clawgate.relay.interfaces import ResponseWriter
from clawgate.relay.response.passthrough import PassthroughWriter
from clawgate.wire.dialect import Dialect
from tests.peers.faults import LAST_CHUNK, SSE_FIELDS, chunk, head
from tests.peers.script import ReadBody, Send
from tests.peers.upstream import FakeUpstream
from tests.relay.response.streams import (
    MESSAGES_FRAMES,
    provider_writer,
    response_head,
    response_options,
    written,
)
from tests.routing.gateway_server import ANTHROPIC, MESSAGES, config_of, provider, question, serving_gateway
from tests.wire.exchanges import sse

STREAM = b"text/event-stream"
STOP = sse({"type": "message_stop"})
ERROR = sse({"type": "error", "error": {"type": "overloaded_error", "message": "full"}})
CUT_POLITELY = (*MESSAGES_FRAMES[:5], STOP)
"""The words, then message_stop, and never why."""


def answer(status: int = 200, content_type: bytes = STREAM, *, encoded: bool = False) -> ResponseWriter:
    found = response_head(status, content_type=content_type, encoded=encoded)
    return provider_writer(found, client=Dialect.MESSAGES, secrets=())


@pytest.mark.parametrize("size", [1, 13, 100_000])
def test_a_stream_that_says_why_it_stopped_passes_as_it_came(size: int) -> None:
    """However it is cut."""
    whole = b"".join(MESSAGES_FRAMES)
    _, _, body = written(answer(), whole, size).partition(b"\r\n\r\n")
    content = b""
    while body != LAST_CHUNK:
        length, _, rest = body.partition(b"\r\n")
        content += rest[: int(length, 16)]
        body = rest[int(length, 16) + 2 :]
    assert content == whole


@pytest.mark.parametrize("size", [1, 13, 100_000])
@pytest.mark.parametrize(
    "frames", [CUT_POLITELY, MESSAGES_FRAMES[:1], ()], ids=["cut politely", "cut", "nothing"]
)
def test_one_that_does_not_has_no_end(frames: tuple[bytes, ...], size: int) -> None:
    with pytest.raises(UpstreamClosed, match=r"^http://a.example ended its stream without a stop_reason$"):
        written(answer(), b"".join(frames), size)


@pytest.mark.parametrize("size", [1, 13, 100_000])
@pytest.mark.parametrize("frames", [MESSAGES_FRAMES, MESSAGES_FRAMES[:5], ()], ids=["end", "middle", "front"])
def test_an_error_event_is_the_last_of_a_stream(frames: tuple[bytes, ...], size: int) -> None:
    """It is passed on, nothing follows it, and it counts as a failure with its words."""
    writer = answer()
    with pytest.raises(
        UpstreamFailed, match=r"http://a.example reported an error \(overloaded_error\): full"
    ):
        written(writer, b"".join(frames) + ERROR + STOP, size)
    data, has_event = writer.abort_message(UpstreamFailed("x"))
    assert data.count(b"event: error") == 1 and STOP not in data.partition(ERROR)[2] and has_event


@pytest.mark.parametrize(
    ("status", "content_type"), [(200, b"application/json"), (529, STREAM), (400, b"application/json")]
)
def test_what_is_no_stream_of_a_success_is_not_watched(status: int, content_type: bytes) -> None:
    """A failure says itself that it is one."""
    assert written(answer(status, content_type), b'{"a":1}', 3).endswith(LAST_CHUNK)


@pytest.mark.parametrize("frames", [MESSAGES_FRAMES, CUT_POLITELY], ids=["ended", "cut politely"])
@pytest.mark.parametrize("at_once", [True, False], ids=["in one piece", "in pieces"])
async def test_through_a_gateway_a_polite_cut_is_seen_to_be_one(
    frames: tuple[bytes, ...], at_once: bool, tmp_path: Any
) -> None:
    """Also where the whole answer came in one read and could be handed over as it is."""
    wire = [head(fields=(*SSE_FIELDS, ("Transfer-Encoding", "chunked"))), *map(chunk, frames), LAST_CHUNK]
    steps = [Send(b"".join(wire))] if at_once else [Send(piece) for piece in wire]
    async with FakeUpstream((ReadBody(), *steps)) as upstream:
        config = config_of({"x": provider(upstream.url, ANTHROPIC)})
        async with serving_gateway(tmp_path, config) as stand:
            for _ in range(3):
                found = await stand.ask(question("x/m", stream=True), target=MESSAGES)
                cut = frames is CUT_POLITELY
                # Clients stop reading at message_stop: where nothing led to it, it does not go on.
                assert found.status == 200 and b"".join(frames[: -1 if cut else None]) in found.body
                assert (b"event: message_stop" in found.body) != cut
                assert (b"event: error" in found.body) == cut
        assert upstream.anomalies == []


def test_the_chunks_of_a_stream_do_not_pass_unseen() -> None:
    """Or its end could not be judged."""
    watched = answer()
    watched.feed(MESSAGES_FRAMES[0])
    assert watched.flush(ended=False) and watched.progress.content_started
    assert watched.passthrough(bytearray().extend) is None


# Responses

RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "status": "in_progress",
    "output": [],
    "error": None,
}
CREATED = sse({"type": "response.created", "sequence_number": 0, "response": RESPONSE})
WORDS = sse({"type": "response.output_text.delta", "sequence_number": 1, "output_index": 0, "delta": "hi"})
FULL = {"code": "server_error", "message": "full"}
FAILED = sse({"type": "response.failed", "response": {**RESPONSE, "status": "failed", "error": FULL}})
ERROR_EVENT = sse({"type": "error", "sequence_number": 2, "code": "server_error", "message": "full"})


def response(**more: Any) -> ResponseWriter:
    return provider_writer(response_head(), client=Dialect.RESPONSES, upstream=Dialect.RESPONSES, **more)


@pytest.mark.parametrize("kind", ["completed", "incomplete"])
@pytest.mark.parametrize("size", [1, 13, 100_000])
def test_a_response_with_its_last_event_passes_as_it_came(kind: str, size: int) -> None:
    last = sse({"type": f"response.{kind}", "response": {**RESPONSE, "status": kind}})
    sent = written(response(), CREATED + WORDS + last, size)
    assert sent.endswith(LAST_CHUNK) and sent.count(b"response.output_text.delta") == WORDS.count(b"response")


@pytest.mark.parametrize("size", [1, 13, 100_000])
@pytest.mark.parametrize("stream", [CREATED + WORDS, CREATED, b"", CREATED + WORDS + b"data: [DONE]\n\n"])
def test_a_response_without_its_last_event_has_no_end(stream: bytes, size: int) -> None:
    """Its client gets an event that says so, numbered behind the last one."""
    writer = response()
    with pytest.raises(UpstreamClosed, match="ended its stream before its response was complete"):
        written(writer, stream, size)
    if stream.endswith(WORDS):
        data, has_event = writer.abort_message(UpstreamClosed("cut"))
        assert has_event and b'event: error\ndata: {"type":"error","sequence_number":2,' in data


@pytest.mark.parametrize("size", [1, 13, 100_000])
@pytest.mark.parametrize(
    ("keepalive", "number"),
    [
        (b'event: keepalive\ndata: {"type": "keepalive", "sequence_number": 2}\n\n', 3),
        (b'data: {"type": "keepalive", "sequence_number": 2}\n\n', 3),
        (b'event: keepalive\ndata: {"type": "keepalive"}\n\n', 2),
        (b": still here\n\n", 2),
    ],
)
@pytest.mark.parametrize("relays", [False, True])
def test_an_error_behind_a_keepalive_does_not_repeat_its_number(
    keepalive: bytes, number: int, size: int, relays: bool
) -> None:
    writer: ResponseWriter = response()
    if relays:
        options = response_options(secrets=(), attribution_headers=b"", dialect=Dialect.RESPONSES)
        writer = PassthroughWriter(response_head(content_type=STREAM), options)
    stream = CREATED + WORDS + keepalive
    for start in range(0, len(stream), size):
        writer.feed(stream[start : start + size])
    data, has_event = writer.abort_message(UpstreamClosed("cut"))
    assert has_event and b'"type":"error","sequence_number":%d,' % number in data


def test_a_response_that_failed_ends_as_it_should_and_counts_as_a_failure() -> None:
    writer = response()
    assert written(writer, CREATED + WORDS + FAILED, 13).endswith(LAST_CHUNK)
    assert isinstance(writer.failure, UpstreamFailed) and "full" in writer.failure.message


@pytest.mark.parametrize("kind", ["completed", "incomplete"])
def test_a_response_that_failed_is_not_completed(kind: str) -> None:
    """OpenAI's SDKs return the response of the last event that completes one."""
    writer = response()
    last = sse({"type": f"response.{kind}", "response": {**RESPONSE, "status": kind}})
    sent = written(writer, CREATED + WORDS + FAILED + last + b"data: [DONE]\n\n")
    assert b"response.failed" in sent and f"response.{kind}".encode() not in sent and b"[DONE]" not in sent
    assert writer.failure is not None


@pytest.mark.parametrize("last", [ERROR_EVENT, FAILED])
def test_a_failure_that_comes_first_has_a_status(last: bytes) -> None:
    writer = response()
    with pytest.raises(UpstreamFailed, match="full"):
        writer.feed(last)
    assert writer.headers_pending


@pytest.mark.parametrize("last", [ERROR_EVENT, FAILED])
def test_a_failure_behind_the_opening_leads_to_a_fallback(last: bytes) -> None:
    item = sse({"type": "response.output_item.added", "output_index": 0,
                "item": {"id": "msg_1", "type": "message", "role": "assistant", "content": []}})  # fmt: skip
    writer = response(has_fallback=True)
    writer.feed(CREATED + item)
    assert writer.flush(ended=False) == b"" and writer.headers_pending
    with pytest.raises(UpstreamFailed, match="full"):
        writer.feed(last)
    assert writer.headers_pending


def test_a_response_of_one_event_is_no_failure() -> None:
    """Some servers send what is complete at once."""
    last = sse({"type": "response.completed", "response": {**RESPONSE, "status": "completed"}})
    assert written(response(has_fallback=True), last, 13).endswith(LAST_CHUNK)


def test_a_silent_response_is_kept_alive_by_comments() -> None:
    """OpenAI's SDKs and Codex skip them; none comes behind the last event."""
    writer = response()
    writer.feed(CREATED)
    assert writer.flush(ended=False).endswith(b"\r\n") and b": keep-alive\n\n" in writer.on_silence(10)
    writer.feed(sse({"type": "response.completed", "response": RESPONSE}))
    writer.flush(ended=False)
    assert writer.on_silence(10) == b""


def test_a_stream_that_was_not_requested_is_one_response() -> None:
    body = {**RESPONSE, "status": "completed"}
    writer = response(stream=False)
    sent = written(writer, CREATED + WORDS + sse({"type": "response.completed", "response": body}), 13)
    assert b"content-type: application/json" in sent and b'"status":"completed"' in sent
