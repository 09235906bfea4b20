"""Serves a request within this process, as the plan of its exchange: the one attempt, whose upstream is a coroutine.

Law: a request that is served here has no other attempt. A body that is known before anything starts is sent at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from clawgate.errors import GatewayError
from clawgate.policy.timeouts import TimeLimits
from clawgate.relay.interfaces import Buffer, ResponseHead, ResponseWriter
from clawgate.relay.response.buffered import MadeResponse
from clawgate.relay.response.event_stream import EventStreamWriter
from clawgate.relay.response.head import ResponseOptions
from clawgate.relay.response.passthrough import PassthroughWriter
from clawgate.relay.upstream.local import LocalResponse, LocalUpstream
from clawgate.wire.dialect import Dialect


class LocalAttempt(ABC):
    """Implements `UpstreamAttempt`. ``name`` is how messages name what responds, ``seconds`` how long it may take."""

    passthrough = False
    offload: Callable[[], bytes] | None = None

    def __init__(
        self,
        name: str,
        *,
        served_by: str = "",
        dialect: Dialect = Dialect.CHAT,
        seconds: float = 60.0,
    ) -> None:
        self.served_by = served_by or name
        self.response: MadeResponse | None = None
        self.request: list[Buffer] = [b"request"]  # which is known here already
        self._dialect = dialect
        limits = TimeLimits(first_byte=seconds, idle=seconds, total=2 * seconds)
        self.upstream = LocalUpstream(name, self.respond, limits)

    @property
    def attribution_headers(self) -> bytes:
        return b""

    @abstractmethod
    async def respond(self, response: LocalResponse) -> None:
        """Raises `GatewayError` where there is no response."""

    def complete(self, body: bytes) -> None:
        raise AssertionError("nothing of it is made in a thread")

    def on_success(self) -> None: ...  # noqa: B027 - no provider waits for it

    def writer(self, head: ResponseHead, *, http10: bool, close: bool, bodiless: bool) -> ResponseWriter:
        options = ResponseOptions(
            http10=http10,
            close=close,
            bodiless=bodiless,
            secrets=(),
            attribution_headers=self.attribution_headers,
            dialect=self._dialect,
        )
        return (EventStreamWriter if head.length is None else PassthroughWriter)(head, options)


class MadeAttempt(LocalAttempt):
    """One whose response is known before anything starts: it is sent in place of a request."""

    def __init__(self, name: str, made: MadeResponse) -> None:
        super().__init__(name)
        self.response = made

    async def respond(self, response: LocalResponse) -> None:
        raise AssertionError("its response was made before")


class LocalPlan:
    """Implements `RoutePlan`; ``model`` is for logs."""

    def __init__(self, attempt: LocalAttempt, model: str) -> None:
        self.model = model
        self._attempt = attempt

    def first_attempt(self) -> LocalAttempt:
        return self._attempt

    def next_attempt(self, *, status: int | None = None, error: GatewayError | None = None) -> None:
        return None

    def discard_body(self) -> None: ...

    def map_error(self, error: GatewayError) -> GatewayError:
        return error


def begin_body(response: LocalResponse, content_type: str, body: bytes) -> None:
    """Send a complete body."""
    response.begin(200, _headers(content_type), length=len(body))
    response.send(body)


def begin_stream(response: LocalResponse, content_type: str) -> None:
    response.begin(200, _headers(content_type), length=None)


def _headers(content_type: str) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", content_type.encode("ascii")), (b"cache-control", b"no-store")]
