"""Sends small requests of clawgate's own, such as health probes, through the dialer of all egress."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from clawgate.errors import GatewayError, UpstreamMalformed, UpstreamTimedOut
from clawgate.policy.timeouts import LimitName
from clawgate.relay.interfaces import ResponseHead
from clawgate.relay.upstream.connection import UpstreamConnection
from clawgate.relay.upstream.upstream import Upstream, target_of
from clawgate.wire.http.gzip_body import GzipBody

BODY_LIMIT = 65_536


@dataclass(frozen=True, slots=True)
class FetchResponse:
    """Status, headers (names in lower case), and the first bytes of the body: up to the limit of the fetch."""

    status: int
    body: bytes
    headers: Mapping[bytes, bytes] = field(default_factory=dict, compare=False)
    truncated: bool = False


class Reply:
    """A handler that collects one response. No more of it is read than its limit; gzip is decoded up to there."""

    def __init__(self, body_limit: int) -> None:
        self.done: asyncio.Future[FetchResponse] = asyncio.get_running_loop().create_future()
        self._status = 0
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._body_limit = body_limit
        self._received = 0
        self._gzip: GzipBody | None = None

    def on_complete_response(self, status: int, head: bytes, body: bytes) -> bool:
        return False

    def on_response_head(self, head: ResponseHead) -> bytes | None:
        self._status = head.status
        self._headers = dict(head.headers)
        if [name for name, _ in head.headers].count(b"location") > 1:
            self._fail(
                UpstreamMalformed(
                    "the response redirects to two places, of which programs choose different ones"
                )
            )
        coding = self._headers.get(b"content-encoding", b"").lower()
        if coding in (b"gzip", b"x-gzip"):
            self._gzip = GzipBody()
        return None

    def on_response_body(self, body: bytes) -> None:
        if self.done.done():
            return
        self._received += len(body)
        room = self._body_limit + 1 - len(self._body)
        try:
            self._body += body[:room] if self._gzip is None else self._gzip.feed(body, room)
        except ValueError as error:
            self._fail(UpstreamMalformed(f"the response is compressed wrongly: {error}"))
            return
        if max(len(self._body), self._received) > self._body_limit:
            self._finish()

    def on_read_complete(self) -> None:
        pass

    def chunk_passthrough(self) -> None:
        return None

    def on_response_complete(self) -> None:
        if self._gzip is not None and not self._gzip.ended and not self.done.done():
            self._fail(UpstreamMalformed("the response is compressed wrongly: it has no end"))
        self._finish()

    def on_upstream_error(self, error: GatewayError, *, no_response: bool, not_received: bool) -> None:
        self._fail(error)

    def _finish(self) -> None:
        if not self.done.done():
            body, limit = bytes(self._body[: self._body_limit]), self._body_limit
            truncated = max(len(self._body), self._received) > limit
            self.done.set_result(FetchResponse(self._status, body, self._headers, truncated))

    def _fail(self, error: GatewayError) -> None:
        if not self.done.done():
            self.done.set_exception(error)

    def on_upstream_write_paused(self) -> None:
        pass

    def on_upstream_write_resumed(self) -> None:
        pass


async def fetch(
    upstream: Upstream,
    target: bytes,
    *,
    lines: bytes = b"",
    connect_seconds: float,
    response_seconds: float,
    body_limit: int = BODY_LIMIT,
) -> FetchResponse:
    """GET ``target`` on a connection of its own; ``lines`` are further header lines.

    Raises `GatewayError`, for an expired limit `UpstreamTimedOut`.
    """
    limit: LimitName = "connect"
    connection: UpstreamConnection | None = None
    try:
        async with asyncio.timeout(connect_seconds):
            head = upstream.encode_head(b"GET", target, b"accept: application/json\r\n" + lines)
            connection = await upstream.pool.dial(target_of(head))
        limit = "first_byte"
        reply = Reply(body_limit)
        connection.start_response(reply, head_only=False)
        connection.write([head + b"\r\n"])
        async with asyncio.timeout(response_seconds):
            return await reply.done
    except TimeoutError:
        seconds = connect_seconds if limit == "connect" else response_seconds
        raise UpstreamTimedOut(
            f"{upstream.origin}: no response within {seconds:g} s (limit '{limit}')",
            limit=limit,
            seconds=seconds,
        ) from None
    finally:
        if connection is not None:
            connection.abort()
