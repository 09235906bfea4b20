"""Speaks OpenClaw's gateway protocol with a gateway: connects, sends requests, passes its events on.

It blocks, and interrupting it leaves the connection usable: a command that is interrupted can still stop its run. Only
an address that a gateway of this state folder announced, or that the operator typed, is dialed, so no egress policy
applies. Law: a secret is in the `connect` frame alone, never in a URL, a header, a log line or an error; a redirect is
not followed, and a connection that is lost is not opened again. A proxy of the environment is not used for loopback.
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from clawgate import __version__
from clawgate.policy.local_hosts import connectable, is_loopback
from clawgate.policy.printable import escape_controls

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

PROTOCOL = 4
READ, WRITE, APPROVALS = "operator.read", "operator.write", "operator.approvals"
CONNECT_SECONDS = 10.0
_CLOSE_SECONDS = 2.0
_TICK_MS = 30_000
_MAX_MESSAGE_BYTES = 25 * 1024 * 1024
_READ_AHEAD = 16
"""Messages that are received before they are read."""
_TEXT_CHARACTERS = 2_000
"""Of an error's text: a stranger may have written it."""
_INTERIM = ("accepted", "in_flight")
"""``status`` of the response to `agent` that another one follows."""
_CLOSE_REASONS = {1012: "the gateway restarts", 4001: "its token was changed"}

OnEvent = Callable[[str, dict[str, Any]], None]
"""Gets the name and the payload of an event."""


class GatewayCallFailed(Exception):
    """The gateway cannot be used, or responded with an error. ``code`` is its code in lower case, "" without one."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class GatewayLost(GatewayCallFailed):
    """The connection ended before the response."""


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """Where a gateway is, and what it gets as `auth`: the token or the password, {} for nothing."""

    url: str
    auth: Mapping[str, str] = field(default_factory=dict, repr=False)


def socket_url(http_url: str) -> str:
    """Return the WebSocket address of a gateway that announced ``http_url``."""
    parts = urlsplit(http_url)
    host = connectable(parts.hostname or "")
    name = f"[{host}]" if ":" in host else host
    return f"{'wss' if parts.scheme == 'https' else 'ws'}://{name}:{parts.port}"


def url_problem(url: str, *, allow_plain: bool = False) -> str | None:
    """Return why a secret may not be sent to ``url``; None if it may."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("ws", "wss") or not host:
        return "it is not the address of a gateway; use ws://HOST:PORT or wss://HOST:PORT"
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        return "a secret does not belong into an address; use --token or --password"
    if parts.scheme == "ws" and not is_loopback(host) and not allow_plain:
        return (
            f"{host} is not this machine, and ws:// is not encrypted; use wss://, a tunnel to 127.0.0.1, "
            "or --allow-plain"
        )
    return None


