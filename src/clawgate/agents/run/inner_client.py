"""A client in memory of the gateway's own router: an exchange whose response is read by a part of this process.

Law: what holds for a client on the network holds for this one. Its requests are routed, translated, limited and failed
like any other, by the same code; a reader that leaves frees the upstream at once. Must not open a connection itself.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable

from clawgate.errors import GatewayError
from clawgate.relay.admission.plan import AdmittedHead
from clawgate.relay.exchange.context import ExchangeContext
from clawgate.relay.exchange.exchange import Exchange

_HEAD_END = b"\r\n\r\n"


class InnerClient(ABC):
    """One request; implements `ClientConnection`. What reads its response overrides `_read_head`, `_read_body`."""

    http10 = True  # a body that ends with the connection has no framing to be read
    exchange: Exchange
    """Set by `InnerExchanges.start`."""

    def __init__(self) -> None:
        self.on_end: Callable[[Exchange], None] = lambda _: None
        self._head: bytes | None = b""  # as far as it came; None once it was read
        self._waiter: asyncio.Future[None] | None = None
        self._error: GatewayError | None = None
        self._is_over = False
        self._is_paused = False

    def close(self, error: GatewayError | None = None) -> None:
        """The rest is not needed; ``error`` is what its reader gets in place of it."""
        if not self._is_over:
            self._end(error)
            self.exchange.client_disconnected()

    async def _wait(self) -> None:
        """Return when something has come."""
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _pace(self, waiting: int, most: int) -> None:
        """Have the upstream wait where ``most`` or more pieces do, until few are left."""
        if self._is_over:
            return
        if not self._is_paused and waiting >= most:
            self._is_paused = True
            self.exchange.on_client_write_paused()
        elif self._is_paused and waiting < most // 4:
            self._is_paused = False
            self.exchange.on_client_write_resumed()

    @abstractmethod
    def _read_head(self, status: int, lines: list[bytes]) -> None: ...

    @abstractmethod
    def _read_body(self, data: bytes) -> None: ...

    def _failure(self) -> GatewayError | None:
        """Return the error of a response that is complete, None for a good one."""
        return None

    # For the exchange.

    def write(self, data: bytes) -> None:
        try:
            self._read(data)
        except GatewayError as error:
            self._end(error)
            # The exchange is in the middle of sending: it must not end within its own call.
            asyncio.get_running_loop().call_soon(self.exchange.client_disconnected)
        self._wake()

    def pause_reading(self) -> None: ...  # noqa: B027 - its request is in memory
    def resume_reading(self) -> None: ...  # noqa: B027 - the same

    def must_close(self) -> bool:
        return True

    def send_error_response(self, error: GatewayError, names: bytes = b"") -> int:
        self._end(error)
        return 0

    def response_complete(self) -> None:
        try:
            self._end(self._failure())
        except GatewayError as error:
            self._end(error)

    def abort_response(self, error: GatewayError, *, at_once: bool, reported: bool) -> None:
        self._end(error)

    def _end(self, error: GatewayError | None) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._error = error
        self.on_end(self.exchange)
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _read(self, data: bytes) -> None:
        if self._head is not None:
            self._head += data
            head, end, data = self._head.partition(_HEAD_END)
            if not end:
                return
            self._head = None
            status, *lines = head.split(b"\r\n")
            self._read_head(int(status.split(b" ", 2)[1]), lines)
        if data:
            self._read_body(data)


class InnerExchanges:
    """The exchanges of all such clients. ``context`` returns that of the listener, whose memory they share."""

    def __init__(self, context: Callable[[], ExchangeContext]) -> None:
        self._context = context
        self._exchanges: set[Exchange] = set()

    @property
    def body_limit(self) -> int:
        return self._context().body_limit

    def start(
        self,
        client: InnerClient,
        head: AdmittedHead,
        body: bytes,
        *,
        changed: Callable[[ExchangeContext], ExchangeContext] = lambda context: context,
    ) -> None:
        """Send a request for ``client``; ``changed`` returns the context to use in place of the listener's."""
        context = changed(self._context())
        client.on_end = self._exchanges.discard
        client.exchange = exchange = Exchange(context, client, head, context.now())
        self._exchanges.add(exchange)
        exchange.send_routed_request(body)

    def check_timeouts(self) -> None:
        """Fail the exchanges whose time is over. To be called about once a second."""
        if self._exchanges:
            now = self._context().now()
            for exchange in list(self._exchanges):
                exchange.check_time(now)
