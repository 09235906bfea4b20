"""Filters the headers that are forwarded, in each direction: allowlists, because a denylist is never complete.

Invariant: no credential passes. The headers that carry them are on no list, and the one credential that leaves is added
by the upstream's own header lines.
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
"""Headers of a client that reach the upstream. `OpenAI-Organization` and `-Project` are the key owner's to choose, and
responses are requested uncompressed, so that an error can be put at the end of a stream that breaks."""

TO_HOOKS = (b"x-claude-session-id", b"x-meridian-profile")
"""Headers of a client that the plugin of a provider may read, which decides what becomes of them."""

OF_AGENTS_ALONE = frozenset(
    {
        b"x-openclaw-agent-id",
        b"x-openclaw-message-channel",
        b"x-openclaw-model",
        b"x-openclaw-session-key",
    }
)
"""Headers that have a meaning for an agent alone: a request for a model that has one is rejected."""

DISCONNECT = b"x-clawgate-disconnect"
"""What becomes of a run when its client disconnects: ``cancel``, as with a model, or ``detach``."""

DIRECT_REJECTS = OF_AGENTS_ALONE | {DISCONNECT}
"""What a request for a model must not have, but for a ``DISCONNECT`` that requests what happens anyway."""

TRACE = b"traceparent"

TO_AGENTS = DIRECT_REJECTS | {
    TRACE,
    b"idempotency-key",
    b"last-event-id",
    b"x-openwebui-chat-id",
    b"x-openwebui-user-id",
}
"""Headers of a client that an agent's run reads. Of these `TO_UPSTREAM` alone reach an upstream."""

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
"""Headers of an upstream that reach the client, with `TO_CLIENT_PREFIXES`; not the key owner's organisation, no
cookies."""

TO_CLIENT_PREFIXES = (b"x-ratelimit-", b"anthropic-ratelimit-", b"x-clawgate-")

_COMMON_CONNECTION = frozenset(
    {b"", b"keep-alive", b"close", b"Keep-Alive", b"Close", b"upgrade", b"Upgrade"}
)


def hop_by_hop_names(value: bytes) -> frozenset[bytes]:
    """Return the header names that a ``Connection`` value declares hop-by-hop (RFC 9110 7.6.1), in lower case."""
    if value in _COMMON_CONNECTION:
        return frozenset()
    return frozenset(name.strip().lower() for name in value.split(b","))


def lines_to_upstream(headers: Headers) -> bytes:
    """Return the client's headers that are forwarded, as lines ready to send."""
    return _lines(headers, TO_UPSTREAM, ())


def lines_to_client(headers: Headers) -> bytes:
    """Return the upstream's headers that are forwarded, as lines ready to send."""
    return _lines(headers, TO_CLIENT, TO_CLIENT_PREFIXES)


def _lines(headers: Headers, allowed: frozenset[bytes], prefixes: tuple[bytes, ...]) -> bytes:
    kept: list[tuple[bytes, bytes]] = []
    hop_by_hop: frozenset[bytes] = frozenset()
    for name, value in headers:
        if name in allowed or (prefixes and name.startswith(prefixes)):
            kept.append((name, value))
        elif name == b"connection":
            hop_by_hop |= hop_by_hop_names(value)
    if hop_by_hop:
        kept = [pair for pair in kept if pair[0] not in hop_by_hop]
    return b"".join([b"%b: %b\r\n" % pair for pair in kept])
