"""What does a client get for a failure that says something else than it is? Read whole, judged, and told anew.

Some servers wrap the failures of what stands behind them: a 500 that holds a 404. Whoever knows that server gives a
status and words; what it does not know goes on as it came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from clawgate.errors import GatewayError, UpstreamFailed, UpstreamMalformed
from clawgate.policy.headers import lines_to_client
from clawgate.relay.interfaces import ChunkPassthrough, ResponseHead
from clawgate.wire.anthropic import errors as anthropic_errors
from clawgate.wire.dialect import Dialect
from clawgate.wire.http.message import STATUS_LINE
from clawgate.wire.openai import errors as openai_errors
from clawgate.wire.translate import errors as foreign_errors

MOST_BYTES = 65_536
"""What is shown to who judges."""
WHOLE_LIMIT = 16 * 1024 * 1024


class Judgement(Protocol):
    """The status that the client should see, and words for people."""

    @property
    def status(self) -> int: ...
    @property
    def message(self) -> str: ...
    @property
    def retry_after(self) -> int | None: ...


class ErrorMappingWriter:
    """One failed answer. ``otherwise`` makes the body where nobody knows better."""

    extra_headers: bytes | None = None
    failure: GatewayError | None = None
    defers_status = True
    content_started = True
    until_close = False

    def __init__(
        self,
        head: ResponseHead,
        judge: Callable[[int, bytes], Judgement | None],
        otherwise: Callable[[bytes], bytes],
        *,
        client: Dialect,
        close: bool,
        secrets: tuple[bytes, ...],
        names: bytes,
    ) -> None:
        self.status = head.status
        self.headers_pending = True
        self._head = head
        self._judge = judge
        self._otherwise = otherwise
        self._client = client
        self._close = close
        self._secrets = secrets
        self._names = names
        self._whole = bytearray()

    def feed(self, body: bytes) -> None:
        self._whole += body
        if len(self._whole) > WHOLE_LIMIT:
            raise UpstreamMalformed(f"an error of over {WHOLE_LIMIT} bytes is no error that can be told")

    def flush(self, *, ended: bool) -> bytes:
        if not ended:
            return b""
        self.headers_pending = False
        whole = bytes(self._whole)
        found = self._judge(self.status, whole[:MOST_BYTES])
        kept: tuple[bytes, ...] = ()
        if found is not None:
            kept = (b"content-type", b"content-encoding") + ((b"retry-after",) if found.retry_after else ())
        lines = lines_to_client(pair for pair in self._head.headers if pair[0] not in kept)
        if found is None:
            body = self._otherwise(whole)
        else:
            self.status = found.status if found.status in STATUS_LINE else 502
            render = (
                anthropic_errors.error_body if self._client is Dialect.MESSAGES else openai_errors.error_body
            )
            body = render(
                message=found.message,
                kind=foreign_errors.kind_of(self.status, self._client) or "upstream_error",
                code=UpstreamFailed.code,
            )
            lines += b"content-type: application/json\r\n"
            if found.retry_after is not None:
                lines += b"retry-after: %d\r\n" % found.retry_after
        reason = found.message if found is not None else ""
        for secret in self._secrets:
            mask = b"*" * len(secret)
            lines, body = lines.replace(secret, mask), body.replace(secret, mask)
            reason = reason.replace(secret.decode("utf-8", "replace"), mask.decode())
        if found is not None:
            self.failure = UpstreamFailed(reason, retry_after=found.retry_after, status=self.status)
        close = b"connection: close\r\n" if self._close else b""
        return b"%b%b%b%bcontent-length: %d\r\n\r\n%b" % (
            STATUS_LINE[self.status], lines, self._names, close, len(body), body,
        )  # fmt: skip

    def passthrough(self, write: Callable[[bytes], None]) -> ChunkPassthrough | None:
        """None: nothing passes as it came."""
        return None

    def abort_message(self, error: GatewayError) -> bytes:
        return b""
