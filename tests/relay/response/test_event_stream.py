"""A stream that is read event by event: complete events only, in chunks of our own, and one end at most."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clawgate.bundled.anthropic_claude_proxy.error_mapping import map_error as judge
from clawgate.errors import GatewayError, GatewayStopping, UpstreamFailed, UpstreamMalformed
from clawgate.relay.interfaces import ResponseWriter
from clawgate.relay.response.error_mapping import MapError
from clawgate.relay.response.event_stream import EventStreamWriter
from clawgate.relay.response.progress import HOLD_SECONDS
from clawgate.wire.dialect import Dialect
from clawgate.wire.sse.reader import MAX_EVENT_BYTES, Event
from tests.e2e.stream_script import Truth, read
from tests.peers.faults import LAST_CHUNK
from tests.peers.message_reader import MessageReader
from tests.relay.response.streams import (
    CHAT_FRAMES,
    MESSAGES_FRAMES,
    SECRET,
    provider_writer,
    response_head,
    response_options,
    written,
)
from tests.wire.exchanges import events, sse

CUT = GatewayStopping("it stops")
PING = b": ping\n\n"
STOP = MESSAGES_FRAMES[-1]
ERROR = sse({"type": "error", "error": {"type": "overloaded_error", "message": "full"}})
STREAMS = {
    "whole": (Dialect.MESSAGES, b"".join(MESSAGES_FRAMES)),
    "without a reason": (Dialect.MESSAGES, b"".join(MESSAGES_FRAMES[:6]) + STOP),
    "an error": (Dialect.MESSAGES, b"".join(MESSAGES_FRAMES[:6]) + ERROR + STOP),
    "CRLF": (Dialect.MESSAGES, b"".join((*MESSAGES_FRAMES[:6], STOP)).replace(b"\n", b"\r\n")),
    "chat": (Dialect.CHAT, b"".join(CHAT_FRAMES)),
    "chat without a reason": (Dialect.CHAT, b"".join(CHAT_FRAMES[:3]) + b"data: [DONE]\n\n"),
}


def sent_in_two(writer: ResponseWriter, stream: bytes, at: int) -> bytes:
    """What a client gets of a stream that arrives in two reads and ends in order."""
    sent = b""
    try:
        for piece in (stream[:at], stream[at:]):
            writer.feed(piece)
            sent += writer.flush(ended=False)
        sent += writer.flush(ended=True)
    except GatewayError as error:
        if writer.headers_pending:
            return b""
        sent += writer.abort_message(error)[0]
    return sent


def truth_of(sent: bytes) -> tuple[Truth, bool]:
    reader = MessageReader("response", to_method="POST")
    reader.feed(sent)
    assert reader.anomalies == [] and reader.unread == b"" and b"\r\n0\r\n\r\n" not in sent[:-5]
    return read(bytes(reader.body)), reader.complete


@pytest.mark.parametrize("mapped", [False, True], ids=["plain", "mapped"])
@pytest.mark.parametrize("client", [Dialect.MESSAGES, Dialect.CHAT])
@pytest.mark.parametrize("name", STREAMS)
def test_the_outcome_does_not_depend_on_where_a_stream_is_cut(
    name: str, client: Dialect, mapped: bool
) -> None:
    """At every byte: the same words, an end where the model finished, and otherwise an error and no end."""
    upstream, stream = STREAMS[name]
    if client is upstream is Dialect.CHAT and not mapped:
        pytest.skip("such a stream passes unread")
    truth = read(stream)
    finished = truth.finished and not truth.errors
    for at in range(1, len(stream)):
        writer = provider_writer(client=client, upstream=upstream, map_error=judge if mapped else None)
        sent = sent_in_two(writer, stream, at)
        if not finished and not sent:
            continue  # a failure with a status of its own
        found, complete = truth_of(sent)
        assert (found.finished and found.terminated, complete) == (finished, finished), at
        assert len(found.errors) == (0 if finished else 1) and found.text == truth.text, at


def test_a_client_gets_complete_events_only() -> None:
    """So an error event always fits behind them."""
    writer = provider_writer(client=Dialect.MESSAGES)
    writer.feed(MESSAGES_FRAMES[0] + MESSAGES_FRAMES[1][:-1])
    assert MESSAGES_FRAMES[0] in (sent := writer.flush(ended=False)) and MESSAGES_FRAMES[1][:9] not in sent
    data, has_event = writer.abort_message(CUT)
    assert has_event and data.partition(b"\r\n")[2].startswith(b"event: error\n")


@pytest.mark.parametrize("rest", [b"\n", b": bye", b"data: {", b"event: x\n"])
def test_what_follows_the_last_event_of_a_finished_stream_passes(rest: bytes) -> None:
    """A length that the upstream announced for it is not passed on."""
    head = response_head(length=1, chunked=False)
    writer = provider_writer(head, client=Dialect.MESSAGES, secrets=())
    sent = written(writer, b"".join(MESSAGES_FRAMES) + rest)
    assert b"content-length" not in sent and sent.endswith(rest + b"\r\n" + LAST_CHUNK)


@pytest.mark.parametrize("secret", [SECRET, b"local-key"])
def test_a_credential_is_masked_in_all_that_a_translation_gives(secret: bytes) -> None:
    """Also in what it held back until the end, but for one that could be a word."""
    thinking = {"type": "thinking", "thinking": ""}
    stream = sse(
        {"type": "message_start", "message": {"id": "m", "content": [], "usage": {}}},
        {"type": "content_block_start", "index": 0, "content_block": thinking},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "thinking_delta", "thinking": secret.decode()},
        },
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
    )
    sent = written(provider_writer(secrets=(secret,)), stream)
    assert b"thinking_blocks" in sent and (secret in sent) is (secret != SECRET)


def test_a_short_credential_is_masked_in_an_error_event() -> None:
    error = sse({"type": "error", "error": {"type": "authentication_error", "message": "not local-key"}})
    for client in (Dialect.MESSAGES, Dialect.CHAT):
        writer = provider_writer(client=client, secrets=(b"local-key",))
        with pytest.raises(UpstreamFailed) as caught:
            writer.feed(b"".join(MESSAGES_FRAMES[:5]) + error)
        data, _ = writer.abort_message(caught.value)
        assert (
            "not *********" in caught.value.message and b"not *********" in data and b"local-key" not in data
        )


def test_an_error_event_that_was_translated_is_the_last() -> None:
    """In the upstream's words, once; and it counts as a failure."""
    writer = provider_writer()
    with pytest.raises(UpstreamFailed, match="full"):
        writer.feed(b"".join(MESSAGES_FRAMES[:5]) + ERROR)
    data, has_event = writer.abort_message(CUT)
    assert has_event and data.count(b'"error"') == 1 and b"full" in data and b"it stops" not in data


