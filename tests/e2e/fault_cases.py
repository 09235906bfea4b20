"""The table of upstream faults: what the upstream does, and what its client has to see.

Each case is one answer to one POST whose body the upstream has read; the connection-level faults and those with a
clock have tests of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.peers import faults
from tests.peers.faults import Steps, chunk, head, response
from tests.peers.response import Response
from tests.peers.script import Close, Drip, HalfClose, ReadBody, Reset, Send

TEXT = '{"id":"x","choices":[{"message":{"content":"Grüße \u2028 🦞"}}]}'.encode()
JSON = (("Content-Type", "application/json"),)
CHUNKED = (*JSON, ("Transfer-Encoding", "chunked"))
WIRE = response(TEXT)
HEAD_SIZE = len(WIRE) - len(TEXT)
CHUNKED_HEAD = head(200, CHUNKED)
ERROR = b'{"error":{"message":"no such thing","type":"x","code":"y","param":null}}\r\n\x00\xff '

Check = Callable[[Response], None]


def ours(status: int, code: str, *, retry_after: str | None = None) -> Check:
    """Our own error, as JSON, with this code."""

    def check(response: Response) -> None:
        assert response.complete and response.anomalies == ()
        assert response.status == status
        assert response.header("content-type") == "application/json"
        error = response.json()["error"]
        assert error["code"] == code and error["message"] and error["type"] == "upstream_error"
        assert response.header("retry-after") == retry_after

    return check


def whole(status: int = 200, body: bytes = TEXT, **fields: str) -> Check:
    """The upstream's own answer, byte for byte, with these fields (``_`` for ``-``)."""

    def check(response: Response) -> None:
        assert response.complete and response.anomalies == ()
        assert (response.status, response.body) == (status, body)
        for name, value in fields.items():
            assert response.header_all(name.replace("_", "-")) == [value]

    return check


def broken(body: bytes = TEXT) -> Check:
    """The head came through, then a beginning of the body and a broken end: never something that looks whole."""

    def check(response: Response) -> None:
        assert response.status == 200
        assert not response.complete
        assert body.startswith(response.body + response.partial)

    return check


def either(*checks: Check) -> Check:
    """Where a reset may overtake bytes that were sent before it."""

    def check(response: Response) -> None:
        failures = []
        for one in checks:
            try:
                one(response)
            except AssertionError as error:
                failures.append(error)
            else:
                return
        raise AssertionError(f"none of the outcomes that are allowed: {failures}")

    return check


@dataclass(frozen=True, slots=True)
class Fault:
    """``kept``: whether the connection to the upstream may serve the next request as well; None: not asked."""

    name: str
    script: Steps
    check: Check
    kept: bool | None = None


MALFORMED = ours(502, "upstream_malformed")
CLOSED = ours(502, "upstream_closed")
REDIRECTED = ours(502, "upstream_redirected")


def says(wire: bytes, *, close: bool = False) -> Steps:
    return (ReadBody(), Send(wire), Close()) if close else (ReadBody(), Send(wire))


def status_line(line: bytes) -> Steps:
    return says(line + b"\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")


def field(raw: bytes) -> Steps:
    return says(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + raw + b"\r\nContent-Length: 2\r\n\r\n{}"
    )


def framed(*lines: bytes, body: bytes = b"{}", close: bool = False) -> Steps:
    start = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    return says(start + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body, close=close)


def chunks(raw: bytes, *, close: bool = False) -> Steps:
    return says(CHUNKED_HEAD + raw, close=close)


