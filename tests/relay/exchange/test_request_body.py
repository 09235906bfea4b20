"""A body is bounded, framed anew, and kept only where somebody reads it."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from clawgate.errors import BodyTooLarge
from clawgate.relay.admission.plan import AdmittedHead, ModelAllowlist
from clawgate.relay.exchange.request_body import PEEK_BYTES, RequestBody
from clawgate.wire.dialect import Dialect


def ticket(**more: Any) -> AdmittedHead:
    given: dict[str, Any] = {
        "upstream": None, "caller": "-", "method": b"POST", "path": b"/v1/x", "head": b"", "has_content_length": True,
        "chunked": False, "expect_continue": False, "dialect": Dialect.CHAT,
    }  # fmt: skip
    return AdmittedHead(**{**given, **more})


def body(limit: int = 100, *, peeks: bool = False, **more: Any) -> RequestBody:
    return RequestBody(ticket(**more), limit, peeks=peeks)


def test_a_body_of_known_length_goes_on_as_it_comes() -> None:
    assert body().feed(b"abc") == b"abc"


def test_a_chunked_body_gets_chunks_of_ours() -> None:
    assert body(chunked=True).feed(b"abc") == b"3\r\nabc\r\n"


@pytest.mark.parametrize("reader", [{"router": object()}, {"model_allowlist": ModelAllowlist(frozenset())}])
def test_what_is_read_first_does_not_go_on(reader: dict[str, Any]) -> None:
    """Its reader decides what is sent."""
    read = body(**reader)
    assert read.feed(b"ab") == read.feed(b"c") == b""
    assert read.read() == b"abc"


def test_nothing_is_kept_where_nobody_reads_it() -> None:
    unread = body()
    unread.feed(b"abc")
    assert unread.read() is None and unread.size == 3


@pytest.mark.parametrize("pieces", [[], [b"abc"], [b"a", b"bc"]])
def test_what_is_read_is_all_of_it_once(pieces: list[bytes]) -> None:
    ruled = body(model_allowlist=ModelAllowlist(frozenset()))
    for piece in pieces:
        ruled.feed(piece)
    assert ruled.read() == b"".join(pieces)
    assert ruled.read() is None


def test_a_log_does_not_have_large_bodies_kept_and_a_rule_does() -> None:
    large = b"x" * (PEEK_BYTES + 1)
    for more, kept in (({"peeks": True}, False), ({"model_allowlist": ModelAllowlist(frozenset())}, True)):
        found = body(len(large), **more)
        found.feed(large)
        assert (found.read() is not None) is kept


def test_the_first_byte_over_the_limit_is_refused() -> None:
    limited = body(3)
    assert limited.feed(b"abc") == b"abc"
    with pytest.raises(BodyTooLarge, match="limit of 3 bytes"):
        limited.feed(b"d")


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_kept_body_takes_little_more_memory_than_its_bytes(size: int) -> None:
    """However small the pieces are in which it comes: an object for each would take twenty times as much."""
    count = 200_000 // size
    ruled = body(1_000_000, model_allowlist=ModelAllowlist(frozenset()))
    pieces = [bytes(size) for _ in range(count)]
    tracemalloc.start()
    for piece in pieces:
        ruled.feed(bytearray(piece))  # type: ignore[arg-type]  # not shared with `pieces`
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ruled.kept_bytes == 200_000 <= used < 300_000
    assert ruled.read() == bytes(200_000)


def test_a_body_in_one_piece_is_not_copied() -> None:
    piece = b"x" * 1000
    ruled = body(1000, model_allowlist=ModelAllowlist(frozenset()))
    ruled.feed(piece)
    assert ruled.read() is piece


def test_a_copy_for_a_log_can_be_given_up_and_one_that_is_needed_cannot() -> None:
    for more, kept in (({"peeks": True}, None), ({"model_allowlist": ModelAllowlist(frozenset())}, b"abc")):
        found = body(**more)
        found.feed(b"abc")
        found.stop_peeking()
        assert found.read() == kept
