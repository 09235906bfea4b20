"""Encodes the head of a response for the client: status line, allowed headers, attribution and framing.

Framing is written from what is known of the body, never copied. The last chunk is written in one place only:
`Framing.end`.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from clawgate.policy.headers import lines_to_client
from clawgate.relay.interfaces import ResponseHead
from clawgate.relay.response.redact import masked_fully
from clawgate.wire.dialect import Dialect
from clawgate.wire.http.message import LAST_CHUNK, STATUS_LINE, chunk

FAILED = 400
"""From this status on, a response is an error."""
OWN_PREFIX = b"x-clawgate-"
_PROVIDER = OWN_PREFIX + b"provider: "
_CACHING = b"cache-control"
NOT_STORED = _CACHING + b": no-store\r\n"
"""Of every response of a gateway: a cache between it and its clients must not hand one caller's to another."""


@dataclass(slots=True, kw_only=True)
class ResponseOptions:
    """What the encoding of a response depends on besides the upstream's head.

    ``bodiless`` for HEAD, 204 and 304. ``attribution_headers`` are those of a gateway, which chose the provider: they
    replace those of a clawgate further upstream. ``served_by`` names the upstream where there is no choice.
    ``credential_advice`` is what to do if the upstream rejects our credential, ``operator_status`` the status of that
    in place of 401.
    """

    http10: bool
    close: bool
    bodiless: bool
    secrets: tuple[bytes, ...]
    attribution_headers: bytes = b""
    served_by: bytes = b""
    credential_advice: str = ""
    operator_status: int | None = None
    dialect: Dialect = Dialect.CHAT


class Framing:
    """How a client finds the end of a body: by its length, by chunks, or by the end of the connection (HTTP/1.0).

    A response that is ``bodiless`` ends with its head, whatever the length says.
    """

    __slots__ = ("chunked", "length", "until_close")

    def __init__(self, length: int | None, *, http10: bool, bodiless: bool = False) -> None:
        self.length = length
        self.chunked = length is None and not (http10 or bodiless)
        self.until_close = length is None and http10 and not bodiless

    def line(self) -> bytes:
        """Return the header line that announces it."""
        if self.chunked:
            return b"transfer-encoding: chunked\r\n"
        return b"" if self.length is None else b"content-length: %d\r\n" % self.length

    def frame(self, body: bytes) -> bytes:
        """Return ``body`` in the form in which it is sent."""
        return chunk(body) if self.chunked else body

    def end(self) -> bytes:
        """Return what shows the client that the body is complete. Nothing may follow."""
        return LAST_CHUNK if self.chunked else b""


def is_event_stream(head: ResponseHead) -> bool:
    """Whether the body is an event stream that can be read."""
    return head.content_type[:17].lower() == b"text/event-stream" and not head.encoded


def header_lines(
    head: ResponseHead,
    options: ResponseOptions,
    *,
    without: Container[bytes] = (),
    renamed: Mapping[bytes, bytes] | None = None,
) -> bytes:
    """Return the upstream's headers that a client of a gateway may see, masked, and the gateway's attribution."""
    kept = [pair for pair in head.headers if pair[0] not in without and not pair[0].startswith(OWN_PREFIX)]
    own = options.attribution_headers
    if own:
        kept = [pair for pair in kept if pair[0] != _CACHING]
        own += NOT_STORED
    if renamed:
        kept = [(renamed.get(name, name), value) for name, value in kept]
    return masked_fully(lines_to_client(kept), options.secrets) + own


def relayed_lines(head: ResponseHead, options: ResponseOptions) -> tuple[bytes, bytes]:
    """Return the upstream's headers that a client of bridge or server may see, masked, and those of them that are ours.

    A clawgate further upstream has named the provider already.
    """
    lines = masked_fully(lines_to_client(head.headers), options.secrets)
    if not options.served_by or _PROVIDER in lines:
        return lines, b""
    own = b"%b%b\r\n" % (_PROVIDER, options.served_by)
    return lines + own, own


def encode_head(
    status: int, lines: bytes, framing: Framing, *, close: bool, event_stream: bool = False
) -> bytes:
    """Return a complete head: ``lines`` and what belongs to the framing of a body."""
    return b"%b%b%b%b%b\r\n" % (
        STATUS_LINE[status],
        lines,
        b"x-accel-buffering: no\r\n" if event_stream else b"",  # nginx would buffer the stream
        b"connection: close\r\n" if close or framing.until_close else b"",
        framing.line(),
    )
