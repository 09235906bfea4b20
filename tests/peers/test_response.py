"""A response is what came, no more: missing heads, partial bodies and cut events are shown as such."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from tests.peers.message_reader import parse_head
from tests.peers.response import Response

HEAD, _ = parse_head(b"HTTP/1.1 429 No\r\nRetry-After: 7\r\nX-Two: a\r\nx-two: b\r\n\r\n", "response")
WHOLE = Response(
    head=HEAD, interim=(), framing="length", body=b'{"a":1}', chunks=(), partial=b"", complete=True,
    anomalies=(),
)  # fmt: skip


def test_fields_are_found_in_any_spelling() -> None:
    assert (WHOLE.status, WHOLE.header("retry-after"), WHOLE.header("none")) == (429, "7", None)
    assert WHOLE.header_all("X-TWO") == ["a", "b"] and WHOLE.header("x-two") == "a"
    assert WHOLE.headers == HEAD.fields and WHOLE.json() == {"a": 1}


def test_without_a_head_there_is_nothing_and_no_exception() -> None:
    nothing = replace(WHOLE, head=None)
    assert (nothing.status, nothing.headers, nothing.header("a"), nothing.header_all("a")) == (
        0,
        (),
        None,
        [],
    )


def test_a_body_that_is_no_json_says_so() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        replace(WHOLE, body=b"<html>").json()


@pytest.mark.parametrize(
    ("wire", "events"),
    [
        (b"data: a\n\ndata: b\n\n", ["a", "b"]),
        (b"data: a\n\ndata: b\n", ["a"]),
        (b"data: a\r\n\r\ndata:b\r\rdata: c\n\n", ["a", "b", "c"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b": ping\n\nevent: x\n\nevent: y\ndata: a\n\n", ["a"]),
        (b"data:  a \n\n", [" a "]),
        (b"data: \xff\n\n", ["\ufffd"]),
        (b"", []),
    ],
)
def test_events_are_read_as_whatwg_says(wire: bytes, events: list[str]) -> None:
    """Wherever the wire was cut into what was whole and what was not."""
    for at in range(len(wire) + 1):
        assert replace(WHOLE, body=wire[:at], partial=wire[at:]).events() == events


def test_nobody_changes_what_came() -> None:
    with pytest.raises(FrozenInstanceError):
        WHOLE.complete = False  # type: ignore[misc]  # the point
