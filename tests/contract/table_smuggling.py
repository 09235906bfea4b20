"""Requests whose end two readers could see in different places (RFC 9112 sections 6 and 11.2)."""

from __future__ import annotations

from tests.contract.case import Case, Outcome, chunked, get, post, refused, served

HIDDEN = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Smuggled: 1\r\nContent-Length: 0\r\n\r\n"
)
LAST = b"0\r\n\r\n"
TWO = b"2\r\n{}\r\n0\r\n\r\n"


def _length(name: str, value: bytes, status: int = 400) -> Case:
    return refused(f"length-{name}", post(length=b"Content-Length: " + value), status)


def _coding(name: str, line: bytes) -> Case:
    return refused(f"coding-{name}", post(line, body=TWO, length=None))


def _body_is(expected: bytes) -> object:
    def check(outcome: Outcome) -> None:
        assert outcome.whole[-1].body == expected

    return check


def _plain_length(outcome: Outcome) -> None:
    assert outcome.whole[-1].header_all("content-length") == ["2"], "framing was copied, not written anew"


CASES: tuple[Case, ...] = (
    # Both framings.
    refused(
        "cl-then-te", post(b"Transfer-Encoding: chunked", body=LAST + HIDDEN, length=b"Content-Length: 5")
    ),
    refused("te-then-cl", chunked(b"Content-Length: 5", body=LAST + HIDDEN)),
    refused("cl-then-te-short", post(b"Transfer-Encoding: chunked", body=TWO, length=b"Content-Length: 4")),
    refused("cl-zero-then-te", post(b"Transfer-Encoding: chunked", body=TWO, length=b"Content-Length: 0")),
    refused("te-then-cl-in-get", get(b"Transfer-Encoding: chunked", b"Content-Length: 0") + LAST),
    refused("te-identity-and-cl", post(b"Transfer-Encoding: identity")),
    # Two lengths.
    refused("cl-twice-same", post(b"Content-Length: 2")),
    refused("cl-twice-different", post(b"Content-Length: 0")),
    refused("cl-twice-longer", post(b"Content-Length: 4", body=b"{}{}", length=b"Content-Length: 2")),
    refused("cl-twice-other-case", post(b"content-length: 2")),
    _length("list-same", b"2, 2"),
    _length("list-different", b"2, 4"),
    _length("list-comma", b"2,"),
    # Spellings of a number.
    _length("plus", b"+2"),
    _length("minus", b"-2"),
    _length("minus-zero", b"-0"),
    _length("hex", b"0x2"),
    _length("underscore", b"0_2"),
    _length("letter", b"2a"),
    _length("float", b"2.0"),
    _length("exponent", b"2e0"),
    _length("inner-space", b"0 2"),
    _length("inner-tab", b"0\t2"),
    _length("empty", b""),
    _length("blank", b"   "),
    _length("quoted", b'"2"'),
    _length("arabic-digit", "\u0662".encode()),
    _length("fullwidth-digit", "\uff12".encode()),
    _length("superscript", b"\xb2"),
    _length("nbsp", b"\xa02"),
    _length("vertical-tab", b"\x0b2"),
    _length("form-feed", b"2\x0c"),
    _length("semicolon", b"2;q=1"),
    _length("2-to-64", b"18446744073709551616"),
    _length("2-to-64-and-2", b"18446744073709551618"),
    _length("30-digits", b"9" * 30),
    refused("length-space-before-colon", post(length=b"Content-Length : 2")),
    refused("length-tab-before-colon", post(length=b"Content-Length\t: 2")),
    refused("length-folded", post(length=b"Content-Length:\r\n 2")),
    refused("length-name-lower-empty", post(length=b"content-length: ")),
    refused("length-empty-no-space", post(length=b"Content-Length:")),
    served("length-leading-zero", post(length=b"Content-Length: 02"), check=_plain_length),
    served("length-no-space", post(length=b"Content-Length:2"), check=_plain_length),
    served("length-much-space", post(length=b"Content-Length: \t  2"), check=_plain_length),
    served("length-upper-case", post(length=b"CONTENT-LENGTH: 2"), check=_plain_length),
    served("length-18-zeros", post(length=b"Content-Length: " + b"0" * 18 + b"2"), check=_plain_length),
    refused("length-40-zeros", post(length=b"Content-Length: " + b"0" * 40 + b"2")),
    refused("length-5000-zeros", post(length=b"Content-Length: " + b"0" * 5000 + b"2")),
    # Transfer codings that hide from one reader or another.
    _coding("space-in-front-of-name", b" Transfer-Encoding: chunked"),
    _coding("xchunked", b"Transfer-Encoding: xchunked"),
    _coding("chunked-identity", b"Transfer-Encoding: chunked, identity"),
    _coding("identity-chunked", b"Transfer-Encoding: identity, chunked"),
    _coding("gzip-chunked", b"Transfer-Encoding: gzip, chunked"),
    _coding("chunked-chunked", b"Transfer-Encoding: chunked, chunked"),
    _coding("chunked-comma", b"Transfer-Encoding: chunked,"),
    _coding("comma-chunked", b"Transfer-Encoding: , chunked"),
    _coding("space-before-colon", b"Transfer-Encoding : chunked"),
    _coding("tab-before-colon", b"Transfer-Encoding\t: chunked"),
    _coding("vertical-tab", b"Transfer-Encoding: \x0bchunked"),
    _coding("form-feed", b"Transfer-Encoding: chunked\x0c"),
    _coding("nul", b"Transfer-Encoding: chunked\x00"),
    _coding("nbsp", b"Transfer-Encoding: \xa0chunked"),
    _coding("next-line", b"Transfer-Encoding: \x85chunked"),
    _coding("quoted", b'Transfer-Encoding: "chunked"'),
    _coding("parameter", b"Transfer-Encoding: chunked;q=1"),
    _coding("folded", b"Transfer-Encoding:\r\n chunked"),
    _coding("folded-tail", b"Transfer-Encoding: chunked\r\n , identity"),
    _coding("empty", b"Transfer-Encoding:"),
    _coding("twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    _coding("twice-identity", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
    _coding("identity-twice", b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"),
    _coding("bare-lf", b"X: y\nTransfer-Encoding: chunked"),
    _coding("bare-cr", b"X: y\rTransfer-Encoding: chunked"),
    _coding("lf-in-value", b"Transfer-Encoding: chun\nked"),
    refused("coding-in-http10", chunked(body=TWO, version=b"HTTP/1.0")),
    refused("coding-in-http10-keep-alive", chunked(b"Connection: keep-alive", body=TWO, version=b"HTTP/1.0")),
    refused("coding-in-get-xchunked", get(b"Transfer-Encoding: xchunked")),
    served("coding-upper-case", chunked(body=TWO).replace(b"chunked", b"CHUNKED"), check=_body_is(b"{}")),
    served(
        "coding-tab-in-front", chunked(body=TWO).replace(b": chunked", b":\tchunked"), check=_body_is(b"{}")
    ),
    served("coding-name-upper-case", chunked(body=TWO).replace(b"Transfer-Encoding", b"TRANSFER-ENCODING")),
    # A body that looks like a request stays a body.
    served("hidden-in-length-body", post(body=HIDDEN), check=_body_is(HIDDEN)),
    served(
        "hidden-in-chunk",
        chunked(body=b"%x\r\n%b\r\n" % (len(HIDDEN), HIDDEN) + LAST),
        check=_body_is(HIDDEN),
    ),
    # What stands behind a GET without a length is another request, and is answered as one.
    Case(
        name="hidden-behind-get",
        send=get() + get(target=b"/v1/models/x"),
        status=(200, 200),
        reaches=2,
        closes=False,
    ),
    served("get-length-zero", get(b"Content-Length: 0")),
    served(
        "get-with-body",
        get(b"Content-Length: 2") + b"{}",
        check=_body_is(b"{}"),
        twin=get(b"Content-Length: 0"),
    ),
    served(
        "get-with-request-as-body",
        get(b"Content-Length: %d" % len(HIDDEN)) + HIDDEN,
        check=_body_is(HIDDEN),
        twin=get(b"Content-Length: 0"),
    ),
    served("post-no-length", post(body=b"", length=None), check=_body_is(b"")),
    served("post-length-zero", post(body=b""), check=_body_is(b"")),
)
