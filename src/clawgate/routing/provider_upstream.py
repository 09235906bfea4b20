"""A provider's connections, with the request heads that were encoded for it.

An encoded head depends on the provider and on what the client sent in its own head, so a repeated one is encoded once.
"""

from __future__ import annotations

from clawgate.providers.provider import Provider
from clawgate.relay.upstream.upstream import Upstream
from clawgate.wire.dialect import Dialect

_VERSION = b"anthropic-version: "
_OUR_VERSION = _VERSION + b"2023-06-01\r\n"
"""A version has to be named (Anthropic's API reference, "Versions"); translations are written for this one."""
_LENGTH = b"content-length: "
_MAX_HEADS = 256
_LONGEST_HEAD = 4096


class ProviderUpstream:
    """One provider of the config and its `Upstream`; thrown away when the provider's config changes."""

    def __init__(self, provider: Provider, upstream: Upstream) -> None:
        self.provider = provider
        self.upstream = upstream
        self.rejection: str | None = None
        """Why the credential of the last request was rejected; None after another response. No request waits for it."""
        self._operator_names = frozenset(name.lower().encode() for name, _ in provider.headers)
        self._adds_version = (
            provider.api == Dialect.MESSAGES and b"anthropic-version" not in self._operator_names
        )
        self._heads: dict[tuple[bytes, bytes, bytes], bytes] = {}

    def head(self, target: bytes, lines: bytes, via: bytes) -> bytes:
        """Return the head of a POST request up to where the digits of its length belong.

        ``target`` and ``lines`` are of the provider's dialect, ``via`` is the client's own Via.
        """
        key = (target, lines, via)
        head = self._heads.get(key)
        if head is None:
            head = self.encode_head(target, lines, via)
            if len(head) <= _LONGEST_HEAD:
                if len(self._heads) >= _MAX_HEADS:
                    self._heads.clear()
                self._heads[key] = head
        return head

    def encode_head(self, target: bytes, lines: bytes, via: bytes) -> bytes:
        """Return the same, not remembered: for ``lines`` that differ with each request."""
        if self._operator_names:
            lines = _without(lines, self._operator_names)
        if self._adds_version and _VERSION not in lines:
            lines += _OUR_VERSION
        return self.upstream.encode_head(b"POST", target, lines, via) + _LENGTH


def _without(lines: bytes, names: frozenset[bytes]) -> bytes:
    """Return ``lines`` without those that the operator sets."""
    kept = [line for line in lines.split(b"\r\n") if line and line.partition(b":")[0] not in names]
    return b"".join(line + b"\r\n" for line in kept)
