"""A shape takes what means the same as the head it was made from, and nothing else."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.policy.headers import TO_CLIENT, lines_to_client
from clawgate.relay.response.redact import masked_fully
from clawgate.relay.upstream.response_head_cache import ResponseHeadCache, ResponseHeadPattern

OWN = b"x-clawgate-provider: openai\r\n"
RAW = (
    b"HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 01:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: 5\r\nConnection: keep-alive\r\nx-request-id: req_1\r\nSet-Cookie: a=b\r\n"
    b"x-ratelimit-remaining-requests: 9%\r\nCF-RAY: 8b\r\n\r\n"
)


def shape(raw: bytes = RAW, status: int = 200) -> ResponseHeadPattern:
    found = ResponseHeadPattern.of(raw, status, OWN)
    assert found is not None
    return found


def fields(head: bytes) -> list[tuple[bytes, bytes]]:
    pairs = [line.partition(b": ") for line in head.removesuffix(b"\r\n\r\n").split(b"\r\n")[1:]]
    return [(name.lower(), value) for name, _, value in pairs]


def test_the_head_it_was_made_from_is_taken_and_rendered() -> None:
    """What passes stands there in its order, what does not is gone, ours and the length come last."""
    found = shape().match(RAW + b"hello")
    assert found is not None
    head, body_at = found
    assert body_at == len(RAW)
    assert head == (
        b"HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 01:00:00 GMT\r\nContent-Type: application/json\r\n"
        b"x-request-id: req_1\r\nx-ratelimit-remaining-requests: 9%\r\n" + OWN + b"content-length: 5\r\n\r\n"
    )


def test_values_that_mean_nothing_may_differ() -> None:
    """Ids, dates, limits and dropped cookies change from response to response."""
    raw = (
        RAW.replace(b"req_1", b"req_2 %s")
        .replace(b"a=b", b"c=d; Path=/")
        .replace(b"Length: 5", b"Length: 11")
    )
    found = shape().match(raw + b"hello world")
    assert found is not None
    assert b"x-request-id: req_2 %s\r\n" in found[0] and b"c=d" not in found[0]
    assert found[0].endswith(b"content-length: 11\r\n\r\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"200 OK", b"201 Created"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"application/json", b"text/event-stream"),
        (b"keep-alive", b"close"),
        (b"CF-RAY: 8b", b"Transfer-Encoding: chunked"),
        (b"CF-RAY: 8b", b"Content-Encoding: gzip"),
        (b"CF-RAY: 8b\r\n", b""),
        (b"CF-RAY: 8b\r\n", b"CF-RAY: 8b\r\nContent-Length: 5\r\n"),
        (b"CF-RAY: 8b\r\n", b"CF-RAY: 8b\r\nX-New: 1\r\n"),
        (b"req_1", b"req\n1"),
        (b"req_1", b"req\x001"),
        (b"req_1", b"req\r\n folded"),
        (b"Length: 5", b"Length: +5"),
        (b"Length: 5", b"Length: 5, 5"),
        (b"Length: 5", b"Length: "),
        (b"Length: 5", b"Length: 00000000005"),
        (b"Length: 5", b"Length: 4"),
        (b"Length: 5", b"Length: 6"),
    ],
)
def test_anything_with_a_meaning_has_to_be_the_same(old: bytes, new: bytes) -> None:
    """Another status, type, framing or connection, another set of lines, or a character llhttp would refuse."""
    changed = RAW.replace(old, new, 1)
    assert changed != RAW
    assert shape().match(changed + b"hello") is None


def test_half_an_answer_is_not_taken() -> None:
    """Whole answers only: every cut goes the long way."""
    whole = RAW + b"hello"
    assert all(shape().match(whole[:cut]) is None for cut in range(len(whole)))
    assert shape().match(whole + b"HTTP/1.1 200 OK\r\n") is None


@pytest.mark.parametrize(
    "raw",
    [
        RAW.replace(b"keep-alive", b"x-request-id"),
        RAW.replace(b"Content-Length: 5\r\n", b""),
        RAW.replace(b"8b", b"8" * 9000),
        RAW.removesuffix(b"\r\n"),
    ],
)
def test_heads_that_are_not_made_shapes_of(raw: bytes) -> None:
    """A Connection that names fields, no length, a very long head, half a head."""
    assert ResponseHeadPattern.of(raw, 200, OWN) is None


@pytest.mark.parametrize("status", [304, 400, 404, 429, 500, 503])
def test_no_pattern_is_made_of_a_failure(status: int) -> None:
    """A failure has to be seen each time: a fallback may be configured for it."""
    assert ResponseHeadPattern.of(RAW.replace(b"200 OK", b"%d Any" % status), status, OWN) is None


@pytest.mark.parametrize("length", [b"0", b"00"])
def test_a_response_without_content_matches_no_pattern(length: bytes) -> None:
    """An empty 200 is a failure of most APIs, and has the head of a good one."""
    assert shape().match(RAW.replace(b"Length: 5", b"Length: " + length)) is None


_TEXT = st.text("abc%{}\\()[]*+?.^$| ;=", max_size=12).map(lambda text: text.strip().encode())
_NAMES = st.sampled_from(
    [*sorted(TO_CLIENT - {b"content-type", b"content-encoding"}), b"server", b"x-ratelimit-a", b"cookie"]
)


@given(st.lists(st.tuples(_NAMES, _TEXT, _TEXT), max_size=8))
def test_a_shape_renders_what_the_allowlist_would(lines: list[tuple[bytes, bytes, bytes]]) -> None:
    """For any lines: a second response with other values gets exactly the lines that the policy lets through."""

    def raw(which: int) -> bytes:
        return (
            b"HTTP/1.1 200 OK\r\n"
            + b"".join(b"%b: %b\r\n" % (line[0], line[which]) for line in lines)
            + b"content-length: 2\r\n\r\n{}"
        )

    found = shape(raw(1).removesuffix(b"{}")).match(raw(2))
    assert found is not None
    passed = lines_to_client(fields(raw(2).removesuffix(b"{}")))
    expected = b"HTTP/1.1 200 OK\r\n" + passed + OWN + b"content-length: 2\r\n\r\n"
    assert found[0] == expected


# A head that repeats our credential

SECRETS = (b"sk-canary-0123", b"Sk-0123456789-0123456789-0123456789-0123456789")
SPELLINGS = [*SECRETS, SECRETS[1].lower(), b64encode(b"x" + SECRETS[1])]


@pytest.mark.parametrize("secret", SPELLINGS)
@pytest.mark.parametrize("place", [b"req_1", b"a=b", b"application/json", b"CF-RAY", b"01:00:00"])
def test_a_head_that_repeats_a_credential_is_neither_learned_nor_taken(secret: bytes, place: bytes) -> None:
    """Wherever it is, in every spelling, also where the line was shorter in the head that was learned."""
    for secrets in (SECRETS, SECRETS[1:]):
        if secret == SECRETS[0] and secrets != SECRETS:
            continue
        raw = RAW.replace(place, secret)
        assert ResponseHeadPattern.of(raw, 200, OWN, secrets) is None
        learned = ResponseHeadPattern.of(RAW, 200, OWN, secrets)
        assert learned is not None and learned.match(RAW + b"hello") is not None
        taken = learned.match(raw + b"hello")
        assert taken is None or secret not in taken[0]


@given(st.lists(st.text("kS-013", max_size=12), min_size=3, max_size=3), st.booleans())
def test_no_head_that_is_taken_repeats_a_credential(values: list[str], is_short: bool) -> None:
    secrets = (b"Sk-0",) if is_short else (b"Sk-0" * 12,)
    learned = ResponseHeadPattern.of(RAW, 200, OWN, secrets)
    assert learned is not None
    raw = RAW
    for place, value in zip((b"req_1", b"9%", b"Sat"), values, strict=True):
        raw = raw.replace(place, value.encode() * (1 if is_short else 8))
    taken = learned.match(raw + b"hello")
    if taken is None:
        assert any(len(line) >= len(secrets[0]) for line in raw.split(b"\r\n"))
    else:
        assert masked_fully(taken[0], secrets) is taken[0]


def test_with_a_credential_that_may_span_lines_nothing_is_learned() -> None:
    assert ResponseHeadPattern.of(RAW, 200, OWN, (b"user:pass\r\nword",)) is None


def test_what_is_learned_is_bounded() -> None:
    """An upstream whose heads never repeat costs four patterns and 64 compilations, and no more."""
    shapes = ResponseHeadCache()
    for number in range(200):
        shapes.remember(RAW.replace(b"CF-RAY", b"X-%d" % number), 200, OWN)
    assert len(shapes) == 4
    assert shapes[0].match(RAW.replace(b"CF-RAY", b"X-63") + b"hello") is not None
