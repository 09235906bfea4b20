"""Chooses the upstream of a request by its body, and the next one after a failure.

Knows no connection: it puts the request of an attempt into the `RequestStream` and has its owner send it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar

from clawgate.errors import GatewayError
from clawgate.relay.admission.plan import AdmittedHead, RoutePlan, UpstreamAttempt
from clawgate.relay.exchange.request_stream import RequestStream
from clawgate.relay.interfaces import UpstreamSide
from clawgate.relay.response.buffered import MadeResponse
from clawgate.wire.http.message import LAST_CHUNK, chunk
from clawgate.wire.json.model_field import require_model

OFFLOAD_BYTES = 262_144
"""A body from here on is searched for its model in a thread, so that other requests are served meanwhile."""

_T = TypeVar("_T")


class AttemptOwner(Protocol):
    """The exchange, as its attempts need it."""

    def prepare(self, work: Callable[[], Awaitable[_T]], then: Callable[[_T], None]) -> None:
        """Do ``work`` in a task, and call ``then`` with its result."""

    def abandon_attempt(self) -> None:
        """Give up the current upstream."""

    def use_upstream(self, upstream: UpstreamSide) -> None:
        """From now on ``upstream`` is the current one; its limits apply."""

    def flush_request(self) -> None:
        """Send what the request stream holds."""

    def respond(self, made: MadeResponse) -> None:
        """Send a response that needs no upstream."""


class Attempts:
    """How a request goes upstream that depends on its body. Raises `GatewayError` where it cannot."""

    __slots__ = ("_head", "_owner", "_plan", "_request", "current", "model")

    def __init__(self, owner: AttemptOwner, head: AdmittedHead, request: RequestStream) -> None:
        self._owner = owner
        self._head = head
        self._request = request
        self._plan: RoutePlan | None = None
        self.current: UpstreamAttempt | None = None
        """The attempt under way, or the last one; None where the upstream was known before."""
        self.model: str | None = None
        """The model that the body names."""

    def choose(self, body: bytes) -> None:
        """Send the request to the upstream that ``body`` leads to, if its model may be used."""
        if len(body) >= OFFLOAD_BYTES:
            self._owner.prepare(partial(asyncio.to_thread, self._read, body), partial(self._begin, body))
        else:
            self._begin(body, self._read(body))

    def _read(self, body: bytes) -> RoutePlan | str:
        """Return the plan for ``body``, or its model where no router chooses. May run in a thread."""
        router = self._head.router
        return router.route(self._head, body) if router is not None else require_model(body)

    def _begin(self, body: bytes, found: RoutePlan | str) -> None:
        if not isinstance(found, str):
            self._plan, self.model = found, found.model
            self._start(found.first_attempt())
            return
        head, request = self._head, self._request
        assert head.model_allowlist is not None, "without a router there is an allowlist"
        self.model = found
        head.model_allowlist.check(found)
        if body:
            request.append(chunk(body) if head.chunked else body)
        if head.chunked:
            request.append(LAST_CHUNK)
        self._owner.flush_request()

    def _start(self, attempt: UpstreamAttempt) -> None:
        self.current = attempt
        self._owner.use_upstream(attempt.upstream)
        offload, attempt.offload = attempt.offload, None  # once, and it may refer to the attempt and its body
        if offload is None:
            self._send(attempt)
        else:
            self._owner.prepare(partial(_complete, attempt, offload), self._send)

    def _send(self, attempt: UpstreamAttempt) -> None:
        if attempt.response is not None:
            self._owner.respond(attempt.response)
            return
        self._request.replace(attempt.request)
        self._owner.flush_request()

    def advance(self, *, status: int | None = None, error: GatewayError | None = None) -> bool:
        """Begin the next attempt, now that the current one failed so. False: the failure is the response."""
        if self._plan is None or self.current is None:
            return False
        following = self._plan.next_attempt(status=status, error=error)
        if following is None:
            return False
        self._owner.abandon_attempt()
        self._start(following)
        return True

    def close(self) -> None:
        """The exchange is over. Without the reference to it both are freed now, not by the garbage collector."""
        del self._owner

    def discard_body(self) -> None:
        """No further attempt is made: discard the request."""
        if self.current is not None:
            self.current.request = []
            self.current.offload = None
        if self._plan is not None:
            self._plan.discard_body()

    def map_error(self, error: GatewayError) -> GatewayError:
        return self._plan.map_error(error) if self._plan is not None else error


async def _complete(attempt: UpstreamAttempt, offload: Callable[[], bytes]) -> UpstreamAttempt:
    """Make the request of ``attempt`` in a thread, so that other requests are served meanwhile."""
    attempt.complete(await asyncio.to_thread(offload))
    return attempt
