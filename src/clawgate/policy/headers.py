"""Which header fields cross the gateway, in each direction: allowlists, because a denylist is never complete.

Credentials are not decided here and can never come out of here: the fields that carry them are on no list, and
the one credential that leaves is added by the upstream's own head lines.
"""

from __future__ import annotations

from collections.abc import Iterable

Headers = Iterable[tuple[bytes, bytes]]
"""(name in lower case, value) pairs in the order of arrival."""

TO_UPSTREAM = frozenset(
    {
        b"accept",
        b"anthropic-beta",
        b"anthropic-version",
        b"content-encoding",
        b"content-type",
        b"idempotency-key",
        b"openai-beta",
    }
)
"""What a client may say to the model's API. `OpenAI-Organization` and `-Project` are the key owner's to choose, and
answers are asked for uncompressed, so that an error can be put at the end of a stream that breaks."""

TO_CLIENT = frozenset(
    {
        b"cache-control",
        b"content-disposition",
        b"content-encoding",
        b"content-type",
        b"date",
        b"openai-model",
        b"openai-processing-ms",
        b"openai-version",
        b"request-id",
        b"retry-after",
        b"retry-after-ms",
        b"x-request-id",
        b"x-should-retry",
    }
)
"""What an upstream may say to the client, beside `TO_CLIENT_PREFIXES`. Not the key owner's organisation, no cookies."""

TO_CLIENT_PREFIXES = (b"x-ratelimit-", b"anthropic-ratelimit-", b"x-clawgate-")

_COMMON_CONNECTION = frozenset(
    {b"", b"keep-alive", b"close", b"Keep-Alive", b"Close", b"upgrade", b"Upgrade"}
)


def named_by_connection(value: bytes) -> frozenset[bytes]:
    """The field names that a ``Connection`` value declares hop-by-hop (RFC 9110 section 7.6.1), in lower case."""
    if value in _COMMON_CONNECTION:
        return frozenset()
    return frozenset(name.strip().lower() for name in value.split(b","))


def lines_to_upstream(headers: Headers) -> bytes:
    """The client's fields that go on, as head lines ready to send."""
    return _lines(headers, TO_UPSTREAM, ())


def lines_to_client(headers: Headers) -> bytes:
    """The upstream's fields that go back, as head lines ready to send."""
    return _lines(headers, TO_CLIENT, TO_CLIENT_PREFIXES)


def _lines(headers: Headers, allowed: frozenset[bytes], prefixes: tuple[bytes, ...]) -> bytes:
    kept: list[tuple[bytes, bytes]] = []
    hop_by_hop: frozenset[bytes] = frozenset()
    for name, value in headers:
        if name in allowed or (prefixes and name.startswith(prefixes)):
            kept.append((name, value))
        elif name == b"connection":
            hop_by_hop |= named_by_connection(value)
    if hop_by_hop:
        kept = [pair for pair in kept if pair[0] not in hop_by_hop]
    return b"".join([b"%b: %b\r\n" % pair for pair in kept])
