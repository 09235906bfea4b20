"""Checks what the head of an upgrade to WebSocket says, before the connection becomes one (RFC 6455 section 4.2.1).

Must not read state or a clock. Each function raises the `GatewayError` that the client gets.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from urllib.parse import unquote_plus

from clawgate import errors
from clawgate.policy.secret_names import is_credential_header, is_secret_key
from clawgate.relay.admission.request_checks import Get
from clawgate.relay.interfaces import RequestHead

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_NONCE_BYTES = 16
_VERSION = b"13"


@dataclass(frozen=True, slots=True)
class AdmittedSocket:
    """An upgrade to WebSocket that may be accepted. Its caller is found later, see `Admission.identify`."""

    head: RequestHead
    get: Get
    remote: str
    """The address of the other end of the connection."""
    peer: str
    """The client's address, behind trusted proxies as well."""
    accept: bytes
    """The value of Sec-WebSocket-Accept."""


def check_query(query: bytes) -> None:
    """Raises `InvalidRequest` for a query with a credential, which would be in logs and histories."""
    for pair in query.lstrip(b"?").replace(b";", b"&").split(b"&"):
        name = unquote_plus(pair.partition(b"=")[0].decode("latin-1"))
        if is_credential_header(name) or is_secret_key(name):
            raise errors.InvalidRequest(
                f"the URL has a credential ('{name[:40]}'), and URLs end up in logs; "
                "leave it out of the URL, and send it in the params of the 'connect' request"
            )


def accept_of_upgrade(head: RequestHead, get: Get) -> bytes:
    """Return the value of Sec-WebSocket-Accept. Raises for an upgrade that is none of WebSocket's version 13."""
    if head.method != b"GET":
        raise errors.MethodNotAllowed("a WebSocket begins with GET", allow=("GET",))
    if head.version != "1.1":
        raise errors.UpgradeRefused("a WebSocket begins with an HTTP/1.1 request")
    if get(b"transfer-encoding") is not None or int(get(b"content-length") or 0):
        raise errors.MalformedRequest("a request that begins a WebSocket has no body")
    versions = [value for name, value in head.fields if name == b"sec-websocket-version"]
    if versions != [_VERSION]:
        raise errors.UpgradeRefused("send Sec-WebSocket-Version: 13, once", to_socket=True)
    keys = [value for name, value in head.fields if name == b"sec-websocket-key"]
    if len(keys) != 1 or not _is_nonce(keys[0]):
        raise errors.MalformedRequest("send one Sec-WebSocket-Key: 16 bytes in base64 (RFC 6455 section 4.1)")
    return base64.b64encode(hashlib.sha1(keys[0] + _GUID, usedforsecurity=False).digest())


def _is_nonce(key: bytes) -> bool:
    try:
        return len(binascii.a2b_base64(key, strict_mode=True)) == _NONCE_BYTES
    except binascii.Error:
        return False
