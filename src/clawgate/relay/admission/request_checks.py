"""Checks what a request head says, one rule per function, independent of whose request it is.

Must not read state or a clock. Each function raises the `GatewayError` that the client gets.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from clawgate import errors
from clawgate.relay.interfaces import RequestHead
from clawgate.wire.http.message import split_target

Get = Callable[[bytes], bytes | None]
"""Returns the value of a header by its name in lower case."""

NO_BODY = (b"GET", b"HEAD", b"DELETE")
"""Methods whose requests have a body only if one is announced (RFC 9110 section 9.3)."""
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_ONCE = _FRAMING | {b"content-encoding", b"content-type", b"expect", b"host", b"origin", b"sec-fetch-site"}


def values_once(head: RequestHead, names: Collection[bytes]) -> tuple[tuple[str, str], ...]:
    """Return those of ``names`` that the head has, with their values, unless they are empty.

    Raises `MalformedRequest` for one that is there more than once, or whose value is not ASCII.
    """
    found: dict[str, str] = {}
    for name, value in head.fields:
        if name in names:
            key = name.decode("ascii")
            if key in found:
                raise errors.MalformedRequest(f"duplicate {key} header; send it once")
            if not value.isascii():
                raise errors.MalformedRequest(f"the {key} header has a character that is not ASCII")
            found[key] = value.decode("ascii").strip()
    return tuple((name, value) for name, value in found.items() if value)


def check_version(head: RequestHead) -> None:
    """Raises `HttpVersionUnsupported`."""
    if head.version != "1.1" and head.version != "1.0":
        raise errors.HttpVersionUnsupported(f"HTTP/{head.version[:8]} is not supported; use HTTP/1.1")


def headers_of(head: RequestHead) -> Get:
    """Return a lookup of headers. Raises if one that decides something is there more than once."""
    headers = dict(head.fields)
    if len(headers) != len(head.fields):
        seen: set[bytes] = set()
        for name, _ in head.fields:
            if name in seen and name in _ONCE:
                error = errors.UnclearFraming if name in _FRAMING else errors.MalformedRequest
                raise error(f"duplicate {name.decode('ascii').title()} header")
            seen.add(name)
    return headers.get


def required_host(head: RequestHead, get: Get) -> bytes | None:
    """Return the Host header. Raises `MalformedRequest` if HTTP/1.1 lacks it."""
    host = get(b"host")
    if host is None and head.version == "1.1":
        raise errors.MalformedRequest("an HTTP/1.1 request needs a Host header (RFC 9112 section 3.2)")
    return host


def split_request_target(head: RequestHead, get: Get) -> tuple[bytes, bytes]:
    """Split the target into path and query, see `split_target`. Raises `UnknownRoute` for a proxy's request."""
    target = head.target
    if target[:7].lower() == b"http://":  # absolute-form, RFC 9112 section 3.2.2
        authority, slash, rest = target[7:].partition(b"/")
        if authority.lower() != (get(b"host") or b"").lower():
            raise errors.MalformedRequest("the request target names another host than the Host header")
        target = slash + rest or b"/"
    if head.method == b"CONNECT" or not target.startswith(b"/"):
        raise errors.UnknownRoute("this is not a forward proxy; request a path such as /v1/chat/completions")
    return split_target(target)


def body_length(head: RequestHead, get: Get, limit: int) -> int | None:
    """Return the announced length of the body in bytes, None for a chunked one.

    Raises `UnclearFraming` and `BodyTooLarge`.
    """
    coding = get(b"transfer-encoding")
    if coding is not None:
        if head.version == "1.0" or coding.lower() != b"chunked":
            raise errors.UnclearFraming("the only transfer coding is 'chunked', and only in HTTP/1.1")
        return None
    length = int(get(b"content-length") or 0)
    if length > limit:
        raise errors.BodyTooLarge(f"the body of {length} bytes is over the limit of {limit} bytes")
    return length


def expects_continue(head: RequestHead, get: Get, length: int | None) -> bool:
    """Whether the client waits for "100 Continue" (RFC 9110 section 10.1.1). Raises `ExpectationUnknown`."""
    expect = get(b"expect")
    if expect is None:
        return False
    if expect.lower() != b"100-continue":
        raise errors.ExpectationUnknown("the only supported expectation is '100-continue'")
    return length != 0 and head.version == "1.1"


def via_without_loop(head: RequestHead, pseudonym: bytes) -> bytes:
    """Return the values of all Via headers. Raises `LoopDetected` if ``pseudonym``, our own, is in them."""
    via = b", ".join([value for name, value in head.fields if name == b"via"])
    if pseudonym in via:
        raise errors.LoopDetected("this process sent this request itself; its upstream points back to it")
    return via


def check_readable_body(get: Get) -> None:
    """Raises `UnsupportedContentType` for a compressed body."""
    if get(b"content-encoding") not in (None, b"identity"):
        raise errors.UnsupportedContentType(
            "a compressed body cannot be searched for its model; send it uncompressed"
        )
