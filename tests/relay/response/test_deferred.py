"""A response is what its first bytes are; a failure with status 200 is one as long as nothing was sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.bundled.anthropic_claude_proxy.error_mapping import map_error
from clawgate.errors import GatewayError, UpstreamClosed, UpstreamFailed, UpstreamMalformed
from clawgate.relay.interfaces import ResponseWriter
from clawgate.relay.response.deferred import MAX_ERROR_BYTES, as_event_stream, begins_events
from clawgate.relay.response.error_mapping import MapError
from clawgate.relay.response.progress import HOLD_SECONDS, OPENING_LIMIT
from clawgate.wire.dialect import Dialect
from tests.e2e.stream_script import read
from tests.peers.faults import LAST_CHUNK
from tests.relay.response.streams import (
    CHAT_FRAMES,
    COMPLETE,
    MESSAGES_FRAMES,
    SECRET,
    provider_writer,
    response_head,
)
from tests.routing.gateway_server import OPENAI
from tests.wire.exchanges import sse

JSON: dict[str, Any] = {"content_type": b"application/json"}
COMMENT, BOM = b": hm\n\n", b"\xef\xbb\xbf"
ERROR = {"error": {"message": f"no {SECRET.decode()}", "code": 502}}
ERROR_EVENTS = {
    "data": sse(ERROR),
    "named": sse({"type": "error", "error": {"type": "overloaded_error", "message": "full"}}),
    "in a choice": sse({"choices": [{"error": {"message": "m", "code": 502}, "finish_reason": "error"}]}),
    "CRLF": sse(ERROR).replace(b"\n", b"\r\n"),
    "behind a comment": COMMENT + sse(ERROR),
    "behind many": (COMMENT + b"\n") * 5 + sse({"type": "ping"}) + sse(ERROR),
    "behind a BOM": BOM + sse(ERROR),
    "the end alone": b"data: [DONE]\n\n",
    "without its blank line": sse(ERROR)[:-1],
    "no event at all": COMMENT,
    "a plain object": json.dumps(ERROR).encode(),
    "nothing": b"",
}


OPENINGS = {"chat": CHAT_FRAMES[0], "messages": MESSAGES_FRAMES[0] + MESSAGES_FRAMES[1]}
ERROR_EVENTS |= {
    "behind a role": OPENINGS["chat"] + sse(ERROR),
    "behind a role and no choice": sse({"choices": []}) + OPENINGS["chat"] + COMMENT + sse(ERROR),
    "behind message_start": OPENINGS["messages"] + sse({"type": "ping"}) + sse(ERROR),
    "a role alone": OPENINGS["chat"],
    "a role and the end": OPENINGS["chat"] + b"data: [DONE]\n\n",
}


def chat_writer(*, stream: bool = True, has_fallback: bool = False, declared: bool = True) -> ResponseWriter:
    head = response_head() if declared else response_head(**JSON)
    return provider_writer(
        head, client=Dialect.CHAT, upstream=Dialect.CHAT, stream=stream, has_fallback=has_fallback
    )


def cuts(body: bytes) -> Iterator[list[bytes]]:
    """Yield the body in one piece, in two at each byte, and byte for byte."""
    yield [body]
    for at in range(1, len(body)):
        yield [body[:at], body[at:]]
    yield [body[at : at + 1] for at in range(len(body))]


def fail(writer: ResponseWriter, pieces: list[bytes]) -> GatewayError:
    """Return the failure of a response of which nothing was sent."""
    try:
        for piece in pieces:
            writer.feed(piece)
            assert writer.flush(ended=False) == b""
        writer.flush(ended=True)
    except GatewayError as error:
        assert writer.headers_pending
        return error
    pytest.fail("the response is no failure")


def sent(writer: ResponseWriter, pieces: list[bytes]) -> bytes:
    out = b""
    for piece in pieces:
        writer.feed(piece)
        out += writer.flush(ended=False)
    return out + writer.flush(ended=True)


@pytest.mark.parametrize("name", ERROR_EVENTS)
@pytest.mark.parametrize("declared", [True, False], ids=["as a stream", "as JSON"])
def test_a_failure_in_the_first_event_is_one_however_it_is_cut(name: str, declared: bool) -> None:
    body = ERROR_EVENTS[name]
    for pieces in cuts(body):
        error = fail(chat_writer(has_fallback=True, declared=declared), pieces)
        assert isinstance(error, UpstreamFailed)
        assert SECRET.decode() not in error.message
        if "overloaded" in name or name == "data":
            assert error.status == 502 and "reported an error (502)" in error.message


@pytest.mark.parametrize("name", ERROR_EVENTS)
@pytest.mark.parametrize(("client", "upstream"), [
    (Dialect.MESSAGES, Dialect.MESSAGES), (Dialect.MESSAGES, Dialect.CHAT), (Dialect.CHAT, Dialect.MESSAGES)
])  # fmt: skip
def test_it_is_one_in_every_pair_of_dialects(name: str, client: Dialect, upstream: Dialect) -> None:
    for pieces in cuts(ERROR_EVENTS[name]):
        writer = provider_writer(client=client, upstream=upstream, has_fallback=True)
        assert isinstance(fail(writer, pieces), UpstreamFailed)


@pytest.mark.parametrize("front", [b"", COMMENT, BOM, b"\n\n"])
def test_a_good_stream_passes_byte_for_byte_however_it_is_cut(front: bytes) -> None:
    body = front + b"".join(CHAT_FRAMES)
    plain = sent(chat_writer(), [body])
    for pieces in cuts(body):
        made = sent(chat_writer(has_fallback=True), pieces)
        assert made.partition(b"\r\n\r\n")[0] == plain.partition(b"\r\n\r\n")[0]
        assert unchunked(made) == body and made.endswith(LAST_CHUNK)


def unchunked(response: bytes) -> bytes:
    body, chunks = b"", response.partition(b"\r\n\r\n")[2]
    while chunks:
        size, _, chunks = chunks.partition(b"\r\n")
        body += chunks[: int(size, 16)]
        chunks = chunks[int(size, 16) + 2 :]
    return body


def test_behind_the_first_content_nothing_is_held_back() -> None:
    """Chunks pass unread, as in a stream without a fallback."""
    writer = chat_writer(has_fallback=True)
    writer.feed(CHAT_FRAMES[0] + CHAT_FRAMES[1])
    assert CHAT_FRAMES[0] in writer.flush(ended=False) and not writer.headers_pending
    assert writer.passthrough(lambda data: None) is not None
    writer.feed(sse(ERROR))
    assert sse(ERROR)[:20] in writer.flush(ended=False)


def test_what_only_opens_a_response_is_held_with_its_head_for_a_short_time() -> None:
    """As long as a client may wait for its first sign of life, see `sender.KEEPALIVE_SECONDS`."""
    writer = chat_writer(has_fallback=True)
    writer.feed(OPENINGS["chat"])
    assert writer.flush(ended=False) == b"" and writer.progress.content_started
    assert OPENINGS["chat"] in writer.on_silence(10.0) and not writer.headers_pending
    writer.feed(sse(ERROR))
    assert sse(ERROR)[:20] in writer.flush(ended=False)


@pytest.mark.parametrize("map_error", [None, map_error])
def test_openings_without_an_end_are_not_held(map_error: MapError | None) -> None:
    writer = provider_writer(upstream=Dialect.CHAT, map_error=map_error, has_fallback=True)
    for _ in range(OPENING_LIMIT // len(OPENINGS["chat"])):
        writer.feed(OPENINGS["chat"])
        assert writer.flush(ended=False) == b""
    writer.feed(OPENINGS["chat"])
    assert writer.flush(ended=False).startswith(b"HTTP/1.1 200")


def test_a_head_is_not_held_back_for_ever() -> None:
    writer = chat_writer(has_fallback=True)
    writer.feed(COMMENT)
    assert writer.flush(ended=False) == writer.on_silence(HOLD_SECONDS - 1) == b""
    assert not writer.progress.content_started
    assert COMMENT in writer.on_silence(HOLD_SECONDS) and not writer.headers_pending
    assert writer.on_silence(10.0) == b""


def test_a_first_event_that_has_begun_is_progress() -> None:
    writer = chat_writer(has_fallback=True)
    writer.feed(b"data: " + b"x" * 100)
    assert writer.progress.content_started and writer.flush(ended=False) == b""


# A body


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(ERROR).encode(),
        b' \n{"error":"full"}',
        b'[{"error":"full"}]',
        b'{"type":"error"}',
        b"",
        b" \n",
        b"text",
        b"<html>",
    ],
)
def test_an_error_as_the_body_is_a_failure_where_a_fallback_may_do_better(body: bytes) -> None:
    for pieces in cuts(body):
        error = fail(chat_writer(stream=False, has_fallback=True, declared=False), pieces)
        assert isinstance(error, UpstreamFailed) and SECRET.decode() not in error.message


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(COMPLETE[OPENAI]).encode(),
        b"\n\n" + json.dumps(COMPLETE[OPENAI]).encode(),
        b"[1]",
        b'{"cut":',
        json.dumps({"x": "y" * MAX_ERROR_BYTES, "error": "full"}).encode(),
    ],
)
@pytest.mark.parametrize("has_fallback", [True, False])
def test_another_body_passes_as_it_came(body: bytes, has_fallback: bool) -> None:
    for pieces in ([body], [body[:1], body[1:]], [body[:-1], body[-1:]]):
        writer = chat_writer(stream=False, has_fallback=has_fallback, declared=False)
        assert unchunked(sent(writer, pieces)) == body


def test_without_a_fallback_any_body_passes() -> None:
    assert unchunked(sent(chat_writer(stream=False, declared=False), [b"text"])) == b"text"


def test_without_a_fallback_nothing_waits_but_for_a_first_byte() -> None:
    writer = chat_writer(stream=False, declared=False)
    writer.feed(b"\n")
    assert b"200 OK" in writer.flush(ended=False), "blank space keeps a client waiting"
    writer = chat_writer(stream=False, declared=False)
    writer.feed(b"{")
    assert writer.flush(ended=False).endswith(b"1\r\n{\r\n") and writer.progress.content_started


@pytest.mark.parametrize("assembles", [True, False], ids=["a turn", "another path"])
def test_a_body_that_is_empty_is_a_failure_whatever_its_framing(assembles: bool) -> None:
    def writer() -> ResponseWriter:
        return provider_writer(
            response_head(**JSON),
            client=Dialect.CHAT,
            upstream=Dialect.CHAT,
            stream=False,
            assembles=assembles,
        )

    error = fail(writer(), [])
    assert isinstance(error, UpstreamMalformed) and "empty response" in error.message
    assert unchunked(sent(writer(), [b"{", b"}"])) == b"{}"


def test_a_stream_without_an_event_never_looks_finished() -> None:
    writer = chat_writer()
    assert b"200 OK" in writer.flush(ended=False)
    writer.feed(b": hm\n\n")
    with pytest.raises(UpstreamClosed):
        writer.flush(ended=True)


def test_a_body_under_way_is_progress() -> None:
    writer = chat_writer(stream=False, has_fallback=True, declared=False)
    writer.feed(b"{")
    assert writer.progress.has_progressed() and writer.flush(ended=False) == b""


# The bytes decide


@pytest.mark.parametrize(
    ("begin", "is_stream"),
    [
        (b"data: {}", True), (b"data:", True), (b"event: x", True), (b"id: 1", True), (b"retry: 1", True), (b":", True),
        (b": hm", True), (b"\n\ndata:", True), (BOM + b"data:", True), (b"", None), (b"dat", None), (b"\n", None),
        (BOM[:1], None), (BOM[:2], None), (BOM, None), (BOM + b"e", None), (b"{", False), (b'"data:"', False),
        (b"date", False), (b"<html>", False), (b"data", None), (b"\xff", False), (BOM + b"{", False),
    ],
)  # fmt: skip
def test_an_event_stream_is_recognised_by_its_first_bytes(begin: bytes, is_stream: bool | None) -> None:
    assert begins_events(begin) is is_stream


@given(st.sampled_from([b"data: x\n\n", b": x\n\n", BOM + b"event: x\n\n", b'{"a":1}', b"plain"]), st.data())
def test_what_is_known_stays_known(body: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body)))
    assert begins_events(body[:at]) in (None, begins_events(body))


STREAMS = {Dialect.CHAT: CHAT_FRAMES, Dialect.MESSAGES: MESSAGES_FRAMES}
PAIRS = [(client, upstream) for client in STREAMS for upstream in STREAMS]


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
@pytest.mark.parametrize("label", [b"application/json", b"text/plain", b"application/octet-stream", b""])
@pytest.mark.parametrize("front", [b"", COMMENT, b"\r\n", BOM])
def test_a_stream_under_another_content_type_is_one(
    client: Dialect, upstream: Dialect, label: bytes, front: bytes
) -> None:
    """In every cut: the client reads the same events as with the right one, and the right type."""
    body = front + b"".join(STREAMS[upstream])
    right = sent(provider_writer(client=client, upstream=upstream), [body])
    for pieces in ([body], [body[:1], body[1:3], body[3:]], [body[at : at + 1] for at in range(len(body))]):
        writer = provider_writer(response_head(content_type=label), client=client, upstream=upstream)
        made = sent(writer, pieces)
        assert b"content-type: text/event-stream" in made.partition(b"\r\n\r\n")[0]
        assert unchunked(made).strip() == unchunked(right).strip()
        assert read(unchunked(made)).finished


def test_only_the_content_type_is_another() -> None:
    head = as_event_stream(response_head(content_type=b"application/json"))
    assert [value for name, value in head.headers if name == b"content-type"] == [head.content_type]
    assert (b"request-id", b"r1") in head.headers


def test_a_response_of_json_to_a_request_for_a_stream_is_still_translated() -> None:
    writer = provider_writer(response_head(**JSON), client=Dialect.MESSAGES, upstream=Dialect.CHAT)
    assert read(unchunked(sent(writer, [json.dumps(COMPLETE[OPENAI]).encode()]))).finished


def test_what_is_neither_is_the_upstreams_failure() -> None:
    writer = provider_writer(response_head(**JSON), client=Dialect.MESSAGES, upstream=Dialect.CHAT)
    with pytest.raises(UpstreamMalformed):
        sent(writer, [b"plain"])
    writer = provider_writer(response_head(**JSON), client=Dialect.CHAT, upstream=Dialect.MESSAGES)
    with pytest.raises(UpstreamClosed):
        sent(writer, [b"".join(MESSAGES_FRAMES[:4])])
