"""Speaks the protocol on one WebSocket: challenge, `connect`, then requests and their responses.

Implements `SocketHandler`. Law: every request with an id gets a response with it, whatever happens; none is served
before the caller is known, nor one that its rights do not allow; a defect in a method ends its request alone. Nothing
of a frame goes to the log: strangers write it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections.abc import Callable, Mapping

from clawgate.control.websocket.clients import Client
from clawgate.control.websocket.error_shapes import UNAVAILABLE, invalid, missing_scope, shape_of
from clawgate.control.websocket.frames import (
    BadFrame,
    ErrorShape,
    Request,
    encode_error,
    encode_event,
    encode_response,
    parse_request,
)
from clawgate.control.websocket.handshake import Connect, Refusal, read_connect, refusal_of
from clawgate.control.websocket.hello import hello_ok
from clawgate.control.websocket.method import Call, CallFailed, Gateway, Method, agents_off
from clawgate.errors import GatewayError, InternalError, InvalidRequest, InvalidToken, PolicyDenied
from clawgate.policy.proxy_identity import scopes_left
from clawgate.relay.interfaces import RequestHead
from clawgate.relay.websocket import POLICY_VIOLATION, Socket

logger = logging.getLogger("clawgate.websocket")

MAX_PENDING = 64
"""Requests of one connection that are served at a time."""
_TRACE = re.compile(r"[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}")
"""A traceparent that can be continued (W3C Trace Context); another one is ignored."""
_RESTART_MS = 1500
"""After how long a client may expect the gateway again (OpenClaw, recorded)."""

Identify = Callable[[RequestHead, str, bytes | None], str]
"""Returns the caller of an upgrade's head, of the address of its other end, and of a secret. Raises `GatewayError`."""


