"""Only a target that every reader reads alike goes on; status lines and chunks are RFC 9112."""

from __future__ import annotations

import re

import pytest

from clawgate.errors import MalformedRequest
from clawgate.wire.http.message import CONTINUE, LAST_CHUNK, STATUS_LINE, chunk, split_target

GOOD = [
    (b"/", b"", "the root"),
    (b"/v1/models", b"", "a plain path"),
    (b"/v1/models", b"?", "an empty query keeps its mark"),
    (b"/v1/models", b"?a=1&b=2", "a query"),
    (b"/v1/models", b"?a=?", "a second mark belongs to the query"),
    (b"/v1/models", b"?a=../..", "dots in a query are no segments"),
    (b"/v1/models", b"?a=//b", "slashes in a query are no segments"),
    (b"/v1/models", b"?a=%5C%00", "a query's escapes are the reader's own"),
    (b"/v1/models/", b"", "a slash at the end"),
    (b"/v1/...", b"", "three dots are a name"),
    (b"/v1/.well-known", b"", "a name that begins with a dot"),
    (b"/v1/..a", b"", "a name that begins with two"),
    (b"/v1/a..", b"", "a name that ends with two"),
    (b"/v1/a.b", b"", "a dot inside a name"),
    (b"/v1/%61", b"", "an escaped letter, which stays escaped"),
    (b"/v1/a%2Fb", b"", "an escaped slash between names"),
    (b"/v1/%E2%9C%93", b"", "escaped UTF-8"),
    (b"/v1/a;b=c", b"", "parameters of a segment"),
    (b"/v1/100%25", b"", "an escaped percent sign"),
    (b"/v1/a%252fb", b"", "a slash that is escaped twice"),
    (b"/v1/models", b"?a=100%", "a query's percent signs are the reader's own"),
    (b"/v1/@:!$&'()*+,=~-_", b"", "all that RFC 3986 allows in a segment"),
]
BAD = [
    (b"", "empty"),
    (b"*", "asterisk form"),
    (b"v1/models", "no slash in front"),
    (b"http://a/v1", "absolute form"),
    (b"a:443", "authority form"),
    (b"?a=1", "a query alone"),
    (b"%2Fv1", "an escaped slash in front"),
    (b" /v1", "a blank in front"),
    (b"/v1#a", "a fragment"),
    (b"/v1?a#b", "a fragment behind a query"),
    (b"/v1/\xc3\xa9", "a raw byte over 0x7F"),
    (b"/v1?\xff", "one in the query"),
    (b"//v1", "an empty segment in front, which some read as a host"),
    (b"/v1//models", "an empty segment"),
    (b"/v1//", "an empty segment at the end"),
    (b"/%2Fv1", "an escaped empty segment"),
    (b"/v1/%2fmodels", "an escaped empty segment in the middle"),
    (b"/v1\\models", "a backslash, which browsers read as a slash"),
    (b"/v1%5Cmodels", "an escaped backslash"),
    (b"/v1%5cmodels", "the same in lower case"),
    (b"/v1/.", "a dot segment at the end"),
    (b"/./v1", "a dot segment in front"),
    (b"/v1/..", "a double dot at the end"),
    (b"/v1/../admin", "a double dot"),
    (b"/..", "a double dot at the root"),
    (b"/v1/%2e", "an escaped dot"),
    (b"/v1/%2E%2e/admin", "escaped double dots"),
    (b"/v1/.%2e/admin", "half escaped"),
    (b"/v1/%2e./admin", "the other half"),
    (b"/v1%2F../admin", "a double dot behind an escaped slash"),
    (b"/v1/..%2fadmin", "a double dot in front of one"),
    (b"/v1/\x00", "NUL"),
    (b"/v1/\t", "a tab"),
    (b"/v1/\r\nX: y", "a line break"),
    (b"/v1/\x1f", "the last of the control characters"),
    (b"/v1/\x7f", "DEL"),
    (b"/v1/%00", "an escaped NUL"),
    (b"/v1/%0d%0aX:%20y", "an escaped line break"),
    (b"/v1/%1F", "an escaped control character"),
    (b"/v1/%7f", "an escaped DEL"),
    (b"/v1/%zz", "a percent sign that escapes nothing"),
    (b"/v1/100%", "one at the end"),
    (b"/v1/%u002e%u002e/x", "dots as IIS reads them"),
    (b"/v1/%252e%252e/x", "double dots that are escaped twice"),
    (b"/v1/%25%32%65%2e/x", "an escape of which each character is escaped"),
    (b"/v1/%25252e%25252e/x", "double dots that are escaped three times"),
    (b"/v1/%252525", "an escape of an escape of an escape"),
    (b"/v1/%255cx", "a backslash that is escaped twice"),
    (b"/v1/%2500", "a NUL that is escaped twice"),
    (b"/v1/%252f%252fx", "an empty segment that is escaped twice"),
    (b"/v1/..;/x", "a double dot with a parameter"),
    (b"/v1/..%3Ba=b/x", "one whose semicolon is escaped"),
    (b"/v1/.;/x", "a dot with a parameter"),
    (b"/v1/;a/x", "a parameter of an empty segment"),
    (b"/v1/..%20/x", "a double dot with a blank, as Windows reads it"),
    (b"/v1/%c0%ae%c0%ae/x", "dots in overlong UTF-8"),
    (b"/v1/%ff", "an escaped byte that is not UTF-8"),
]


@pytest.mark.parametrize(("path", "query", "why"), GOOD, ids=[row[2] for row in GOOD])
def test_a_plain_target_is_split_and_not_changed(path: bytes, query: bytes, why: str) -> None:
    assert split_target(path + query) == (path, query), why


@pytest.mark.parametrize(("target", "why"), BAD, ids=[row[1] for row in BAD])
def test_a_target_that_could_be_read_in_two_ways_is_rejected(target: bytes, why: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        split_target(target)
    assert caught.value.message.startswith("the request "), why


@pytest.mark.parametrize("target", [b"/v1?a=\tb", b"/v1?a=\r\nX: y", b"/v1?a=\x00", b"/v1?a b", b"/v1 b"])
def test_no_control_character_or_blank_passes_anywhere(target: bytes) -> None:
    """RFC 3986 has no raw blank and no control character, in the query as little as in the path."""
    with pytest.raises(MalformedRequest):
        split_target(target)


def test_every_status_has_its_line() -> None:
    """Each of 100 to 999, with its phrase where IANA has one, and always the blank in front of it."""
    assert set(STATUS_LINE) == set(range(100, 1000))
    assert STATUS_LINE[200] == b"HTTP/1.1 200 OK\r\n"
    assert STATUS_LINE[421] == b"HTTP/1.1 421 Misdirected Request\r\n"
    assert STATUS_LINE[599] == b"HTTP/1.1 599 \r\n"
    assert all(re.fullmatch(rb"HTTP/1\.1 \d{3} [ -~]*\r\n", text) for text in STATUS_LINE.values())


@pytest.mark.parametrize(("size", "head"), [(1, b"1"), (15, b"f"), (16, b"10"), (65_536, b"10000")])
def test_a_chunk_is_its_length_in_hexadecimal_and_its_bytes(size: int, head: bytes) -> None:
    assert chunk(b"x" * size) == head + b"\r\n" + b"x" * size + b"\r\n"


def test_the_fixed_pieces() -> None:
    assert LAST_CHUNK == b"0\r\n\r\n"
    assert CONTINUE == b"HTTP/1.1 100 Continue\r\n\r\n"
