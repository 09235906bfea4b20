"""HTTP/1.1 as bytes: status lines, chunks, and which request targets are safe to pass on. Knows no sockets.

Sources: RFC 9112 (message syntax), RFC 3986 section 3.3 (paths).
"""

from __future__ import annotations

import re
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from clawgate.errors import MalformedRequest

_NEVER_PLAIN = re.compile(rb"[\x00-\x20#\x7f-\xff]")

HEAD_END = b"\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")


STATUS_LINE = {status: _status_line(status) for status in range(100, 1000)}


def chunk(body: bytes) -> bytes:
    """Return ``body`` as one chunk (RFC 9112 section 7.1), nothing for an empty one: that would end the message."""
    return b"%x\r\n%b\r\n" % (len(body), body) if body else b""


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """Path and query (with its ``?``, or empty) of an origin-form target; refuses what readers read differently.

    A path that one hop normalises and the next does not is how an allowlist is walked around, so dot segments,
    empty segments, backslashes, fragments and control characters are refused, also percent-encoded.
    """
    path, mark, query = target.partition(b"?")
    if not path.startswith(b"/"):
        raise MalformedRequest("the request target must be a path that starts with '/'")
    if _NEVER_PLAIN.search(target):
        raise MalformedRequest("the request target holds a character that must be percent-encoded")
    plain = unquote_to_bytes(path) if b"%" in path else path
    if b"//" in plain or b"\\" in plain or any(byte < 0x20 or byte == 0x7F for byte in plain):
        raise MalformedRequest("the request path holds an empty segment, a backslash or a control character")
    if b"/." in plain and any(segment in (b".", b"..") for segment in plain.split(b"/")):
        raise MalformedRequest("the request path holds a '.' or '..' segment")
    return path, mark + query


def path_of(target: bytes) -> bytes:
    """The path of a request target in origin-form or absolute-form (RFC 9112 section 3.2), its query included."""
    if target[:7].lower() == b"http://":
        return b"/" + target[7:].partition(b"/")[2]
    return target