class SocketSession:
    """See the module. ``methods`` is the table of all methods, by their names."""

    def __init__(self, gateway: Gateway, methods: Mapping[str, Method], identify: Identify) -> None:
        self._gateway = gateway
        self._methods = methods
        self._identify = identify
        self._client: Client | None = None
        self._socket: Socket
        self._is_refused = False
        self._is_stopping = False
        self._calls: dict[asyncio.Task[None], tuple[str, Method]] = {}
        """Each with the id of its request."""

    @property
    def is_busy(self) -> bool:
        return bool(self._calls) or (self._client is not None and bool(self._client.runs))

    def opened(self, socket: Socket) -> None:
        self._socket = socket
        payload = {"nonce": str(uuid.uuid4()), "ts": self._gateway.now_ms()}
        socket.send(encode_event("connect.challenge", payload))

    def closed(self, code: int, reason: str) -> None:
        if self._client is not None:
            self._gateway.clients.remove(self._client)
        for call, (_, method) in self._calls.items():
            if not method.has_effect:
                call.cancel()

    def stopping(self) -> None:
        self._is_stopping = True
        if self._client is not None:
            restarts = self._gateway.is_restarting()
            payload = {"reason": "gateway restarting" if restarts else "gateway stopping"}
            self._client.event("shutdown", payload | ({"restartExpectedMs": _RESTART_MS} if restarts else {}))

    def stopped(self) -> None:
        """Report the runs of this caller as aborted, and fail what is under way here."""
        runs = self._gateway.find_runs()
        if self._client is not None and runs is not None:
            runs.stopped(self._client.caller, restarts=self._gateway.is_restarting())
        for id_, method in self._calls.values():
            self._fail(
                id_, _try_again(f"{method.name}: the gateway stopped before it was complete; connect again")
            )

    def message(self, text: str) -> None:
        if self._client is not None:
            self._serve(self._client, text)
        elif not self._is_refused:
            self._connect(text)

    # The handshake

    def _connect(self, text: str) -> None:
        try:
            request = parse_request(text)
        except BadFrame:
            self._is_refused = True
            self._socket.close(POLICY_VIOLATION, "invalid request frame")
            return
        found = read_connect(request, scopes_left(self._socket.head.fields))
        if isinstance(found, Refusal):
            self._refuse(request.id, found)
            return
        secret = found.secret.encode("utf-8", "surrogatepass") if found.secret is not None else None
        try:
            caller = self._identify(self._socket.head, self._socket.remote, secret)
        except GatewayError as error:
            shape = refusal_of(error, found, by_password=self._gateway.auth_mode() == "password")
            self._refuse(
                request.id, Refusal(shape), error.delay_seconds if isinstance(error, InvalidToken) else 0
            )
            return
        self._welcome(request.id, caller, found)

    def _refuse(self, id: str, refusal: Refusal, delay: float = 0) -> None:  # noqa: A002
        """Send why, and close; a guess of a secret waits for it."""
        self._is_refused = True
        if delay:
            asyncio.get_running_loop().call_later(delay, self._refuse, id, refusal)
            return
        self._socket.send(encode_error(id, refusal.error))
        self._socket.close(refusal.close_code, refusal.error.message)

    def _welcome(self, id: str, caller: str, connect: Connect) -> None:  # noqa: A002
        socket, gateway = self._socket, self._gateway
        client = self._client = Client(
            conn_id=str(uuid.uuid4()),
            caller=caller,
            scopes=frozenset(connect.scopes),
            caps=connect.caps,
            send=socket.send,
        )
        socket.authenticated(caller)
        gateway.clients.add(client)
        socket.send(encode_response(id, hello_ok(gateway, client, self._methods.values())))

    # Requests

    def _serve(self, client: Client, text: str) -> None:
        try:
            request = parse_request(text)
        except BadFrame as error:
            self._fail(error.id, invalid(f"invalid request frame: {error.problem}"))
            return
        method = self._methods.get(request.method)
        if method is None:
            text = (
                "connect is only valid as the first request"
                if request.method == "connect"
                else f"unknown method: {request.method[:80]}"
            )
            self._fail(request.id, invalid(text))
        elif not client.may(method.scope):
            self._fail(request.id, missing_scope(method.scope))
            self._socket.refused()
        elif not method.is_for(client.caller):
            denied = PolicyDenied(
                f"{method.name}: it is for who has a secret of this gateway; ask its operator"
            )
            self._fail(request.id, shape_of(denied))
            self._socket.refused()
        elif method.of_agents and self._gateway.runs_for(method) is None:
            self._fail(
                request.id, shape_of(agents_off().with_message(f"{method.name}: {agents_off().message}"))
            )
        elif self._is_stopping and method.has_effect and not method.ends_runs:
            self._fail(request.id, _try_again("the gateway is stopping; connect again"))
        elif len(self._calls) >= MAX_PENDING:
            self._fail(request.id, _try_again(f"{MAX_PENDING} requests of this connection are under way"))
        else:
            self._begin(client, request, method)

    def _begin(self, client: Client, request: Request, method: Method) -> None:
        try:
            params = method.reader.read(request.params)
        except InvalidRequest as error:
            self._fail(request.id, invalid(f"invalid {method.name} params: {error.message}"))
            return
        call = Call(
            client=client,
            gateway=self._gateway,
            respond=lambda payload: self._socket.send(encode_response(request.id, payload)),
            runs=self._gateway.runs_for(method),
            traceparent=request.traceparent if _TRACE.fullmatch(request.traceparent) else "",
        )
        task = asyncio.get_running_loop().create_task(self._call(request.id, method, call, params))
        self._calls[task] = request.id, method
        task.add_done_callback(self._calls.pop)

    async def _call(self, id: str, method: Method, call: Call, params: object) -> None:  # noqa: A002
        """The outermost frame of a request: whatever happens, it gets a response."""
        try:
            call.respond(await method.handler(call, params))
        except CallFailed as failed:
            self._socket.send(encode_error(id, failed.error, failed.payload))
        except GatewayError as error:
            self._fail(id, shape_of(error))
        except Exception:
            logger.exception("%s failed with an unforeseen error", method.name)
            self._fail(id, shape_of(InternalError("an internal error; the log of clawgate says more")))

    def _fail(self, id: str, error: ErrorShape) -> None:  # noqa: A002
        self._socket.send(encode_error(id, error))


def _try_again(message: str) -> ErrorShape:
    return ErrorShape(UNAVAILABLE, message, retryable=True, retry_after_ms=1000)
