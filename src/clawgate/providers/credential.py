"""Which one credential goes on a request that leaves? The only place that writes a credential on the wire."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Protocol

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110 section 5.6.2
_VISIBLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?\Z")


class Credential(Protocol):
    """Renders itself as one head line and names what must never be shown."""

    def line(self) -> bytes:
        """The head line with its CRLF; empty for no credential."""
        ...

    def secrets(self) -> tuple[bytes, ...]:
        """Every spelling of the secret that could be recognised in an answer or a log."""
        ...


def _checked(value: str, what: str) -> str:
    if not _VISIBLE.match(value):
        raise ValueError(f"{what} must be visible ASCII characters, without line breaks or outer spaces")
    return value


@dataclass(frozen=True, slots=True, repr=False)
class HeaderToken:
    """A secret in a header of any name, as ``X-Proxy-Token``."""

    name: str
    value: str

    def __post_init__(self) -> None:
        if not _TOKEN.match(self.name):
            raise ValueError(f"'{self.name}' is not a header name")
        _checked(self.value, f"the value of {self.name}")

    def line(self) -> bytes:
        return f"{self.name.lower()}: {self.value}\r\n".encode("ascii")

    def secrets(self) -> tuple[bytes, ...]:
        return (self.value.encode("ascii"),)


@dataclass(frozen=True, slots=True, repr=False)
class Bearer:
    """An API key as ``Authorization: Bearer`` (RFC 6750 section 2.1)."""

    token: str

    def __post_init__(self) -> None:
        _checked(self.token, "the key")

    def line(self) -> bytes:
        return f"authorization: Bearer {self.token}\r\n".encode("ascii")

    def secrets(self) -> tuple[bytes, ...]:
        return (self.token.encode("ascii"),)


def basic_value(userinfo: str) -> str:
    """The value of a Basic credential (RFC 7617) for ``user:password``."""
    return "Basic " + base64.b64encode(userinfo.encode()).decode("ascii")
