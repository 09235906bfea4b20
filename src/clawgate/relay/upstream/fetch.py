"""Sends small requests of clawgate's own, such as health probes, through the dialer of all egress."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from clawgate.errors import GatewayError, UpstreamTimedOut
from clawgate.policy.timeouts import LimitName
from clawgate.relay.interfaces import ResponseHead
from clawgate.relay.upstream.connection import UpstreamConnection
from clawgate.relay.upstream.upstream import Upstream

BODY_LIMIT = 65_536


@dataclass(frozen=True, slots=True)
class FetchResponse:
    """Status and the first bytes of the body, up to the limit of the fetch."""

    status: int
    body: bytes


class _Reply:
    """A handler that collects one response."""

    def __init__(self, body_limit: int) -> None:
        self.done: asyncio.Future[FetchResponse] = asyncio.get_running_loop().create_future()
        self._status = 0
        self._body = bytearray()
        self._body_limit = body_limit

    def on_complete_response(self, status: int, head: bytes, body: bytes) -> bool:
        return False

    def on_response_head(self, head: ResponseHead) -> bytes | None:
        self._status = head.status
        return None

    def on_response_body(self, body: bytes) -> None:
        if len(self._body) < self._body_limit:
            self._body += body

    def on_read_complete(self) -> None:
        pass

    def chunk_passthrough(self) -> None:
        return None

    def on_response_complete(self) -> None:
        if not self.done.done():
            self.done.set_result(FetchResponse(self._status, bytes(self._body[: self._body_limit])))

    def on_upstream_error(self, error: GatewayError, *, no_response: bool, not_received: bool) -> None:
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
            connection = await upstream.pool.dial()
        limit = "first_byte"
        reply = _Reply(body_limit)
        connection.start_response(reply, head_only=False)
        connection.write(
            [upstream.encode_head(b"GET", target, b"accept: application/json\r\n" + lines) + b"\r\n"]
        )
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
