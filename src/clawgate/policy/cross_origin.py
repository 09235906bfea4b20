"""Rejects requests that a web page makes to a local listener with the user's browser.

A page can reach a listener on this machine in two ways: by DNS rebinding (the Host header then names the page's
own site) and by a cross-site request (the browser then sends Origin or Sec-Fetch-Site, and without a preflight only
the three "simple" content types). Must not depend on tokens: a browser may send them on its own.
Sources: Fetch standard (CORS-safelisted content types, Origin), W3C Fetch Metadata.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from clawgate.errors import HostNotAllowed, MalformedRequest, OriginNotAllowed, UnsupportedContentType
from clawgate.policy.local_hosts import is_loopback

LOOPBACK_NAMES = frozenset({b"localhost", b"127.0.0.1", b"[::1]"})
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]*)(?::[0-9]*)?\Z")
_DELIMITER = re.compile(rb"[/?#@\\\s]")
"""Ends the host of a URL (RFC 3986 3.2): what composes one with such a Host finds another path than was requested."""
_OWN_SITE = frozenset({b"none", b"same-origin"})
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\]")
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://((?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::[0-9]+)?)")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def host_name(value: bytes) -> bytes:
    """Return the name in a Host header: without port, in lower case, without one trailing dot."""
    match = _HOST.match(value)
    if match is None:
        raise MalformedRequest("invalid Host header; send a host with an optional port")
    return match[1].lower().removesuffix(b".")


def listed_host(text: str) -> bytes:
    """Return ``text``, as an operator writes a host, as `host_name` returns it. Raises ValueError."""
    text = f"[{text}]" if text.count(":") > 1 and "[" not in text else text
    match = _HOST.match(text.encode())
    name = "" if match is None else host_name(text.encode()).decode()
    if not _NAME.fullmatch(name):
        raise ValueError(f"'{text}' is not the name of a host; write it like gw.example.com")
    return name.encode()


def listed_origin(text: str) -> bytes:
    """Return ``text``, as an operator writes an origin, as browsers send it. Raises ValueError.

    '*' is no origin: it would let every page on the web send requests.
    """
    match = _ORIGIN.fullmatch(text.strip().lower().removesuffix("/"))
    if match is None:
        raise ValueError(f"'{text}' is not the origin of a page; write it like https://app.example.com")
    scheme, host = match[1], match[2]
    return f"{scheme}://{host.removesuffix(_DEFAULT_PORTS.get(scheme, '/'))}".encode()


@dataclass(frozen=True, slots=True)
class CrossOriginPolicy:
    """The policy of one listener. ``hosts`` None accepts any Host, for a listener that is reached by name."""

    hosts: frozenset[bytes] | None = LOOPBACK_NAMES
    origins: frozenset[bytes] = field(default_factory=frozenset)
    host_setting: str = "--allow-host"
    origin_setting: str = "--allow-origin"
    """What the messages name."""

    @classmethod
    def of_listener(
        cls,
        address: str,
        *,
        hosts: Iterable[str],
        origins: Iterable[str],
        host_setting: str,
        origin_setting: str,
    ) -> Self:
        """Make the policy of a listener at ``address``: loopback names, ``hosts``, and the hosts of ``origins``.

        A listener that others reach accepts any Host unless ``hosts`` lists some; '*' is any. Raises ValueError.
        """
        listed, allowed = set(hosts), frozenset(map(listed_origin, origins))
        if "*" in listed or not (listed or is_loopback(address)):
            return cls(None, allowed, host_setting, origin_setting)
        own = f"[{address}]" if ":" in address else address
        of_origins = (
            host_name(origin.partition(b"://")[2]) for origin in allowed if origin.startswith(b"http")
        )
        names = LOOPBACK_NAMES.union([own.lower().encode()], map(listed_host, listed), of_origins)
        return cls(names, allowed, host_setting, origin_setting)

    def check_source(self, *, host: bytes | None, origin: bytes | None, fetch_site: bytes | None) -> None:
        """Raises `HostNotAllowed`, `OriginNotAllowed` or `MalformedRequest`.

        ``host`` None is a request without the header.
        """
        if self.hosts is not None and host is not None and host_name(host) not in self.hosts:
            raise HostNotAllowed(
                f"host '{_shown(host)}' is not allowed on this listener; use 127.0.0.1 or localhost, "
                f"or allow the name with {self.host_setting}"
            )
        if host is not None and _DELIMITER.search(host):
            raise MalformedRequest("invalid Host header; send a host with an optional port")
        if origin is not None:
            if origin not in self.origins:
                raise OriginNotAllowed(
                    f"requests from web pages are rejected (Origin '{_shown(origin)}'); "
                    f"allow this origin with {self.origin_setting} if it is yours"
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
        wrong = (
            f"unsupported Content-Type '{_shown(content_type)}'" if content_type else "no Content-Type header"
        )
        raise UnsupportedContentType(f"{wrong}; send Content-Type: application/json")


def _shown(value: bytes) -> str:
    return value[:100].decode("ascii", "replace")
