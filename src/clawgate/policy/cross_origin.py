"""Rejects requests that a web page makes to a local listener with the user's browser.

A page can reach a listener on this machine in two ways: by DNS rebinding (the Host header then names the page's
own site) and by a cross-site request (the browser then sends Origin or Sec-Fetch-Site, and without a preflight only
the three "simple" content types). Must not depend on tokens: a browser may send them on its own.
Sources: Fetch standard (CORS-safelisted content types, Origin), W3C Fetch Metadata.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from clawgate.errors import HostNotAllowed, MalformedRequest, OriginNotAllowed, UnsupportedContentType

LOOPBACK_NAMES = frozenset({b"localhost", b"127.0.0.1", b"[::1]"})
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]*)(?::[0-9]*)?\Z")
_DELIMITER = re.compile(rb"[/?#@\\\s]")
"""Ends the host of a URL (RFC 3986 3.2): what composes one with such a Host finds another path than was requested."""
_OWN_SITE = frozenset({b"none", b"same-origin"})


def host_name(value: bytes) -> bytes:
    """Return the name in a Host header: without port, in lower case, without one trailing dot."""
    match = _HOST.match(value)
    if match is None:
        raise MalformedRequest("invalid Host header; send a host with an optional port")
    return match[1].lower().removesuffix(b".")


@dataclass(frozen=True, slots=True)
class CrossOriginPolicy:
    """The policy of one listener. ``hosts`` None accepts any Host, for a listener that is reached by name."""

    hosts: frozenset[bytes] | None = LOOPBACK_NAMES
    origins: frozenset[bytes] = field(default_factory=frozenset)

    def check_source(self, *, host: bytes | None, origin: bytes | None, fetch_site: bytes | None) -> None:
        """Raises `HostNotAllowed`, `OriginNotAllowed` or `MalformedRequest`.

        ``host`` None is a request without the header.
        """
        if self.hosts is not None and host is not None and host_name(host) not in self.hosts:
            raise HostNotAllowed(
                f"host '{_shown(host)}' is not allowed on this listener; use 127.0.0.1 or localhost, "
                "or allow the name with --allow-host"
            )
        if host is not None and _DELIMITER.search(host):
            raise MalformedRequest("invalid Host header; send a host with an optional port")
        if origin is not None:
            if origin not in self.origins:
                raise OriginNotAllowed(
                    f"requests from web pages are rejected (Origin '{_shown(origin)}'); "
                    "allow this origin with --allow-origin if it is yours"
                )
        elif fetch_site is not None and fetch_site not in _OWN_SITE:
            raise OriginNotAllowed(
                f"requests from web pages are rejected (Sec-Fetch-Site '{_shown(fetch_site)}'); "
                "send the request from a program"
            )

    def check_content_type(self, content_type: bytes | None, *, has_credential: bool) -> None:
        """Raises `UnsupportedContentType` for a body that a page could send without a preflight.

        An upload as multipart/form-data passes if the request has a credential header: pages cannot add one to a
        cross-site request without a preflight, which always fails here.
        """
        kind = (content_type or b"").partition(b";")[0].strip().lower()
        if kind == b"application/json" or (kind == b"multipart/form-data" and has_credential):
            return
        raise UnsupportedContentType(
            f"unsupported Content-Type '{_shown(content_type or b'(none)')}'; send application/json"
        )


def _shown(value: bytes) -> str:
    return value[:100].decode("ascii", "replace")
