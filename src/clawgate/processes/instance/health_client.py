"""Does what listens on an address of this machine answer, and is it the gateway that we mean? Asks `GET /health`.

It is asked only where a gateway of ours says that it listens, so no rule for egress applies; nothing secret is sent.
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any

import httptools

_MOST_BYTES = 65_536
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # not to listen on


@dataclass(frozen=True, slots=True)
class Answer:
    """``ok``: it is a gateway, it is the one that was meant, and it is well. ``why``: else the reason."""

    ok: bool
    milliseconds: float
    why: str = ""
    said: dict[str, Any] | None = None


def ask_health(
    host: str, port: int, *, seconds: float, instance: str | None = None, tls: bool = False
) -> Answer:
    """Ask the gateway at an address, which may be one to listen on; with ``instance``, only that one will do."""
    begun = time.monotonic()

    def answer(why: str, said: dict[str, Any] | None = None) -> Answer:
        return Answer(not why, round((time.monotonic() - begun) * 1000, 1), why, said)

    try:
        status, body = _get(_WILDCARDS.get(host, host), port, begun + seconds, tls)
    except TimeoutError:
        return answer(f"no answer within {seconds:g} s")
    except ConnectionRefusedError:
        return answer("nothing listens there")
    except (OSError, httptools.HttpParserError) as error:
        return answer(str(getattr(error, "strerror", None) or error) or "what answers there speaks no HTTP")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or "status" not in said or "version" not in said:
        return answer(f"what answers there (status {status}) is no clawgate")
    if instance is not None and said.get("instance", instance) != instance:
        return answer("another clawgate answers there", said)
    if status != 200 or said.get("ok") is not True:
        return answer(f"it says that it is not well (status {status})", said)
    return answer("", said)


class _Reply:
    def __init__(self) -> None:
        self.body = b""
        self.whole = False

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.whole = True


def _get(host: str, port: int, until: float, tls: bool) -> tuple[int, bytes]:
    reply = _Reply()
    parser = httptools.HttpResponseParser(reply)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as plain:
        plain.settimeout(_left(until))
        plain.connect((host, port))
        with _wrapped(plain) if tls else plain as sock:
            name = f"[{host}]" if ":" in host else host
            sock.sendall(
                f"GET /health HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n".encode("ascii")
            )
            received = 0
            while not reply.whole:
                sock.settimeout(_left(until))
                piece = sock.recv(16_384)
                received += len(piece)
                if not piece or received > _MOST_BYTES:
                    break
                parser.feed_data(piece)
    if not reply.whole and not received:
        raise ConnectionError("the connection was closed without an answer")
    return parser.get_status_code(), reply.body


def _wrapped(sock: socket.socket) -> ssl.SSLSocket:
    """Encrypted and nothing more: no secret is sent, and a certificate for this address is nothing to expect."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
