"""What is sent, and what is sent again, is the request from its first to its last byte."""

from __future__ import annotations

import tracemalloc

import pytest

from clawgate.errors import BodyTooLarge
from clawgate.relay.admission.plan import ModelAllowlist
from clawgate.relay.exchange.request_body import RequestBody
from clawgate.relay.exchange.request_stream import BODY_HIGH_WATER, REPLAY_LIMIT, SENT, RequestStream
from tests.relay.fakes import admitted


def stream(*, limit: int = 10_000_000, **head: object) -> RequestStream:
    return RequestStream([b"head "], RequestBody(admitted(None, **head), limit, peeks=False))


def taken(request: RequestStream) -> bytes:
    return b"".join(bytes(piece) for piece in request.take())


def test_pieces_are_taken_once_and_in_order() -> None:
    request = stream()
    request.feed(b"ab")
    assert (request.is_ready, taken(request), request.is_ready) == (True, b"head ab", False)
    request.feed(b"cd")
    request.append(b"ef")
    assert (taken(request), request.complete) == (b"cdef", False)
    assert (request.end(), request.complete, request.size) == (None, True, 4)


@pytest.mark.parametrize(
    ("first", "target"),
    [
        (b"POST /v1/x?y HTTP/1.1\r\nhost: a b\r\n\r\n{}", "/v1/x?y"),
        (b"{ ", ""),
        (memoryview(b"GET / HTTP/1.1"), "/"),
    ],
)
def test_the_target_is_that_of_the_line_which_waits(first: bytes, target: str) -> None:
    request = RequestStream([first])
    assert request.target == target
    request.take()
    assert request.target == ""


def test_a_body_that_has_to_be_read_is_not_ready_before_its_end() -> None:
    request = stream(model_allowlist=ModelAllowlist(frozenset()))
    request.feed(b"ab")
    assert (request.is_ready, request.end(), request.is_ready) == (False, b"ab", True)
    assert taken(request) == b"head "


def test_a_body_over_the_limit_is_refused() -> None:
    with pytest.raises(BodyTooLarge):
        stream(limit=3).feed(b"abcd")


def test_too_much_waits_only_while_more_may_come() -> None:
    request = stream()
    waits = []
    for step in (lambda: request.feed(b"x" * BODY_HIGH_WATER), lambda: request.feed(b"x"), request.end):
        step()
        waits.append(request.over_high_water)
    assert waits == [False, True, False]


def test_a_replay_begins_at_the_first_byte_and_goes_on_with_what_was_not_sent() -> None:
    request = stream()
    request.keep_for_replay()
    request.feed(b"a")
    assert taken(request) == b"head a"
    request.feed(b"b")
    assert taken(request) == b"b"
    request.feed(b"c")
    request.rewind()
    assert (taken(request), request.can_replay) == (b"head abc", False)


@pytest.mark.parametrize("discarded", [True, False])
def test_nothing_is_replayed_that_was_not_kept(discarded: bool) -> None:
    request = stream()
    if discarded:
        request.keep_for_replay()
        request.discard_replay()
    request.take()
    assert not request.can_replay


def test_a_large_request_is_not_kept() -> None:
    request = stream()
    request.keep_for_replay()
    request.feed(b"x" * REPLAY_LIMIT)
    request.take()
    kept = request.can_replay
    request.feed(b"x")
    request.take()
    assert (kept, request.can_replay) == (True, False)


def test_the_request_of_another_attempt_takes_the_place_of_everything() -> None:
    request = stream()
    request.keep_for_replay()
    request.feed(b"a")
    request.take()
    request.feed(b"b")
    request.replace([b"other ", b"body"])
    assert taken(request) == b"other body" and not request.can_replay


def test_the_shared_one_holds_nothing() -> None:
    assert SENT.complete and not SENT.is_ready and not SENT.can_replay and SENT.size == 0


@pytest.mark.parametrize("replays", [False, True])
def test_small_pieces_take_little_more_memory_than_their_bytes(replays: bool) -> None:
    """Waiting, or kept for a replay: a client may send a body in chunks of one byte."""
    request = stream(chunked=True)
    if replays:
        request.keep_for_replay()
    tracemalloc.start()
    for _ in range(30_000):
        request.feed(b"x")
        if replays:
            request.take()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 180_000 <= request.held_bytes < 181_000 and used < 250_000


def test_large_pieces_are_not_copied() -> None:
    request, piece = stream(), b"x" * 100_000
    request.feed(piece)
    assert any(one is piece for one in request.take())


def test_copies_that_can_be_spared_are_dropped() -> None:
    """What has to be sent stays."""
    request = RequestStream([b"head "], RequestBody(admitted(None), 1000, peeks=True))
    request.keep_for_replay()
    request.feed(b"abc")
    assert request.held_bytes == 8 + 3
    request.take()
    assert request.held_bytes == 8 + 3
    request.feed(b"def")
    request.drop_copies()
    assert request.held_bytes == 3 and not request.can_replay
    assert taken(request) == b"def" and request.end() is None
