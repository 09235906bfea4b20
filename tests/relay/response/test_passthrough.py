"""How an upstream's answer looks to the client: head, framing, masks and last words, as bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clawgate.errors import GatewayStopping
from clawgate.relay.interfaces import ResponseHead
from clawgate.relay.response.head import NOT_STORED, ResponseOptions
from clawgate.relay.response.passthrough import PassthroughWriter
from clawgate.wire.dialect import Dialect

SECRET = b"sk-canary-0123456789"
CUT = GatewayStopping("it stops")
EVENT_STREAM = b"text/event-stream; charset=utf-8"


def head(status: int = 200, **more: Any) -> ResponseHead:
    content_type = more.pop("content_type", b"application/json")
    defaults: dict[str, Any] = {
        "status": status,
        "headers": [(b"content-type", content_type), (b"x-request-id", b"r1"), (b"set-cookie", b"a=b")],
        "length": None,
        "chunked": True,
        "content_type": content_type,
        "encoded": False,
    }
    return ResponseHead(**{**defaults, **more})


def writer(answer: ResponseHead, **more: Any) -> PassthroughWriter:
    given: dict[str, Any] = {"http10": False, "close": False, "bodiless": False, "secrets": (SECRET,)}
    return PassthroughWriter(answer, ResponseOptions(**given | more))


def test_a_length_is_kept_and_a_chunked_body_is_chunked_anew() -> None:
    """Framing is written by us, from what is known, never copied."""
    counted = writer(head(length=3, chunked=False))
    counted.feed(b"abc")
    assert counted.flush(ended=True).endswith(b"content-length: 3\r\n\r\nabc")
    chunked = writer(head())
    chunked.feed(b"ab")
    chunked.feed(b"c")
    sent = chunked.flush(ended=False) + chunked.flush(ended=True)
    assert sent.endswith(b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")


def test_http10_gets_no_chunks() -> None:
    """Its answer ends with the connection, and says so."""
    old = writer(head(), http10=True)
    old.feed(b"abc")
    sent = old.flush(ended=True)
    assert sent.endswith(b"connection: close\r\n\r\nabc") and b"chunked" not in sent and old.until_close


def test_what_is_not_meant_for_the_client_is_dropped() -> None:
    """Only what stands on the list goes back."""
    sent = writer(head()).flush(ended=False)
    assert b"x-request-id: r1\r\n" in sent and b"cookie" not in sent


@pytest.mark.parametrize("status", [200, 204, 304])
def test_a_response_without_a_body_has_no_chunk(status: int) -> None:
    """For HEAD, 204 and 304."""
    sent = writer(head(status, length=0, chunked=False), bodiless=True).flush(ended=True)
    assert sent.endswith(b"\r\n\r\n") and b"chunked" not in sent


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_credential_in_an_error_is_masked_across_pieces(size: int) -> None:
    """An error is held back until it is whole, so that no cut can hide the key."""
    body = b'{"error":"' + SECRET + b'"}'
    error = writer(head(401, length=len(body), chunked=False))
    sent = b""
    for at in range(0, len(body), size):
        error.feed(body[at : at + size])
        sent += error.flush(ended=False)
    sent += error.flush(ended=True)
    assert SECRET not in sent and sent.endswith(b'{"error":"' + b"*" * len(SECRET) + b'"}')


@pytest.mark.parametrize("size", [1, 5, 19, 20, 1000])
@pytest.mark.parametrize(
    "body", [b"it is " + SECRET + b".\n", b"s" + SECRET[:-1] + b"sk-" + SECRET + b"s", SECRET[:-1]]
)
def test_a_credential_in_a_response_of_a_gateway_is_masked_across_pieces(body: bytes, size: int) -> None:
    """Whatever begins as it does and is none comes whole and in its order."""
    answer = writer(head(length=len(body), chunked=False), attribution_headers=b"x-clawgate-provider: a\r\n")
    sent = b""
    for at in range(0, len(body), size):
        answer.feed(body[at : at + size])
        sent += answer.flush(ended=False)
    sent += answer.flush(ended=True)
    assert sent.partition(b"\r\n\r\n")[2] == body.replace(SECRET, b"*" * len(SECRET))


def test_what_waits_for_the_rest_of_a_credential_is_not_lost_when_the_stream_breaks() -> None:
    stream = writer(head(content_type=EVENT_STREAM), attribution_headers=b"x-clawgate-provider: a\r\n")
    stream.feed(b"data: x\n\n")
    stream.flush(ended=False)
    stream.feed(b"s")
    assert stream.flush(ended=False) == b"" and stream.passthrough(bytearray().extend) is None
    assert stream.abort_message(CUT)[0].startswith(b"1\r\ns\r\n")


def test_an_error_is_not_held_back() -> None:
    """But for what may be the beginning of a credential."""
    error = writer(head(500))
    error.feed(b"x" * 10_000 + SECRET[:7])
    assert len(error.flush(ended=False)) > 10_000
    assert error.flush(ended=True).endswith(SECRET[:7] + b"\r\n0\r\n\r\n")


def test_the_last_words_of_a_stream_are_an_event_and_not_its_end() -> None:
    """At a boundary the event; within an event a blank line first; never the last chunk."""
    stream = writer(head(content_type=EVENT_STREAM))
    stream.feed(b"data: {}\n\n")
    words, has_event = stream.abort_message(CUT)
    assert has_event and b'data: {"error"' in words and not words.endswith(b"0\r\n\r\n")
    stream = writer(head(content_type=EVENT_STREAM))
    stream.feed(b'data: {"a')
    assert b'data: {"a' in (words := stream.abort_message(CUT)[0]) and b'\n\ndata: {"error"' in words


@pytest.mark.parametrize(
    "tail",
    [b"data: [DONE]\n\n", b"data: [DO", b"data: [DONE]\n", b"data:", b"data: ", b"data", b"data: [DONE] "],
)
def test_nothing_is_said_where_it_would_make_or_follow_an_end(tail: bytes) -> None:
    """A broken end has to do."""
    stream = writer(head(content_type=EVENT_STREAM))
    stream.feed(b"data: {}\n\n" + tail)
    words, has_event = stream.abort_message(CUT)
    assert b"error" not in words and not has_event


@pytest.mark.parametrize(
    "answer",
    [
        head(content_type=EVENT_STREAM, length=100, chunked=False),
        head(content_type=EVENT_STREAM, encoded=True),
        head(content_type=b"application/json"),
    ],
    ids=["a length that was promised", "compressed", "no stream"],
)
def test_nothing_is_added_where_it_would_not_be_read(answer: ResponseHead) -> None:
    """Only the broken end tells."""
    other = writer(answer)
    other.feed(b"abc")
    words, has_event = other.abort_message(CUT)
    assert not has_event and b"error" not in words and b"abc" in words


def test_comments_are_not_the_beginning_of_a_stream() -> None:
    """`content_started` is for the first-byte limit."""
    stream = writer(head(content_type=EVENT_STREAM))
    stream.feed(b": ping\n\n: pi")
    states = [stream.progress.content_started]
    for piece in (b"ng\n\n", b"event: ping\ndata: {}\n\n", b"data: a\n\n"):
        stream.feed(piece)
        states.append(stream.progress.content_started)
    assert states == [False, False, False, True]
    assert writer(head()).progress.content_started


NAMES = b"x-clawgate-provider: mine\r\nx-clawgate-model: m\r\n"
THEIRS = [(b"x-clawgate-provider", b"theirs"), (b"x-clawgate-attempts", b"a; b"), (b"x-clawgate-else", b"1")]


def test_who_chose_is_who_says_who_served() -> None:
    """What another clawgate behind this one says of itself stands in its place, where nobody chose here."""
    chosen = writer(head(headers=THEIRS), attribution_headers=NAMES).flush(ended=False)
    assert NAMES in chosen and chosen.count(b"x-clawgate-") == 2
    passed = writer(head(headers=THEIRS), served_by=b"mine").flush(ended=False)
    assert b"theirs" in passed and b"mine" not in passed
    assert b"x-clawgate-provider: mine" in writer(head(), served_by=b"mine").flush(ended=False)


def test_extra_headers_contain_no_attribution() -> None:
    """The names are each request's own; an answer with names of somebody else's is never handed over whole."""
    assert writer(head(length=3, chunked=False)).extra_headers is not None
    assert writer(head(length=3, chunked=False), attribution_headers=NAMES).extra_headers == NOT_STORED
    theirs = replace(head(length=3, chunked=False), headers=[(b"x-clawgate-provider", b"them")])
    assert writer(theirs, attribution_headers=NAMES).extra_headers is None


@pytest.mark.parametrize(
    ("dialect", "named"), [(Dialect.CHAT, False), (Dialect.RESPONSES, True), (Dialect.MESSAGES, True)]
)
def test_an_error_event_is_in_the_clients_dialect(dialect: Dialect, named: bool) -> None:
    stream = writer(head(content_type=EVENT_STREAM), dialect=dialect)
    stream.feed(b"data: {}\n\n")
    assert (b"event: error\n" in stream.abort_message(CUT)[0]) is named


# Chunks that pass by


def streaming(**more: Any) -> PassthroughWriter:
    """An answer of which one event has gone on."""
    stream = writer(head(content_type=EVENT_STREAM), **more)
    stream.feed(b"data: a\n\n")
    stream.flush(ended=False)
    return stream


def test_chunks_pass_once_a_stream_stands_between_events() -> None:
    """Before that, within an event and in an answer that is no stream of ours, each has to be told."""
    write = bytearray().extend
    assert streaming().passthrough(write) is not None
    for told in (b"", b": warm\n\n", b"data: a"):
        early = writer(head(content_type=EVENT_STREAM))
        early.feed(told)
        early.flush(ended=False)
        assert early.passthrough(write) is None
    for other in (
        writer(head()),
        writer(head(content_type=EVENT_STREAM), http10=True),
        writer(head(content_type=EVENT_STREAM, length=100, chunked=False)),
        writer(head(500, content_type=EVENT_STREAM)),
    ):
        other.feed(b"data: a\n\n")
        other.flush(ended=False)
        assert other.passthrough(write) is None


@pytest.mark.parametrize(("passed", "words"), [(b"data: b\n\n", True), (b"data: [DONE]\n\n", False)])
def test_forwarded_chunks_decide_on_an_error_event(passed: bytes, words: bool) -> None:
    """An event of ours fits behind an event, and not behind [DONE]."""
    stream = streaming()
    passthrough = stream.passthrough(bytearray().extend)
    assert passthrough is not None
    passthrough.last_chunk = b"%x\r\n%b\r\n" % (len(passed), passed)
    passthrough.sent = len(passthrough.last_chunk)
    assert stream.abort_message(CUT) == (stream.abort_message(CUT)[0], words)


def test_who_may_not_repeat_our_credential_is_looked_at_in_passing() -> None:
    passthrough = streaming(attribution_headers=NAMES).passthrough(bytearray().extend)
    assert passthrough is not None and passthrough.secrets == (SECRET,)


def test_a_head_with_the_credential_in_a_name_is_masked_and_not_remembered() -> None:
    named = head(length=3, chunked=False, headers=[(b"x-ratelimit-" + SECRET, b"1")])
    masked = writer(named)
    assert masked.extra_headers is None and SECRET not in masked.flush(ended=False)
