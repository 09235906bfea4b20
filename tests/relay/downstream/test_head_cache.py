"""A head that is known is recognised wherever it comes again, and nothing else is taken for it."""

from __future__ import annotations

import pytest

from clawgate.relay.downstream.head_cache import CachedHead

HEAD = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nX: y\r\n\r\n"


def known(head: bytes = HEAD, length: int = 5) -> CachedHead[str]:
    found = CachedHead.of(head, length, "value")
    assert found is not None
    return found


def test_it_keeps_its_meaning() -> None:
    """What was learned comes back."""
    assert known().value == "value"


@pytest.mark.parametrize("length", [0, 1, 5, 12345, 9_999_999_999])
def test_another_length_is_the_same_head(length: int) -> None:
    """Only the digits may differ; they say where the body ends."""
    head = HEAD.replace(b": 5", b": %d" % length)
    assert known().match(head) == (length, len(head))


@pytest.mark.parametrize("body", [b"", b"12", b"12345", b"1234567"])
def test_what_stands_behind_the_head_makes_no_difference(body: bytes) -> None:
    """However much of the body has come, and what behind it."""
    assert known().match(HEAD + body) == (5, len(HEAD))


@pytest.mark.parametrize("spelling", [b"Content-Length: ", b"content-length: "])
def test_two_spellings_of_the_name_are_known(spelling: bytes) -> None:
    """Those that clients use."""
    head = HEAD.replace(b"Content-Length: ", spelling)
    assert known(head).match(head) is not None


@pytest.mark.parametrize(
    "length",
    [
        b"",
        b" ",
        b"+5",
        b"-5",
        b"0x5",
        b"5_0",
        b"5 ",
        b" 5",
        b"5,5",
        b"5a",
        "\u0665".encode(),
        b"12345678901",
        b"5\n",
        b"5\r",
    ],
)
def test_what_is_no_plain_number_is_not_this_head(length: bytes) -> None:
    """A head with another spelling of its length goes the strict way."""
    assert known().match(HEAD.replace(b": 5", b": " + length)) is None


@pytest.mark.parametrize("end", range(len(HEAD)))
def test_a_part_of_a_head_is_not_it(end: int) -> None:
    """However much of it has come."""
    assert known().match(HEAD[:end]) is None


@pytest.mark.parametrize("at", range(len(HEAD)))
def test_one_other_byte_is_another_head(at: int) -> None:
    """Everywhere but in the digits."""
    changed = HEAD[:at] + bytes([HEAD[at] ^ 0x01]) + HEAD[at + 1 :]
    if HEAD[at : at + 1] == b"5":
        assert known().match(changed) is not None
    else:
        assert known().match(changed) is None


@pytest.mark.parametrize(
    "line", [b"Content-Length: 6\r\n", b"content-length: 5\r\n", b"Transfer-Encoding: chunked\r\n"]
)
def test_a_line_more_is_another_head(line: bytes) -> None:
    """In front of the length, behind it, and at the end."""
    for at in (HEAD.index(b"Host"), HEAD.index(b"Content-Length"), HEAD.index(b"X:"), len(HEAD) - 2):
        assert known().match(HEAD[:at] + line + HEAD[at:]) is None


def test_a_head_without_a_length_is_known_whole() -> None:
    """It has no digits and no body."""
    head = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
    assert known(head, 0).match(head) == (0, len(head))
    assert known(head, 0).match(head + b"GET") == (0, len(head))
    assert known(head, 0).match(head[:-2] + b"Content-Length: 5\r\n\r\n") is None


@pytest.mark.parametrize(
    "spelling", [b"CONTENT-LENGTH: 5", b"Content-Length:5", b"Content-Length:  5", b"Content-Length: 05"]
)
def test_a_length_that_is_spelled_otherwise_is_not_learned(spelling: bytes) -> None:
    """Its digits could not be found again."""
    assert CachedHead.of(HEAD.replace(b"Content-Length: 5", spelling), 5, "") is None


def test_a_length_that_the_reader_understood_otherwise_is_not_learned() -> None:
    """The strict path has the last word."""
    assert CachedHead.of(HEAD, 6, "") is None


def test_a_long_head_is_not_learned() -> None:
    """Memory for each connection is bounded."""
    assert CachedHead.of(b"GET / HTTP/1.1\r\nX: " + b"a" * 4096 + b"\r\n\r\n", 0, "") is None


TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACED = HEAD.replace(b"Host: x", b"Host: x\r\ntraceparent: " + TRACE)


@pytest.mark.parametrize(
    "trace", [TRACE, TRACE.replace(b"a", b"0"), b"ff-" + b"f" * 32 + b"-" + b"0" * 16 + b"-00"]
)
def test_another_trace_is_the_same_head(trace: bytes) -> None:
    """Clients that trace send another with each request; it is not passed on."""
    again = TRACED.replace(TRACE, trace).replace(b": 5", b": 77")
    assert known(TRACED).match(again + b"body") == (77, len(again))


@pytest.mark.parametrize(
    "trace",
    [
        b"",
        TRACE[:-1],
        TRACE + b"0",
        TRACE.upper(),
        TRACE.replace(b"-", b"_"),
        TRACE[:-2] + b"0\n",
        TRACE[:-4] + b"\r\nx:",
        b"x" * len(TRACE),
    ],
)
def test_what_is_no_trace_is_another_head(trace: bytes) -> None:
    """Nothing can hide in its place."""
    assert known(TRACED).match(TRACED.replace(TRACE, trace)) is None


@pytest.mark.parametrize("end", range(len(TRACED)))
def test_a_part_of_a_traced_head_is_not_it(end: int) -> None:
    assert known(TRACED).match(TRACED[:end]) is None


def test_of_two_traces_only_the_first_may_differ() -> None:
    """The strict path has seen both; what it made of them holds for these."""
    twice = TRACED.replace(b"X: y", b"traceparent: " + TRACE)
    other = TRACE.replace(b"a", b"0")
    assert known(twice).match(twice.replace(TRACE, other, 1)) is not None
    assert known(twice).match(other.join(twice.rsplit(TRACE, 1))) is None


def test_a_trace_of_another_form_is_learned_as_it_is() -> None:
    odd = TRACED.replace(TRACE, b"00-x")
    assert known(odd).match(odd) == (5, len(odd))
    assert known(odd).match(TRACED) is None
