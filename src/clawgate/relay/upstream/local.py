"""An upstream inside this process: a coroutine that responds to a request, seen by its exchange like any other.

Law: what holds for a remote upstream holds for it. Its exchange's time limits, back pressure, keep-alive and drain
apply, and a client that disconnects cancels it at once. It must not write to the client in any other way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from clawgate.errors import GatewayError, InternalError, UpstreamClosed
from clawgate.policy.timeouts import TimeLimits
from clawgate.relay.interfaces import Buffer, ConnectionWaiter, ResponseHandler, ResponseHead

logger = logging.getLogger("clawgate.relay")


class LocalResponse:
    """The response that a `Respond` makes: its head, then its body, piece by piece."""

    __slots__ = ("_handler", "_may_send", "begun")

    def __init__(self, handler: ResponseHandler) -> None:
        self._handler: ResponseHandler | None = handler
        self._may_send: asyncio.Event | None = None  # while the client reads more slowly than it is sent to
        self.begun = False
        """Whether the head was given, so that a failure has no status of its own any more."""

    def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]], *, length: int | None) -> None:
        """Give the head; ``length`` is None for an event stream."""
        self.begun = True
        headers = list(headers)
        content_type = dict(headers).get(b"content-type", b"")
        head = ResponseHead(
            status=status,
            headers=headers,
            length=length,
            chunked=length is None,
            content_type=content_type,
            encoded=False,
        )
        if self._handler is not None:
            self._handler.on_response_head(head)

    def send(self, body: bytes) -> None:
        """Send a piece of the body: complete events of an event stream."""
        if self._handler is not None:
            self._handler.on_response_body(body)
        if self._handler is not None:  # the piece may have ended the exchange
            self._handler.on_read_complete()

    async def ready(self) -> None:
        """Return when the client reads what it is sent: at once, mostly."""
        if self._may_send is not None:
            await self._may_send.wait()

    def pause(self) -> None:
        if self._may_send is None:
            self._may_send = asyncio.Event()

    def resume(self) -> None:
        if self._may_send is not None:
            self._may_send.set()
            self._may_send = None

    @property
    def is_detached(self) -> bool:
        return self._handler is None

    def detach(self) -> ResponseHandler | None:
        """Return the handler, and call it no more."""
        handler, self._handler = self._handler, None
        return handler


Respond = Callable[[LocalResponse], Awaitable[None]]
"""Responds to one request. Raises `GatewayError` where it cannot; cancelled when its exchange is over."""


class LocalConnection:
    """Serves one request with ``respond``; implements `relay.interfaces.Connection`."""

    reused = False
    reusable = False

    def __init__(self, name: str, respond: Respond) -> None:
        self._name = name
        self._respond = respond
        self._response: LocalResponse | None = None
        self._task: asyncio.Task[None] | None = None

    def start_response(self, handler: ResponseHandler, *, head_only: bool) -> None:
        self._response = LocalResponse(handler)

    def write(self, pieces: list[Buffer]) -> None:
        """The request is complete: what it says is known to ``respond`` already."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        """The outermost frame of the task: any exception fails the exchange."""
        response = self._response
        assert response is not None, "a request is written behind `start_response`"
        error: GatewayError | None = None
        try:
            await self._respond(response)
            if not response.begun:
                error = InternalError(f"{self._name} gave no response; the log of clawgate says more")
        except GatewayError as failure:
            error = failure
        except asyncio.CancelledError:
            if response.is_detached:  # its exchange is over
                raise
            error = UpstreamClosed(f"{self._name} was stopped")
        except Exception:  # a run has many parts, tools of plugins among them
            logger.exception("%s failed with an unforeseen error", self._name)
            error = InternalError("an internal error; the log of clawgate says more")
        handler = response.detach()
        if handler is None:
            return
        if error is None:
            handler.on_response_complete()
        else:
            handler.on_upstream_error(error, no_response=not response.begun, not_received=False)

    def pause_reading(self) -> None:
        if self._response is not None:
            self._response.pause()

    def resume_reading(self) -> None:
        if self._response is not None:
            self._response.resume()

    def release(self, now: float) -> None: ...

    def abort(self) -> None:
        if self._response is not None:
            self._response.detach()
        if self._task is not None:
            self._task.cancel()


class LocalUpstream:
    """One upstream for one request; implements `relay.interfaces.UpstreamSide` and its `ConnectionSource`.

    ``name`` is how messages and attribution name it.
    """

    secrets: tuple[bytes, ...] = ()
    credential_advice = ""
    operator_status: int | None = None

    def __init__(self, name: str, respond: Respond, limits: TimeLimits) -> None:
        self.name = name.encode("ascii", "replace")
        self.origin = name
        self.limits = limits
        self._respond = respond

    @property
    def pool(self) -> LocalUpstream:
        return self

    def acquire(self) -> LocalConnection:
        return LocalConnection(self.origin, self._respond)

    def request(
        self,
        waiter: ConnectionWaiter,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        now: Callable[[], float],
        target: str = "",
    ) -> Any:
        raise AssertionError("`acquire` always has a connection")