def _ends() -> list[Fault]:
    """FIN and RST at each place of an answer with a length, and of a chunked one."""
    cases = []
    in_chunk = len(CHUNKED_HEAD) + 10
    places: list[tuple[str, bytes, int, Check]] = [
        ("before the head", WIRE, 0, CLOSED),
        ("after one byte", WIRE, 1, CLOSED),
        ("in the status line", WIRE, 12, CLOSED),
        ("in a field", WIRE, 30, CLOSED),
        ("before the blank line", WIRE, HEAD_SIZE - 2, CLOSED),
        ("right after the head", WIRE, HEAD_SIZE, broken()),
        ("in the body", WIRE, HEAD_SIZE + 20, broken()),
        ("one byte before the end", WIRE, len(WIRE) - 1, broken()),
        ("after the chunked head", CHUNKED_HEAD + chunk(TEXT), len(CHUNKED_HEAD), broken()),
        ("in a chunk size", CHUNKED_HEAD + chunk(TEXT), len(CHUNKED_HEAD) + 1, broken()),
        ("in a chunk", CHUNKED_HEAD + chunk(TEXT), in_chunk, broken()),
        ("before the last chunk", CHUNKED_HEAD + chunk(TEXT), len(CHUNKED_HEAD + chunk(TEXT)), broken()),
        ("in the last chunk", CHUNKED_HEAD + chunk(TEXT) + b"0\r\n\r", len(CHUNKED_HEAD + chunk(TEXT)) + 3, broken()),
    ]  # fmt: skip
    for place, wire, at, check in places:
        cases.append(Fault(f"FIN {place}", faults.cut(wire, at), check, kept=False))
        lost = check if check is CLOSED else either(check, CLOSED)
        cases.append(Fault(f"RST {place}", faults.reset_after(wire, at), lost, kept=False))
    return cases


def _statuses() -> list[Fault]:
    """Errors of the upstream's own keep their status and their body, byte for byte."""
    cases = [
        Fault(f"status {status}", says(_error(status)),
              whole(status, ERROR), kept=True)
        for status in (400, 401, 403, 404, 408, 409, 418, 422, 500, 501, 502, 503, 504, 524, 529, 599)
    ]  # fmt: skip
    return [
        *cases,
        Fault("429 with Retry-After in seconds", faults.rate_limited("7"), _limited("7"), kept=True),
        Fault(
            "429 with Retry-After as a date",
            faults.rate_limited("Wed, 21 Oct 2026 07:28:00 GMT"),
            _limited("Wed, 21 Oct 2026 07:28:00 GMT"),
        ),
        Fault("503 with Retry-After",
              says(response(ERROR, 503, [("Retry-After", "120")])), whole(503, ERROR, retry_after="120"), kept=True),
        Fault("500 that is chunked",
              says(head(500, CHUNKED) + chunk(ERROR[:5]) + chunk(ERROR[5:]) + faults.LAST_CHUNK), whole(500, ERROR)),
        Fault("500 without a body", says(response(b"", 500)), whole(500, b""), kept=True),
        Fault("502 as HTML",
              says(response(b"<html>bad</html>", 502, content_type="text/html")),
              whole(502, b"<html>bad</html>", content_type="text/html")),
        Fault("204 without a body", says(head(204)), whole(204, b""), kept=True),
        Fault("204 that speaks of a length", says(head(204, [("Content-Length", "0")])), whole(204, b"")),
        Fault("201 with a body", says(response(TEXT, 201)), whole(201), kept=True),
    ]  # fmt: skip


def _error(status: int) -> bytes:
    return head(status, [*JSON, ("Content-Length", str(len(ERROR)))], reason="Some Reason") + ERROR


def _limited(retry_after: str) -> Check:
    def check(response: Response) -> None:
        assert response.complete and response.status == 429
        assert response.header("retry-after") == retry_after
        assert response.header("x-ratelimit-limit-requests") == "60"
        assert response.header("x-ratelimit-remaining-requests") == "0"
        assert response.json()["error"]["message"] == "Rate limit reached for requests"

    return check


