"""Parses configured URLs, once and strictly; what follows works on the parts.

Invariant: a URL that could be read in two ways is rejected, not normalised. Browsers, resolvers and URL libraries
disagree on user info, backslashes, unusual digits and escapes in hosts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Literal

_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9.])?)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@/-]*)?\Z",
    re.ASCII | re.IGNORECASE,
)
_LONGEST_LABEL, _LONGEST_NAME = 63, 253  # RFC 1035 section 2.3.4
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
    scheme: Literal["http", "https"] = "https" if match["scheme"].lower() == "https" else "http"
    port = int(match["port"] or _DEFAULT_PORT[scheme])
    if not 1 <= port <= 65535:
        raise ValueError(f"has the port {port}, which is not between 1 and 65535")
    host = match["host"].lower().removesuffix(".")
    if host.startswith("["):
        host = str(IPv6Address(host[1:-1]))
    elif any(not 0 < len(label) <= _LONGEST_LABEL for label in host.split(".")) or len(host) > _LONGEST_NAME:
        raise ValueError("has a host with an empty or overlong part")
    path = (match["path"] or "").rstrip("/")
    if any(segment in (".", "..", "") for segment in path.split("/")[1:]):
        raise ValueError("must not contain empty, '.' or '..' segments in its path")
    return Origin(scheme, host, port), path


def split_proxy_url(url: str) -> tuple[str, str]:
    """Split ``http://[user:password@]host:port`` into the URL without user info, and the user info; empty for none."""
    userinfo, _, authority = url.removeprefix("http://").rpartition("@")
    return f"http://{authority}", userinfo


def userinfo_secrets(userinfo: str) -> list[str]:
    """Return what must not be shown of ``user:password``: all of it, and the password alone."""
    return [text for text in (userinfo, userinfo.partition(":")[2]) if text]