@pytest.mark.parametrize("upstream", [Dialect.MESSAGES, Dialect.CHAT])
@pytest.mark.parametrize(
    "error", [b"", sse({"type": "error", "error": {"message": "full"}})], ids=["cut", "error"]
)
def test_a_transfer_ends_in_order_behind_a_response_that_failed(upstream: Dialect, error: bytes) -> None:
    """Else Codex shows the broken transfer in place of what failed."""
    frames = MESSAGES_FRAMES[:5] if upstream is Dialect.MESSAGES else CHAT_FRAMES[:2]
    writer = provider_writer(client=Dialect.RESPONSES, upstream=upstream)
    reader = MessageReader("response", to_method="POST")
    reader.feed(sent_in_two(writer, b"".join(frames) + error, len(frames[0])))
    *_, reported, last = events(bytes(reader.body))
    assert (reader.complete, reported["type"], last["type"]) == (True, "error", "response.failed")


@pytest.mark.parametrize("client", [Dialect.MESSAGES, Dialect.CHAT])
@pytest.mark.parametrize("upstream", [Dialect.MESSAGES, Dialect.CHAT])
def test_no_error_event_follows_the_end_of_a_message(client: Dialect, upstream: Dialect) -> None:
    """Where the upstream breaks behind it, the broken transfer alone shows that."""
    if client is upstream is Dialect.CHAT:
        return
    writer = provider_writer(client=client, upstream=upstream)
    writer.feed(b"".join(MESSAGES_FRAMES if upstream is Dialect.MESSAGES else CHAT_FRAMES))
    sent = writer.flush(ended=False)
    assert b"[DONE]" in sent or b"message_stop" in sent
    assert writer.abort_message(CUT) == (b"", False)


