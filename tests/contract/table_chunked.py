"""Chunked bodies (RFC 9112 section 7.1), right and wrong."""

from __future__ import annotations

from tests.contract.case import Case, Outcome, chunked, get, refused, served
from tests.contract.live_role import CLIENT_MARK

LAST = b"0\r\n\r\n"


def _broken(name: str, body: bytes) -> Case:
    return refused(f"chunk-{name}", chunked(body=body), torn=True)


def _fine(name: str, body: bytes, becomes: bytes) -> Case:
    def check(outcome: Outcome) -> None:
        (request,) = outcome.whole
        assert request.body == becomes
        assert request.reader.trailers == [], "a trailer went upstream"
        assert b";" not in request.raw[len(request.raw_head) :], "a chunk extension went upstream"

    return served(f"chunk-{name}", chunked(body=body), check=check)


def _unfinished(name: str, body: bytes) -> Case:
    return Case(
        name=f"chunk-{name}",
        send=chunked(body=body),
        status=(),
        reaches=0,
        closes=True,
        torn=True,
        then_fin=True,
    )


CASES: tuple[Case, ...] = (
    _fine("one", b"2\r\n{}\r\n" + LAST, b"{}"),
    _fine("two", b"1\r\n{\r\n1\r\n}\r\n" + LAST, b"{}"),
    _fine("none", LAST, b""),
    _fine("upper-hex", b"A\r\n{       \r\n\r\n1\r\n}\r\n" + LAST, b"{       \r\n}"),
    _fine("lower-hex", b"a\r\n{       \r\n\r\n1\r\n}\r\n" + LAST, b"{       \r\n}"),
    _fine("leading-zeros", b"002\r\n{}\r\n" + LAST, b"{}"),
    _fine("many-zeros-at-end", b"2\r\n{}\r\n0000\r\n\r\n", b"{}"),
    _fine("extension", b"2;a=b\r\n{}\r\n" + LAST, b"{}"),
    _fine("extension-quoted", b'2;a="b;c"\r\n{}\r\n' + LAST, b"{}"),
    _fine("extension-on-last", b"2\r\n{}\r\n0;a=b\r\n\r\n", b"{}"),
    _fine("trailer", b"2\r\n{}\r\n0\r\nX-Trailer: 1\r\n\r\n", b"{}"),
    _fine("trailer-credential", f"2\r\n{{}}\r\n0\r\nX-Proxy-Token: {CLIENT_MARK}\r\n\r\n".encode(), b"{}"),
    _broken("trailer-length", b"2\r\n{}\r\n0\r\nContent-Length: 99\r\n\r\n"),
    _broken("trailer-coding", b"2\r\n{}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    _fine("looks-like-last", b"7\r\n0\r\n\r\n{}\r\n" + LAST, b"0\r\n\r\n{}"),
    _broken("size-empty", b"\r\n{}\r\n" + LAST),
    _broken("size-letter", b"g\r\n{}\r\n" + LAST),
    _broken("size-0x", b"0x2\r\n{}\r\n" + LAST),
    _broken("size-plus", b"+2\r\n{}\r\n" + LAST),
    _broken("size-minus", b"-2\r\n{}\r\n" + LAST),
    _broken("size-underscore", b"0_2\r\n{}\r\n" + LAST),
    _broken("size-space-in-front", b" 2\r\n{}\r\n" + LAST),
    _broken("size-comma", b"2,\r\n{}\r\n" + LAST),
    _broken("size-nul", b"2\x00\r\n{}\r\n" + LAST),
    _broken("size-vertical-tab", b"2\x0b\r\n{}\r\n" + LAST),
    _broken("size-fullwidth", "\uff12\r\n{}\r\n".encode() + LAST),
    _broken("size-17-digits", b"10000000000000002\r\n{}\r\n" + LAST),
    _broken("size-2-to-64", b"10000000000000000\r\n{}\r\n" + LAST),
    _broken("size-lf-only", b"2\n{}\r\n" + LAST),
    _broken("size-cr-only", b"2\r{}\r\n" + LAST),
    _broken("data-no-crlf", b"2\r\n{}" + LAST),
    _broken("data-lf-only", b"2\r\n{}\n" + LAST),
    _broken("data-two-other-bytes", b"2\r\n{}XX" + LAST),
    _broken("data-longer-than-size", b"2\r\n{}{}\r\n" + LAST),
    _broken("all-lf", b"2\n{}\n0\n\n"),
    _broken("last-lf-only", b"2\r\n{}\r\n0\n\n"),
    _broken("trailer-lf-only", b"2\r\n{}\r\n0\r\nX: 1\n\r\n"),
    _broken("trailer-no-colon", b"2\r\n{}\r\n0\r\nnonsense\r\n\r\n"),
    _broken("trailer-folded", b"2\r\n{}\r\n0\r\nX: 1\r\n y\r\n\r\n"),
    _broken("extension-lf", b"2;a\n{}\r\n" + LAST),
    _broken("extension-cr", b"2;a\rb\r\n{}\r\n" + LAST),
    _broken("extension-nul", b"2;a\x00\r\n{}\r\n" + LAST),
    _broken("extension-huge", b"2;" + b"a" * 300_000 + b"\r\n{}\r\n" + LAST),
    _broken(
        "extensions-many",
        b"1;" + b"a" * 1000 + b"\r\n{\r\n" + (b"1;" + b"a" * 1000 + b"\r\n \r\n") * 500 + LAST,
    ),
    _broken("trailer-huge", b"2\r\n{}\r\n0\r\nX: " + b"a" * 300_000 + b"\r\n\r\n"),
    _broken("trailers-many", b"2\r\n{}\r\n0\r\n" + b"X-T: 1\r\n" * 40_000 + b"\r\n"),
    _broken(
        "trailer-huge-behind-content",
        b"18000\r\n" + b" " * 98_304 + b"\r\n0\r\nX: " + b"a" * 400_000 + b"\r\n\r\n",
    ),
    _unfinished("ends-in-data", b"5\r\n{}"),
    _unfinished("ends-behind-data", b"2\r\n{}\r\n"),
    _unfinished("ends-in-size", b"2\r\n{}\r\n1"),
    _unfinished("ends-in-last", b"2\r\n{}\r\n0\r\n"),
    _unfinished("ends-before-any", b""),
    Case(
        name="chunk-request-behind",
        send=chunked(body=b"2\r\n{}\r\n" + LAST) + get(),
        status=(200, 200),
        reaches=2,
        closes=False,
    ),
    Case(
        name="chunk-garbage-behind",
        send=chunked(body=b"2\r\n{}\r\n" + LAST) + b"garbage\r\n\r\n",
        status=(200, 400),
        reaches=1,
        closes=True,
    ),
    _broken("trailers-beyond-measure", b"2\r\n{}\r\n0\r\n" + b"X-T: 1\r\n" * 5_000 + b"\r\n"),
)
