"""How much a client may take up: head 32 kB, target 8 kB, body as configured; refused unread where possible."""

from __future__ import annotations

from tests.contract.case import Case, Outcome, chunked, denied, get, post, refused, served
from tests.contract.live_role import BODY_LIMIT

HEAD_LIMIT = 32_768
TARGET_LIMIT = 8_192
LAST = b"0\r\n\r\n"


def _length(size: int) -> bytes:
    """The head alone of a request that announces ``size`` bytes."""
    return post(body=b"", length=b"Content-Length: %d" % size)


def _chunks(size: int) -> bytes:
    whole, rest = divmod(size, 16_384)
    chunks = (b"4000\r\n" + b" " * 16_384 + b"\r\n") * whole
    return chunks + (b"%x\r\n%b\r\n" % (rest, b" " * rest) if rest else b"") + LAST


def _fill(size: int) -> bytes:
    """A GET whose target is ``size`` bytes long."""
    return get(target=b"/v1/models/" + b"a" * (size - 11))


def _body_is_whole(outcome: Outcome) -> None:
    assert len(outcome.whole[-1].body) == BODY_LIMIT


CASES: tuple[Case, ...] = (
    served("head-30-kb", get(b"X: " + b"a" * 30_000), twin=get()),
    served("head-100-fields", get(*[b"X-%d: 1" % number for number in range(100)]), twin=get()),
    refused("head-33-kb", get(b"X: " + b"a" * 33_000), 431, code="head_too_large", twin=get()),
    refused("head-1-mb", get(b"X: " + b"a" * 1_000_000), 431, twin=get()),
    refused("head-without-end", b"GET /v1/models HTTP/1.1\r\nX: " + b"a" * 40_000, 431, twin=get()),
    refused("head-name-64-kb", get(b"a" * 65_536 + b": 1"), 431, twin=get()),
    refused("head-10000-fields", get(*[b"X-%d: 1" % number for number in range(10_000)]), 431, twin=get()),
    refused("head-empty-lines", b"\r\n" * 20_000, 431, twin=get()),
    refused("start-line-without-end", b"G" * 40_000, 431, twin=get()),
    served("target-8-kb", _fill(TARGET_LIMIT), twin=get()),
    refused("target-one-more", _fill(TARGET_LIMIT + 1), 414, code="target_too_long", twin=get()),
    refused("target-20-kb", _fill(20_000), 414, twin=get()),
    refused("target-query-20-kb", get(target=b"/v1/models?" + b"a" * 20_000), 414, twin=get()),
    served("body-at-limit", post(body=b" " * BODY_LIMIT), check=_body_is_whole),
    refused("body-one-more-announced", _length(BODY_LIMIT + 1), 413, code="body_too_large"),
    refused("body-1-gb-announced", _length(10**9), 413),
    refused("body-10-digits-announced", _length(9_999_999_999), 413),
    refused("body-11-digits-announced", _length(10**10), 413),
    refused("body-19-digits-announced", _length(10**18), 413),
    refused(
        "body-too-large-with-expect",
        post(b"Expect: 100-continue", body=b"", length=b"Content-Length: 1000000"),
        413,
    ),
    refused("body-too-large-and-sent", post(body=b" " * (BODY_LIMIT + 1)), 413, closes=True),
    refused(
        "body-too-large-in-get",
        get(b"Content-Length: %d" % (BODY_LIMIT + 1)),
        413,
        twin=get(b"Content-Length: 0"),
    ),
    served("chunked-at-limit", chunked(body=_chunks(BODY_LIMIT)), check=_body_is_whole),
    refused("chunked-one-more", chunked(body=_chunks(BODY_LIMIT + 1)), 413, torn=True, code="body_too_large"),
    refused("chunked-without-end", chunked(body=_chunks(BODY_LIMIT * 4)[: -len(LAST)]), 413, torn=True),
    refused(
        "chunk-announced-too-large", chunked(body=b"fffffff\r\n" + b" " * (BODY_LIMIT + 1)), 413, torn=True
    ),
    refused("chunk-announced-and-never-sent", chunked(body=b"ffffffffffffffff\r\n"), 413),
    served("connection-long", get(b"Connection: " + b", ".join([b"a"] * 2000)), twin=get()),
    denied("host-long", get(host=b"Host: " + b"a" * 20_000), 421, twin=get()),
)