CASES = [
    # No HTTP at all.
    Fault("garbage head", faults.garbage_head(), MALFORMED, kept=False),
    Fault("HTTP/0.9: a body and no head", says(TEXT, close=True), MALFORMED, kept=False),
    Fault("TLS alert on a plain port", says(b"\x15\x03\x01\x00\x02\x02\x46", close=True), MALFORMED, kept=False),
    Fault("SSH banner", says(b"SSH-2.0-OpenSSH_9.6\r\n", close=True), MALFORMED, kept=False),
    Fault("HTTP/2 settings frame", says(b"\0\0\x12\x04\0\0\0\0\0" + b"\0" * 18, close=True), MALFORMED, kept=False),
    Fault("a request instead of an answer", says(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), MALFORMED, kept=False),
    # Heads.
    Fault("oversized head", faults.oversized_head(), MALFORMED, kept=False),
    Fault("head of many small fields",
          says(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 30_000 + b"Content-Length: 0\r\n\r\n"), MALFORMED, kept=False),
    Fault("head of 40 kB", says(response(TEXT, fields=[("X-Large", "a" * 40_000)])), whole()),
    Fault("status that is no number", status_line(b"HTTP/1.1 abc OK"), MALFORMED, kept=False),
    Fault("status of two digits", status_line(b"HTTP/1.1 20 OK"), MALFORMED, kept=False),
    Fault("status of four digits", status_line(b"HTTP/1.1 2000 OK"), MALFORMED, kept=False),
    Fault("negative status", status_line(b"HTTP/1.1 -200 OK"), MALFORMED, kept=False),
    Fault("no status", status_line(b"HTTP/1.1"), MALFORMED, kept=False),
    Fault("unknown version", status_line(b"HTTP/3.7 200 OK"), MALFORMED, kept=False),
    Fault("another protocol's name", status_line(b"ICY 200 OK"), MALFORMED, kept=False),
    Fault("field without a colon", field(b"no colon here"), MALFORMED, kept=False),
    Fault("blank before the colon", field(b"X-Bad : 1"), MALFORMED, kept=False),
    Fault("field with a NUL", field(b"X-Bad: a\x00b"), MALFORMED, kept=False),
    Fault("field with a bare CR", field(b"X-Bad: a\rb"), MALFORMED, kept=False),
    Fault("folded field", field(b"X-Request-Id: a\r\n b"), MALFORMED, kept=False),
    Fault("empty field name", field(b": a"), MALFORMED, kept=False),
    # Framing that two readers would read differently.
    Fault("Content-Length and Transfer-Encoding",
          framed(b"Content-Length: 2", b"Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n"),
          MALFORMED, kept=False),
    Fault("Transfer-Encoding and Content-Length",
          framed(b"Transfer-Encoding: chunked", b"Content-Length: 2", body=b"2\r\n{}\r\n0\r\n\r\n"),
          MALFORMED, kept=False),
    Fault("two lengths that differ", framed(b"Content-Length: 2", b"Content-Length: 3"), MALFORMED, kept=False),
    Fault("two lengths that agree", framed(b"Content-Length: 2", b"Content-Length: 2"), MALFORMED, kept=False),
    Fault("a list of lengths", framed(b"Content-Length: 2, 2"), MALFORMED, kept=False),
    Fault("length with a sign", framed(b"Content-Length: +2"), MALFORMED, kept=False),
    Fault("negative length", framed(b"Content-Length: -2"), MALFORMED, kept=False),
    Fault("hexadecimal length", framed(b"Content-Length: 0x2"), MALFORMED, kept=False),
    Fault("length that overflows", framed(b"Content-Length: 99999999999999999999999"), MALFORMED, kept=False),
    Fault("length that is a word", framed(b"Content-Length: two"), MALFORMED, kept=False),
    Fault("gzip as transfer coding", framed(b"Transfer-Encoding: gzip", close=True), MALFORMED, kept=False),
    Fault("gzip and chunked", framed(b"Transfer-Encoding: gzip, chunked"), MALFORMED, kept=False),
    Fault("chunked twice",
          framed(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
          either(MALFORMED, whole(200, b"")), kept=None),
    Fault("identity as transfer coding", framed(b"Transfer-Encoding: identity", close=True), MALFORMED, kept=False),
    # Chunks.
    Fault("chunk size that is no number", chunks(b"zz\r\n{}\r\n0\r\n\r\n"), either(MALFORMED, broken(b"")), kept=False),
    Fault("negative chunk size", chunks(b"-2\r\n{}\r\n0\r\n\r\n"), either(MALFORMED, broken(b"")), kept=False),
    Fault("chunk size with 0x", chunks(b"0x2\r\n{}\r\n0\r\n\r\n"), either(MALFORMED, broken(b"")), kept=False),
    Fault("chunk size with an underscore", chunks(b"1_0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n"),
          either(MALFORMED, broken(b"")), kept=False),
    Fault("chunk size that overflows", chunks(b"f" * 17 + b"\r\n{}"), either(MALFORMED, broken(b"")), kept=False),
    Fault("chunk longer than it says", chunks(b"2\r\n{}}\r\n0\r\n\r\n"), either(MALFORMED, broken(b"{}")), kept=False),
    Fault("bad chunk after good ones", chunks(chunk(TEXT) + b"oops\r\n"), either(MALFORMED, broken()), kept=False),
    Fault("chunk extensions and trailers",
          chunks(b"5;a=b\r\n" + TEXT[:5] + b"\r\n" + chunk(TEXT[5:]) + b"0\r\nX-Trailer: 1\r\nSet-Cookie: a=b\r\n\r\n"),
          whole()),
    Fault("chunks of one byte",
          (ReadBody(), Drip(CHUNKED_HEAD + b"".join(chunk(TEXT[i:i + 1]) for i in range(len(TEXT))) + b"0\r\n\r\n", 7)),
          whole()),
    # Lengths.
    Fault("body shorter than its length",
          says(head(200, [*JSON, ("Content-Length", "500")]) + TEXT, close=True), broken(), kept=False),
    Fault("body longer than its length", says(WIRE + b"more than was said"), whole(), kept=False),
    Fault("two answers to one request", says(WIRE + response(b"EVIL")), whole(), kept=False),
    Fault("an answer and the beginning of another", says(WIRE + b"HTTP/1.1 200 OK\r\nContent-"), whole(), kept=False),
    Fault("answer that ends with the connection", framed(body=TEXT, close=True), whole(), kept=False),
    Fault("reset where the end of the connection is the end", (ReadBody(), Send(head(200, JSON) + TEXT), Reset()),
          either(broken(), CLOSED), kept=False),
    Fault("half-close where the end of the connection is the end",
          (ReadBody(), Send(head(200, JSON) + TEXT), HalfClose()), whole(), kept=False),
    Fault("HTTP/1.0 answer", faults.http10_response(TEXT), whole(), kept=False),
    Fault("HTTP/1.0 answer with a length",
          says(head(200, [*JSON, ("Content-Length", str(len(TEXT)))], version="HTTP/1.0") + TEXT, close=True),
          whole(), kept=False),
    Fault("answer that says close",
          says(response(TEXT, fields=[("Connection", "close")]), close=True), whole(), kept=False),
    Fault("answer that says close and stays",
          says(response(TEXT, fields=[("Connection", "close")])), whole(), kept=False),
    Fault("half-close behind a whole answer", (ReadBody(), Send(WIRE), HalfClose()), whole(), kept=False),
    Fault("drip, a byte at a time", (ReadBody(), Drip(WIRE, 1)), whole(), kept=True),
    Fault("drip that splits characters", (ReadBody(), Drip(WIRE, 3)), whole(), kept=True),
    Fault("compressed answer", says(response(b"\x1f\x8b\x08\x00zip", fields=[("Content-Encoding", "gzip")])),
          whole(200, b"\x1f\x8b\x08\x00zip", content_encoding="gzip")),
    # Interim answers, switches, redirects.
    Fault("100 before the answer", faults.interim(100, then=says(WIRE)), whole(), kept=True),
    Fault("102 before the answer", faults.interim(102, then=says(WIRE)), whole(), kept=True),
    Fault("103 before the answer", faults.interim(103, then=says(WIRE)), whole(), kept=True),
    Fault("100, 102 and 103 before the answer", faults.interim(100, 102, 103, then=says(WIRE)), whole(), kept=True),
    Fault("100 in the same write as the answer", says(head(100) + WIRE), whole(), kept=True),
    Fault("100 in pieces", (ReadBody(), Drip(head(100) + WIRE, 5)), whole(), kept=True),
    Fault("100 and then the end", (ReadBody(), Send(head(100)), Close()), CLOSED, kept=False),
    Fault("101 that nobody asked for",
          says(head(101, [("Upgrade", "websocket"), ("Connection", "Upgrade")])), MALFORMED, kept=False),
    Fault("200 with Upgrade", says(response(TEXT, fields=[("Upgrade", "h2c"), ("Connection", "Upgrade")])),
          either(whole(), MALFORMED)),
    *[Fault(f"redirect {status}",
            says(response(b"elsewhere", status, [("Location", "http://169.254.169.254/latest?key=1")])),
            REDIRECTED, kept=False)
      for status in (300, 301, 302, 303, 305, 307, 308)],
    Fault("redirect without a Location", says(response(b"", 302)), REDIRECTED, kept=False),
    Fault("304 that nobody asked for", says(head(304, [("ETag", '"x"')])), whole(304, b"")),
    *_ends(),
    *_statuses(),
]  # fmt: skip