class GatewayConnection:
    """One authenticated connection. ``hello`` is the payload of the gateway's `hello-ok`."""

    def __init__(self, socket: ClientConnection, url: str) -> None:
        self._socket = socket
        self._url = url
        self._silent_seconds = 2 * _TICK_MS / 1000
        self.hello: dict[str, Any] = {}
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._received: queue.SimpleQueue[str | bytes | Exception] = queue.SimpleQueue()
        for _ in range(_READ_AHEAD):
            self._wanted.put(True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        """Receive in a thread of its own, until the connection ends.

        An interrupt reaches the main thread alone. It could leave `recv` where that refuses each further call
        (websockets 17.4); a `SimpleQueue` is never left like that.
        """
        from websockets.exceptions import ConnectionClosed

        try:
            while self._wanted.get():
                self._received.put(self._socket.recv())
        except ConnectionClosed as error:
            self._received.put(error)

    @property
    def version(self) -> str:
        return escape_controls(str(_object(self.hello.get("server")).get("version", "")))

    def authenticate(self, auth: Mapping[str, str], scopes: tuple[str, ...], seconds: float) -> None:
        """Raises `GatewayCallFailed`."""
        deadline = time.monotonic() + seconds
        challenge = self._receive(deadline)
        if challenge.get("event") != "connect.challenge":
            raise GatewayCallFailed(_another(self._url))
        params = {
            "minProtocol": PROTOCOL,
            "maxProtocol": PROTOCOL,
            # The client for which OpenClaw demands no device's identity on loopback (2026.9.6, recorded).
            "client": {"id": "gateway-client", "version": __version__, "platform": sys.platform, "mode": "backend"},
            "role": "operator",
            "scopes": list(scopes),
            "caps": ["tool-events"],
            "auth": dict(auth),
        }  # fmt: skip
        self.hello = self.request("connect", params, seconds=deadline - time.monotonic())
        if self.hello.get("type") != "hello-ok":
            raise GatewayCallFailed(_another(self._url))
        tick = _object(self.hello.get("policy")).get("tickIntervalMs")
        self._silent_seconds = 2 * (tick if isinstance(tick, int) and tick > 0 else _TICK_MS) / 1000

    def request(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        seconds: float | None = None,
        on_event: OnEvent = lambda name, payload: None,
        on_accepted: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Return the payload of the response; ``on_accepted`` gets an earlier one, that of a run which began.

        ``seconds`` None: as long as the gateway shows that it lives. Raises `GatewayCallFailed`.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        id_ = self.send(method, params)
        while True:
            frame = self._receive(deadline)
            if frame.get("type") == "event":
                on_event(str(frame.get("event")), _object(frame.get("payload")))
            elif frame.get("id") == id_:
                if frame.get("ok") is not True:
                    raise _failure(_object(frame.get("error")))
                payload = _object(frame.get("payload"))
                if on_accepted is None or payload.get("status") not in _INTERIM:
                    return payload
                on_accepted(payload)

    def send(self, method: str, params: Mapping[str, Any]) -> str:
        """Send a request whose response nothing waits for; return its id."""
        id_ = uuid.uuid4().hex
        self._send({"type": "req", "id": id_, "method": method, "params": dict(params)})
        return id_

    def stop_reading(self) -> None:
        """Must be called once nothing more is read."""
        self._wanted.put(False)

    def _send(self, frame: Mapping[str, Any]) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            self._socket.send(json.dumps(frame))
        except ConnectionClosed as error:
            raise _lost(error) from None

    def _receive(self, deadline: float | None) -> dict[str, Any]:
        seconds = self._silent_seconds if deadline is None else max(deadline - time.monotonic(), 0)
        try:
            message = self._received.get(timeout=seconds)
        except queue.Empty:
            if deadline is None:
                raise GatewayLost(f"the gateway sent nothing for {seconds:g} s") from None
            raise GatewayCallFailed(
                f"{self._url}: no response in time; see: clawgate gateway status"
            ) from None
        self._wanted.put(True)
        if isinstance(message, Exception):
            self._received.put(message)
            raise _lost(message)
        try:
            frame = json.loads(message)
        except (ValueError, RecursionError):
            frame = None
        if not isinstance(frame, dict):
            raise GatewayCallFailed(_another(self._url))
        return frame


@contextlib.contextmanager
def connect(
    address: GatewayAddress, *, scopes: tuple[str, ...] = (READ,), seconds: float = CONNECT_SECONDS
) -> Iterator[GatewayConnection]:
    """Yield a connection that is authenticated within ``seconds``. Raises `GatewayCallFailed`."""
    until = time.monotonic() + seconds
    with _opened(address.url, seconds) as socket:
        connection = GatewayConnection(socket, address.url)
        try:
            connection.authenticate(address.auth, scopes, max(until - time.monotonic(), 0))
            yield connection
        finally:
            connection.stop_reading()


@contextlib.contextmanager
def _opened(url: str, seconds: float) -> Iterator[ClientConnection]:
    import ssl

    from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidProxy, InvalidStatus
    from websockets.sync.client import reconnect

    class Connect(reconnect):
        def process_redirect(self, exc: Exception) -> Exception | str:
            return exc

    opening = Connect(
        url,
        compression=None,
        proxy=None if is_loopback(urlsplit(url).hostname or "") else True,
        user_agent_header=f"clawgate/{__version__}",
        open_timeout=seconds,
        ping_interval=None,
        close_timeout=_CLOSE_SECONDS,
        max_size=_MAX_MESSAGE_BYTES,
        logger=logging.Logger("clawgate.gateway_client", logging.CRITICAL),  # noqa: LOG001  # no root: its debug lines are frames
    )
    with contextlib.ExitStack() as stack:
        try:
            socket = stack.enter_context(opening)
        except TimeoutError:
            raise GatewayCallFailed(f"{url}: no response within {seconds:g} s") from None
        except ConnectionRefusedError:
            raise GatewayCallFailed(
                f"{url}: nothing listens there; start a gateway there, or correct the address"
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise GatewayCallFailed(
                f"{url}: its certificate is not valid here ({error.verify_message}); "
                "name its authority in the variable SSL_CERT_FILE"
            ) from None
        except ssl.SSLError as error:
            raise GatewayCallFailed(
                f"{url}: no TLS connection: {_reason(error)}; an address without TLS begins with ws://"
            ) from None
        except InvalidStatus as error:
            raise GatewayCallFailed(f"{url}: {_refused(error.response.status_code, url)}") from None
        except (InvalidMessage, EOFError):
            raise GatewayCallFailed(_another(url)) from None
        except (OSError, InvalidHandshake, InvalidProxy) as error:
            raise GatewayCallFailed(f"{url}: it cannot be reached: {_reason(error)}") from None
        yield socket


def _refused(status: int, url: str) -> str:
    if status in (301, 302, 303, 307, 308):
        return f"it redirects (status {status}), which is not followed; use the address that it names"
    if status == 429:
        return "it has too many connections of this address (status 429); try again later"
    if status == 503:
        return "it is stopping or overloaded (status 503); try again later"
    if status == 403:
        return (
            "it refuses this address or name (status 403); add the name with --allow-host where it is started"
        )
    if (path := urlsplit(url).path.rstrip("/")) != "":
        return (
            f"it opens no WebSocket (status {status}); leave '{path}' out: a gateway has its WebSocket at '/'"
        )
    return f"it opens no WebSocket (status {status}); another program than a gateway may listen there"


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


def _another(url: str) -> str:
    tls = ", or begin it with wss:// if it has TLS" if urlsplit(url).scheme == "ws" else ""
    return f"{url}: another program than a gateway responded; correct the address{tls}"


def _lost(error: Any) -> GatewayLost:
    """Return the error for a connection that was closed; ``error`` is the library's."""
    closed = error.rcvd
    if closed is None:
        return GatewayLost("the connection to the gateway was lost")
    reason = escape_controls(closed.reason[:_TEXT_CHARACTERS]) or _CLOSE_REASONS.get(closed.code, "")
    return GatewayLost(f"the gateway closed the connection ({closed.code}{': ' if reason else ''}{reason})")


def _failure(error: Mapping[str, Any]) -> GatewayCallFailed:
    details = _object(error.get("details"))
    code = str(details.get("code") or error.get("code") or "").lower()
    message = escape_controls(str(error.get("message") or "it failed")[:_TEXT_CHARACTERS])
    if code == "protocol_mismatch":
        message = (
            f"it speaks version {details.get('expectedProtocol')} of the gateway protocol, not {PROTOCOL}"
        )
    return GatewayCallFailed(message, code)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