@pytest.mark.parametrize("upstream", [Dialect.MESSAGES, Dialect.CHAT])
def test_an_error_behind_the_end_of_a_translated_message_is_a_failure(upstream: Dialect) -> None:
    """The end was sent, so the broken transfer alone can show that."""
    frames = MESSAGES_FRAMES if upstream is Dialect.MESSAGES else CHAT_FRAMES
    client = Dialect.CHAT if upstream is Dialect.MESSAGES else Dialect.MESSAGES
    writer = provider_writer(client=client, upstream=upstream)
    writer.feed(b"".join(frames))
    writer.flush(ended=False)
    writer.feed(sse({"type": "ping"}) + PING)
    with pytest.raises(UpstreamFailed, match="full"):
        writer.feed(ERROR)
    assert writer.abort_message(CUT) == (b"", False)


def test_a_ping_behind_the_end_of_a_message_does_not_reopen_it() -> None:
    for named in (True, False):
        writer = provider_writer(client=Dialect.MESSAGES)
        ping = sse({"type": "ping"}) if named else b'data: {"type":"ping"}\n\n'
        writer.feed(b"".join(MESSAGES_FRAMES) + ping)
        assert b"event: error" not in writer.abort_message(CUT)[0]


def test_keepalives_are_no_progress_and_hold_no_head_back_for_ever() -> None:
    writer = provider_writer(client=Dialect.MESSAGES, map_error=judge)
    for ping in (PING, sse({"type": "ping"})):
        writer.feed(ping)
        assert writer.flush(ended=False) == writer.on_silence(HOLD_SECONDS - 1) == b""
    assert b"200 OK" in writer.on_silence(HOLD_SECONDS)
    assert not (writer.progress.has_progressed() or writer.progress.content_started)
    writer.feed(MESSAGES_FRAMES[0])
    started = writer.progress.content_started
    progressed = [writer.progress.has_progressed() for _ in range(2)]
    assert progressed == [True, False] and started


def test_an_event_without_an_end_is_the_upstreams_fault() -> None:
    writer = provider_writer(client=Dialect.MESSAGES)
    writer.feed(b"x" * MAX_EVENT_BYTES)
    with pytest.raises(UpstreamMalformed):
        writer.feed(b"x")


class Holds:
    """A filter that passes each event when the next one comes."""

    failure = None

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._held: list[Event] = []

    def feed(self, event: Event) -> Iterator[Event]:
        yield from self.close()
        self._held.append(event)

    def close(self) -> Iterator[Event]:
        held, self._held = self._held, []
        for event in held:
            yield Event(event.raw[:-2] + self._mark + b"\n\n", event.name, event.data)


def test_filters_are_passed_one_after_the_other() -> None:
    """What the first held back at the end passes the second, too."""
    writer = EventStreamWriter(response_head(), response_options(), filters=[Holds(b"1"), Holds(b"2")])
    sent = written(writer, b"data: a\n\ndata: b\n\n")
    assert sent.partition(b"\r\n\r\n")[2] == b"16\r\ndata: a12\n\ndata: b12\n\n\r\n" + LAST_CHUNK


# A client that waits

COMMENT, CLIENT_PING = b": keep-alive\n\n", b'event: ping\ndata: {"type": "ping"}\n\n'


