"""Encodes status lines and chunks of HTTP/1.1, and rejects request targets that are not safe to pass on.

Sources: RFC 9112 (message syntax), RFC 3986 section 3.3 (paths).
"""

from __future__ import annotations

import re
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from clawgate.errors import MalformedRequest

_NEVER_PLAIN = re.compile(rb"[\x00-\x20#\x7f-\xff]|\A[^?]*%(?![0-9A-Fa-f]{2})")
"""What a target must not contain; in its path also a '%' that begins no percent-encoding."""
_ENCODED = re.compile(rb"%[0-9A-Fa-f]{2}")
_MOST_DECODINGS = 2
"""Upstreams behind a proxy of their own may decode a path twice."""

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
    """Split an origin-form target into path and query (with its ``?``, or empty).

    Raises `MalformedRequest` for a path that readers read differently: what one hop normalises and the next does not
    gets around an allowlist. Dot segments, empty segments, backslashes and control characters are rejected as they
    are, percent-encoded once or twice, and with a path parameter behind them (``/..;/``, which Tomcat removes).
    """
    path, mark, query = target.partition(b"?")
    if not path.startswith(b"/"):
        raise MalformedRequest("the request target must be a path that starts with '/'")
    if _NEVER_PLAIN.search(target):
        raise MalformedRequest("the request target contains a character that must be percent-encoded")
    plain = path
    _check_path(plain)
    for _ in range(_MOST_DECODINGS):
        if b"%" not in plain:
            break
        plain = unquote_to_bytes(plain)
        _check_path(plain)
    else:
        if _ENCODED.search(plain):
            raise MalformedRequest("the request path is percent-encoded more than twice")
    return path, mark + query


def _check_path(path: bytes) -> None:
    if b"//" in path or b"\\" in path or any(byte < 0x20 or byte == 0x7F for byte in path):
        raise MalformedRequest(
            "the request path contains an empty segment, a backslash or a control character"
        )
    if (b"/." in path or b";" in path) and any(map(_is_dots, path.split(b"/"))):
        raise MalformedRequest("the request path contains a '.' or '..' segment")
    try:
        path.decode("utf-8")  # an overlong form of '.' or '/' is not UTF-8
    except UnicodeDecodeError:
        raise MalformedRequest("the request path is not UTF-8 once it is decoded") from None


def _is_dots(segment: bytes) -> bool:
    """Whether a reader that drops path parameters or trailing spaces takes ``segment`` for '.', '..' or nothing."""
    name, parameter, _ = segment.partition(b";")
    return name.rstrip(b" ") in (b".", b"..") or bool(parameter and not name)


def path_of(target: bytes) -> bytes:
    """Return path and query of a request target in origin-form or absolute-form (RFC 9112 section 3.2)."""
    if target[:7].lower() == b"http://":
        return b"/" + target[7:].partition(b"/")[2]
    return target
