"""May this request come from where it comes from? Keeps web pages from spending the user's money.

A page can reach a listener on this machine in two ways: by DNS rebinding (the Host field then names the page's
own site) and by a cross-site request (the browser then says so in Origin or Sec-Fetch-Site, and can only send
the three "simple" content types without asking first). Nothing here knows tokens.
Sources: Fetch standard (CORS-safelisted content types, Origin), W3C Fetch Metadata.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from clawgate.errors import HostNotAllowed, MalformedRequest, OriginNotAllowed, UnsupportedContentType

LOOPBACK_NAMES = frozenset({b"localhost", b"127.0.0.1", b"[::1]"})
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]*)(?::[0-9]*)?\Z")
_OWN_SITE = frozenset({b"none", b"same-origin"})


def host_name(value: bytes) -> bytes:
    """The name of a Host field: without port, in lower case, without one trailing dot."""
    match = _HOST.match(value)
    if match is None:
        raise MalformedRequest("the Host field is not a host with an optional port")
    return match[1].lower().removesuffix(b".")


@dataclass(frozen=True, slots=True)
class CrossOriginPolicy:
    """The listener's rule. ``hosts`` None accepts any Host: for a listener that is meant to be reached by name."""

    hosts: frozenset[bytes] | None = LOOPBACK_NAMES
    origins: frozenset[bytes] = field(default_factory=frozenset)

    def check_source(self, *, host: bytes | None, origin: bytes | None, fetch_site: bytes | None) -> None:
        """Raises `HostNotAllowed` or `OriginNotAllowed`; ``host`` None is a request without the field."""
        if self.hosts is not None and host is not None and host_name(host) not in self.hosts:
            raise HostNotAllowed(
                f"this listener does not answer for the host '{_shown(host)}'; use 127.0.0.1 or localhost, "
                "or allow the name with --allow-host"
            )
        if origin is not None:
            if origin not in self.origins:
                raise OriginNotAllowed(
                    f"requests from web pages are refused (Origin '{_shown(origin)}'); "
                    "allow this origin with --allow-origin if it is yours"
                )
        elif fetch_site is not None and fetch_site not in _OWN_SITE:
            raise OriginNotAllowed(
                f"requests from web pages are refused (Sec-Fetch-Site '{_shown(fetch_site)}')"
            )

    def check_content_type(self, content_type: bytes | None, *, has_credential: bool) -> None:
        """Raises `UnsupportedContentType` for a body that a page could send without being asked first.

        An upload as multipart/form-data passes if the request carries a credential field: pages cannot add one
        to a cross-site request without a preflight, which is never answered here.
        """
        kind = (content_type or b"").partition(b";")[0].strip().lower()
        if kind == b"application/json" or (kind == b"multipart/form-data" and has_credential):
            return
        raise UnsupportedContentType(
            f"the content type must be application/json, not '{_shown(content_type or b'(none)')}'"
        )


def _shown(value: bytes) -> str:
    """A header value as it may stand in an error message."""
    return value[:100].decode("ascii", "replace")
