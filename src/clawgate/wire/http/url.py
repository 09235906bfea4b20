"""Parses URLs, once and strictly: those of the config, and those that tools fetch. What follows works on the parts.

Invariant: a URL that could be read in two ways is rejected, not normalised. Browsers, resolvers and URL libraries
disagree on user info, backslashes, control characters, and much in hosts (`host.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from clawgate.wire.http.host import parse_host

_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9.])?)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@/-]*)?\Z",
    re.ASCII | re.IGNORECASE,
)
_FETCH_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[^\[\]/?#]*\]|[^\[\]/?#:]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?(?:\#.*)?\Z",
    re.ASCII | re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_IN_TARGETS = "!$%&'()*+,-./:;=?@_~"
"""Kept as they are; anything else is percent-encoded as UTF-8, as browsers do."""
_LONGEST_FETCH_URL = 8000  # RFC 9110 section 4.1: recipients should support that much
_DEFAULT_PORT = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host (lower case, IPv6 without brackets) and port: the unit of trust."""

    scheme: Literal["http", "https"]
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The value of a Host header: with the port only where it is not the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORT[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


def parse_url(url: str) -> tuple[Origin, str]:
    """Return the origin and the path (without a trailing slash, so empty for none). Raises ValueError."""
    if "@" in url.partition("//")[2].partition("/")[0]:
        raise ValueError("must not carry a user name or password; configure the credential on its own")
    if "?" in url or "#" in url:
        raise ValueError("must not carry a query or fragment")
    match = _URL.match(url)
    if match is None:
        fix = "" if "://" in url else "; put http:// or https:// in front"
        raise ValueError(
            f"must look like https://host[:port][/path], a plain ASCII host and no quotes around it{fix}"
        )
    origin = _origin(match)
    path = (match["path"] or "").rstrip("/")
    if any(segment in (".", "..", "") for segment in path.split("/")[1:]):
        raise ValueError("must not contain empty, '.' or '..' segments in its path")
    return origin, path


def parse_fetch_url(url: str) -> tuple[Origin, str]:
    """Return the origin and the target (path and query) of a URL that a tool fetches. Raises ValueError.

    International names are encoded, a fragment is dropped; a path keeps its escapes and empty segments.
    """
    if len(url) > _LONGEST_FETCH_URL:
        raise ValueError(f"must not have more than {_LONGEST_FETCH_URL} characters")
    if _CONTROL.search(url) or url != url.strip():
        raise ValueError("must not contain control characters, line breaks or tabs, or blanks at its ends")
    hierarchy = re.split(r"[?#]", url, maxsplit=1)[0]
    if "@" in hierarchy.partition("//")[2].partition("/")[0]:
        raise ValueError("must not carry a user name or password")
    if "\\" in hierarchy:
        raise ValueError("must not contain a backslash in front of its query")
    match = _FETCH_URL.match(url)
    if match is None:
        raise ValueError("must look like https://host[:port][/path][?query]")
    return _origin(match), quote((match["path"] or "/") + (match["query"] or ""), safe=_IN_TARGETS)


def _origin(match: re.Match[str]) -> Origin:
    scheme: Literal["http", "https"] = "https" if match["scheme"].lower() == "https" else "http"
    port = int(match["port"] or _DEFAULT_PORT[scheme])
    if not 1 <= port <= 65535:
        raise ValueError(f"has the port {port}, which is not between 1 and 65535")
    return Origin(scheme, parse_host(match["host"]), port)


def split_proxy_url(url: str) -> tuple[str, str]:
    """Split ``http://[user:password@]host:port`` into the URL without user info, and the user info; empty for none."""
    userinfo, _, authority = url.removeprefix("http://").rpartition("@")
    return f"http://{authority}", userinfo


def userinfo_secrets(userinfo: str) -> list[str]:
    """Return what must not be shown of ``user:password``: all of it, and the password alone."""
    return [text for text in (userinfo, userinfo.partition(":")[2]) if text]