@pytest.mark.parametrize(
    ("client", "upstream", "keepalive"),
    [
        (Dialect.MESSAGES, Dialect.MESSAGES, CLIENT_PING),
        (Dialect.MESSAGES, Dialect.CHAT, CLIENT_PING),
        (Dialect.CHAT, Dialect.MESSAGES, COMMENT),
    ],
)
def test_a_client_that_waits_gets_what_its_dialect_has_for_that(
    client: Dialect, upstream: Dialect, keepalive: bytes
) -> None:
    """Between two events only, behind the first one, and not behind the end."""
    frames = MESSAGES_FRAMES if upstream is Dialect.MESSAGES else CHAT_FRAMES
    writer = provider_writer(client=client, upstream=upstream)
    assert writer.flush(ended=False).startswith(b"HTTP/1.1 200 OK")
    assert writer.on_silence(10.0).endswith(b"\r\n" + COMMENT + b"\r\n"), "nothing has begun yet"
    writer.feed(frames[0] + frames[1][:-3])
    writer.flush(ended=False)
    assert writer.on_silence(10.0).endswith(b"\r\n" + keepalive + b"\r\n")
    assert not writer.progress.keepalive_bytes
    writer.feed(frames[1][-3:] + b"".join(frames[2:]))
    writer.flush(ended=False)
    assert writer.on_silence(10.0) == b""


def test_a_stream_whose_failures_are_mapped_keeps_its_client_too() -> None:
    writer = provider_writer(client=Dialect.CHAT, upstream=Dialect.CHAT, map_error=judge)
    writer.feed(CHAT_FRAMES[0])
    writer.flush(ended=False)
    assert writer.on_silence(10.0).endswith(b"\r\n" + COMMENT + b"\r\n")


@pytest.mark.parametrize(
    ("client", "upstream"), [(Dialect.CHAT, Dialect.MESSAGES), (Dialect.MESSAGES, Dialect.CHAT)]
)
@pytest.mark.parametrize("map_error", [None, judge])
def test_with_a_fallback_the_head_waits_for_content(
    client: Dialect, upstream: Dialect, map_error: MapError | None
) -> None:
    frames = MESSAGES_FRAMES if upstream is Dialect.MESSAGES else CHAT_FRAMES
    writer = provider_writer(client=client, upstream=upstream, map_error=map_error, has_fallback=True)
    writer.feed(PING)
    assert writer.flush(ended=False) == writer.on_silence(10.0) == b"" and writer.headers_pending
    for opening in frames[:1] if upstream is Dialect.CHAT else frames[:3]:
        writer.feed(opening)
        assert writer.flush(ended=False) == b"" and writer.headers_pending
    writer.feed(b"".join(frames[1:4]))
    sent = writer.flush(ended=False)
    assert b"200 OK" in sent and not writer.headers_pending


@pytest.mark.parametrize(
    ("client", "upstream"), [(Dialect.CHAT, Dialect.CHAT), (Dialect.MESSAGES, Dialect.MESSAGES)]
)
@pytest.mark.parametrize("has_fallback", [True, False])
def test_what_opens_a_stream_whose_failures_are_mapped_waits_for_a_short_time(
    client: Dialect, upstream: Dialect, has_fallback: bool
) -> None:
    opening = MESSAGES_FRAMES[0] if upstream is Dialect.MESSAGES else CHAT_FRAMES[0]
    writer = provider_writer(client=client, upstream=upstream, map_error=judge, has_fallback=has_fallback)
    writer.feed(opening)
    assert (writer.flush(ended=False) == b"") is writer.headers_pending is has_fallback
    with pytest.raises(UpstreamFailed):
        writer.feed(sse({"type": "error", "error": {"type": "overloaded_error", "message": "full"}}))
    assert writer.headers_pending is has_fallback
    writer = provider_writer(client=client, upstream=upstream, map_error=judge, has_fallback=has_fallback)
    writer.feed(opening)
    sent = writer.flush(ended=False) + writer.on_silence(10.0)
    assert sent.count(opening) == 1 and not writer.headers_pending
    assert (CLIENT_PING in sent) is (client is Dialect.MESSAGES)
