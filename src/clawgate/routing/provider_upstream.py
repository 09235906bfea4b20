"""A provider's connections, the request heads that were encoded for it, and why its last request failed.

An encoded head depends on the provider and on what the client sent in its own head, so a repeated one is encoded once.
"""

from __future__ import annotations

import asyncio
import contextlib

from clawgate import errors
from clawgate.policy.egress.names import host_kind
from clawgate.policy.egress.ranges import AddressKind
from clawgate.providers.availability import unreachable
from clawgate.providers.provider import Provider
from clawgate.relay.response.redact import masked_error
from clawgate.relay.upstream.upstream import Upstream
from clawgate.wire.translate.errors import parse_error
from clawgate.wire.translate.same_dialect import MESSAGES

_VERSION = b"anthropic-version: "
_OUR_VERSION = _VERSION + b"2023-06-01\r\n"
"""A version has to be named (Anthropic's API reference, "Versions"); translations are written for this one."""
_LENGTH = b"content-length: "
_MAX_HEADS = 256
_LONGEST_HEAD = 4096
_UNAUTHORIZED = 401
_FAILED = 400
_RECHECK_SECONDS = 1.0
_CONNECTED = (errors.UpstreamClosed, errors.UpstreamMalformed, errors.UpstreamRedirected)


class ProviderUpstream:
    """One provider of the config and its `Upstream`; thrown away when the provider's config changes."""

    def __init__(self, provider: Provider, upstream: Upstream) -> None:
        self.provider = provider
        self.upstream = upstream
        self.failure: errors.GatewayError | None = None
        """The error of the last request, if its credential was rejected or no connection could be opened.

        None after another response. It is a report, and no request waits for it.
        """
        self._is_out_of_reach = False
        self._is_local = (
            provider.origin is not None
            and provider.proxy is None
            and host_kind(provider.origin.host) is AddressKind.LOOPBACK
        )
        self._begun = self._noted = 0
        self._operator_names = frozenset(name.lower().encode() for name, _ in provider.headers)
        self._adds_version = b"anthropic-version" not in self._operator_names
        self._heads: dict[tuple[bytes, bytes, bytes], bytes] = {}

    def begin(self) -> int:
        """Return the number of a request that begins."""
        self._begun += 1
        return self._begun

    def note_response(self, request: int, status: int) -> None:
        if status == _UNAUTHORIZED:
            self.note_rejection(request, f" (401); {self.upstream.credential_advice}")
        elif status < _FAILED:
            self.note(request, None)
        else:
            self._note_connected(request)

    def note_rejection(self, request: int, detail: str, quote: str = "") -> None:
        message = f"the provider '{self.provider.id}': it rejected the last request{detail}"
        self.note(request, errors.UpstreamUnauthorized(message, quote=quote, status=_UNAUTHORIZED))

    def note_error(self, request: int, error: errors.GatewayError) -> None:
        """``request`` failed without a response."""
        if isinstance(error, errors.UpstreamUnreachable):
            self.note(request, unreachable(self.provider, error), is_out_of_reach=True)
        elif isinstance(error, errors.EgressDenied) or (
            isinstance(error, errors.UpstreamTimedOut) and error.limit == "connect"
        ):
            # a copy, which has no traceback
            self.note(request, error.with_message(error.message), is_out_of_reach=True)
        elif isinstance(error, _CONNECTED):
            self._note_connected(request)

    def note_error_body(self, request: int, status: int, body: bytes) -> None:
        """Keep the error of a clawgate in between, such as our own bridge, whose upstream is out of reach."""
        found = parse_error(body, status)
        error: errors.GatewayError
        if found.code == errors.UpstreamUnreachable.code:
            error = errors.UpstreamUnreachable(found.message)
        elif found.code == errors.UpstreamTimedOut.code and "limit 'connect'" in found.message:
            error = errors.UpstreamTimedOut(found.message, limit="connect", seconds=0)
        else:
            return
        self.note(request, masked_error(error, self.upstream.secrets))

    def _note_connected(self, request: int) -> None:
        """The upstream can be reached; whether it takes the credential is as it was."""
        if not isinstance(self.failure, errors.UpstreamUnauthorized | None):
            self.note(request, None)

    def note(
        self, request: int, failure: errors.GatewayError | None, *, is_out_of_reach: bool = False
    ) -> None:
        """Keep the result of ``request``, None for a success, unless that of a later one is known."""
        if request >= self._noted:
            self._noted, self.failure, self._is_out_of_reach = request, failure, is_out_of_reach

    async def recheck(self) -> None:
        """Open a connection where the last request could not, and on this machine, where it costs little.

        Sends nothing.
        """
        if not (self._is_out_of_reach or (self._is_local and not self.upstream.pool.open_count)):
            return
        request = self.begin()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RECHECK_SECONDS):
                try:
                    connection = await self.upstream.pool.dial()
                except errors.GatewayError as error:
                    self.note_error(request, error)
                else:
                    connection.abort()
                    if self._is_out_of_reach:
                        self.note(request, None)

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
        if self._adds_version and target.startswith(MESSAGES) and _VERSION not in lines:
            lines += _OUR_VERSION
        return self.upstream.encode_head(b"POST", target, lines, via) + _LENGTH


def _without(lines: bytes, names: frozenset[bytes]) -> bytes:
    """Return ``lines`` without those that the operator sets."""
    kept = [line for line in lines.split(b"\r\n") if line and line.partition(b":")[0] not in names]
    return b"".join(line + b"\r\n" for line in kept)
