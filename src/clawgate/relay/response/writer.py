"""How does an upstream's answer look to our client? Head, framing and the last words of a broken one.

Bytes only: what arrives is added, what can be sent is taken. The body is never decoded and never changed, but for
one case: an error answer in which the upstream repeats our credential.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from clawgate.errors import GatewayError, UpstreamClosed
from clawgate.policy.headers import lines_to_client
from clawgate.relay.interfaces import ChunkPassthrough, ResponseHead
from clawgate.relay.response.error_response import stream_event
from clawgate.wire.anthropic import errors as anthropic_errors
from clawgate.wire.dialect import Dialect
from clawgate.wire.http.message import LAST_CHUNK, STATUS_LINE, chunk
from clawgate.wire.openai import errors as openai_errors
from clawgate.wire.sse.tail import FirstEventDetector, StreamTail

MASK_LIMIT = 65_536
"""How much of an error answer is held back to look for our credential in it."""
SHORTEST_SCREENED = 16
"""Of the credentials that are looked for in answers that are no errors."""
_FAILED = 400
_OURS = b"x-clawgate-"
_PROVIDER = b"x-clawgate-provider: "


class PassthroughWriter:
    """One answer, for one client. ``bodiless`` for HEAD, 204 and 304; ``served_by`` names the provider.

    ``names`` are head lines that say who served, where this gateway is the one that chose: they stand in place of
    what a clawgate further on says. ``dialect`` is the client's, for errors.
    """

    _held = 0
    _instead = b""
    _withheld = b""  # the end of the body so far, where that may be the beginning of a credential
    _first_event: FirstEventDetector | None = None
    _passthrough: ChunkPassthrough | None = None
    headers_pending = False
    defers_status = False
    failure: GatewayError | None = None
    extra_headers: bytes | None = None
    """What was added for the client, where the same may be done for the next answer that looks like this one."""

    def __init__(
        self,
        head: ResponseHead,
        *,
        http10: bool,
        close: bool,
        bodiless: bool,
        secrets: tuple[bytes, ...],
        served_by: bytes = b"",
        names: bytes = b"",
        dialect: Dialect = Dialect.CHAT,
    ) -> None:
        self.status = head.status
        self._dialect = dialect
        unknown_length = head.length is None and not bodiless
        self._chunked = unknown_length and not http10
        self.until_close = unknown_length and http10
        self.event_stream = head.content_type[:17].lower() == b"text/event-stream" and not head.encoded
        self.content_started = not self.event_stream
        self._masks = secrets if head.status >= _FAILED and not head.encoded else ()
        # What a model says is not rewritten for a key that could be a word of it.
        self.screens = (
            tuple(secret for secret in secrets if len(secret) >= SHORTEST_SCREENED)
            if names and not self._masks
            else ()
        )
        # For bridge and server see docs/decisions/0010: there, such an end passes as it came.
        self._origin_closed = bool(names) and unknown_length and not head.chunked and self.event_stream
        self._pieces: list[bytes] = []
        foreign = bool(names) and any(name.startswith(_OURS) for name, _ in head.headers)
        headers = (
            [pair for pair in head.headers if not pair[0].startswith(_OURS)] if foreign else head.headers
        )
        if secrets and head.encoded and head.status >= _FAILED and not bodiless:
            self._instead = _unread(dialect)
            headers = [pair for pair in headers if pair[0] not in (b"content-encoding", b"content-type")]
            head = replace(head, length=len(self._instead), chunked=False, encoded=False, content_type=b"")
            unknown_length = self._chunked = self.until_close = False
        lines = STATUS_LINE[head.status] + lines_to_client(headers)
        if self._instead:
            lines += b"content-type: application/json\r\n"
        for secret in secrets:
            if secret in lines:
                lines = lines.replace(secret, b"*" * len(secret))
        own = b""
        lines += names
        if served_by and not names and _PROVIDER not in lines:  # a clawgate further on has said it already
            own = b"%b%b\r\n" % (_PROVIDER, served_by)
            lines += own
        self._tail = StreamTail()
        self._passes = self.event_stream and self._chunked and not self._masks
        if self.event_stream:
            self._first_event = FirstEventDetector()
            lines += b"x-accel-buffering: no\r\n"
        if close or self.until_close:
            lines += b"connection: close\r\n"
        if self._chunked:
            lines += b"transfer-encoding: chunked\r\n"
        elif head.length is not None and not (bodiless and head.status == 204):
            lines += b"content-length: %d\r\n" % head.length
            plain = not (bodiless or close or self.event_stream or self._masks or self._instead)
            if plain and not foreign:
                self.extra_headers = own
        self._head = lines + b"\r\n"

    def passthrough(self, write: Callable[[bytes], None]) -> ChunkPassthrough | None:
        """Leave for chunks to pass without being told to this writer, until the next that is told."""
        if not (self._passes and self.content_started and self._tail.is_between_events) or self._withheld:
            return None
        if self._passthrough is None:
            self._passthrough = ChunkPassthrough(write, self.screens)
        return self._passthrough

    def _catch_up(self) -> None:
        """Take note of the chunks that have passed by."""
        if self._passthrough is not None and (events := self._passthrough.pop_last_chunk()):
            self._tail.restart(events)

    def feed(self, body: bytes) -> None:
        """Bytes of the body, as they came."""
        if self._instead:
            return
        if self.screens and not (body := self._screened(body)):
            return
        self._pieces.append(body)
        self._held += len(body)
        if not self.content_started and self._first_event is not None:
            self.content_started = self._first_event.feed(body)

    def _screened(self, body: bytes) -> bytes:
        """``body`` without our credential, and without its own end where that may be the beginning of one."""
        body = self._withheld + body
        for secret in self.screens:
            if secret in body:
                body = body.replace(secret, b"*" * len(secret))
        held = max(_begun(secret, body) for secret in self.screens)
        whole = len(body) - held
        self._withheld = body[whole:]
        return body[:whole]

    def flush(self, *, ended: bool) -> bytes:
        """What is to be sent now; with ``ended`` the answer is whole and its last chunk belongs to it."""
        out, self._head = self._head, b""
        if self._instead:
            return out + self._instead if out else b""
        pieces = self._pieces
        if ended and self._withheld:
            pieces.append(self._withheld)
            self._withheld = b""
        if pieces and (ended or not self._masks or self._held > MASK_LIMIT):
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            if self._masks:
                body = self._masked(body, ended=ended)
            if self.event_stream:
                self._catch_up()
                self._tail.add(body)
            out += chunk(body) if self._chunked else body
        self._catch_up()
        if ended and self._origin_closed and not self._tail.is_whole:
            self._head = out  # for abort_message, which sends it first
            raise UpstreamClosed("the upstream closed the connection in the middle of an event")
        if ended and self._chunked:
            out += LAST_CHUNK
        return out

    def _masked(self, body: bytes, *, ended: bool) -> bytes:
        """``body`` without our credential; what could be the beginning of one is kept for the next time."""
        for secret in self._masks:
            body = body.replace(secret, b"*" * len(secret))
        kept = 0 if ended else max(map(len, self._masks)) - 1
        if kept:
            self._pieces.append(body[-kept:])
            body = body[:-kept]
        self._held = kept
        return body

    def abort_message(self, error: GatewayError) -> bytes:
        """What an answer that cannot be finished may still say; never its last chunk, empty where nothing fits."""
        if self._withheld:
            self._pieces.append(self._withheld)
            self._withheld = b""
        rest = self.flush(ended=False)
        if not self.event_stream or not (self._chunked or self.until_close):
            return rest
        self._catch_up()
        words = self._tail.closing_chunk(stream_event(error, self._dialect))
        if not words:
            return rest
        return rest + (chunk(words) if self._chunked else words)


def _begun(secret: bytes, body: bytes) -> int:
    """How many bytes at the end of ``body`` may be the beginning of ``secret``, which is not in it."""
    end = body[-len(secret) + 1 :]
    at = end.find(secret[:1])
    while at >= 0 and not secret.startswith(end[at:]):
        at = end.find(secret[:1], at + 1)
    return len(end) - at if at >= 0 else 0


def _unread(dialect: Dialect) -> bytes:
    """In place of an error that came compressed, though nobody asked for that: it might repeat our credential."""
    render = anthropic_errors.error_body if dialect is Dialect.MESSAGES else openai_errors.error_body
    return render(
        message="the upstream's error came compressed, which was not asked for; it cannot be looked at or passed on",
        kind="upstream_error",
        code="upstream_failed",
    )
