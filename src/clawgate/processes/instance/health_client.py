"""Checks the health of a local gateway by `GET /health`, which needs no secret; reads its other control paths.

`gateway_client` checks one elsewhere. This one stays beside it: a start, a restart and `gateway status` have to see a
gateway whose config, and so its secret, cannot be read now, or that is older than its WebSocket. Only addresses that a
gateway of this machine announced are checked, so no egress policy applies. Must not send a secret but the key that this
run of the gateway announced, which is good for nothing else.
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any

import httptools

from clawgate.policy.local_hosts import connectable

KEY_HEADER = "x-clawgate-key"
NOTHING_LISTENS = "nothing listens there"
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """``ok``: a gateway responded, it is the expected instance and it is healthy. ``error``: the reason if not.

    ``tls``: whether TLS is spoken there, where that is the reason.
    """

    ok: bool
    milliseconds: float
    error: str = ""
    body: dict[str, Any] | None = None
    tls: bool | None = None


def check_health(
    host: str, port: int, *, seconds: float, instance: str | None = None, key: str = "", tls: bool = False
) -> HealthCheck:
    """Check the gateway at an address, which may be a wildcard; another ``instance`` than the given one fails.

    With its ``key`` the body has its providers, too.
    """
    start = time.monotonic()

    def result(error: str, body: dict[str, Any] | None = None, *, is_garbled: bool = False) -> HealthCheck:
        milliseconds = round((time.monotonic() - start) * 1000, 1)
        if is_garbled and _is_spoken(host, port, start + seconds, tls=not tls):
            error = "it speaks plain HTTP, not TLS" if tls else "it speaks TLS, not plain HTTP"
            return HealthCheck(False, milliseconds, error, tls=not tls)
        return HealthCheck(not error, milliseconds, error, body)

    try:
        status, content = get(host, port, "/health", seconds=seconds, key=key, tls=tls)
    except TimeoutError:
        return result(f"no response within {seconds:g} s")
    except ConnectionRefusedError:
        return result(NOTHING_LISTENS)
    except (OSError, httptools.HttpParserError) as error:
        reason = str(getattr(error, "strerror", None) or error) or "the response is not HTTP"
        return result(reason, is_garbled=True)
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or "status" not in body or "version" not in body:
        # A bad request is also what Go and nginx respond to plain HTTP on a port with TLS.
        return result(f"another program than clawgate responded (status {status})", is_garbled=status == 400)
    if instance is not None and body.get("instance") != instance:
        return result("another clawgate responded", body)
    if status != 200 or body.get("ok") is not True:
        return result(f"the gateway is not healthy (status {status})", body)
    return result("", body)


class _Response:
    """Callbacks of httptools."""

    def __init__(self) -> None:
        self.body = b""
        self.is_complete = False

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.is_complete = True


def get(
    host: str, port: int, path: str, *, seconds: float, key: str = "", tls: bool = False
) -> tuple[int, bytes]:
    """Return status and body of a control path. Raises TimeoutError, OSError, httptools.HttpParserError."""
    host, deadline = connectable(host), time.monotonic() + seconds
    response = _Response()
    parser = httptools.HttpResponseParser(response)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as plain:
        plain.settimeout(_remaining(deadline))
        plain.connect((host, port))
        with _with_tls(plain) if tls else plain as sock:
            name = f"[{host}]" if ":" in host else host
            lines = [f"Host: {name}:{port}", "Connection: close", *([f"{KEY_HEADER}: {key}"] if key else [])]
            sock.sendall("\r\n".join((f"GET {path} HTTP/1.1", *lines, "", "")).encode("ascii"))
            received = 0
            while not response.is_complete:
                sock.settimeout(_remaining(deadline))
                data = sock.recv(16_384)
                received += len(data)
                if not data or received > _MAX_BYTES:
                    break
                parser.feed_data(data)
    if not response.is_complete and not received:
        raise ConnectionError("the connection was closed without a response")
    return parser.get_status_code(), response.body


def _is_spoken(host: str, port: int, deadline: float, *, tls: bool) -> bool:
    """Return whether the other of TLS and plain HTTP is spoken where one of them failed."""
    try:
        get(host, port, "/health", seconds=deadline - time.monotonic(), tls=tls)
    except (OSError, httptools.HttpParserError):
        return False
    return True


def _with_tls(sock: socket.socket) -> ssl.SSLSocket:
    """Encrypt without verification: no secret is sent, and the certificate need not name this address."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock)


def _remaining(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds
