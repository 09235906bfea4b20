"""Encodes the one credential of a request. Law: no other module writes a credential on the wire."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Protocol

from clawgate.wire.http.header import is_header_name, is_header_value

_SHORTEST_PASSWORD = 4


class Credential(Protocol):
    """A credential as one header line, and the secrets in it."""

    def line(self) -> bytes:
        """Return the header line with its CRLF; empty for no credential."""

    def secrets(self) -> tuple[bytes, ...]:
        """Return every spelling of the secret that could be recognised in a response or a log."""


def _checked(value: str, what: str) -> str:
    if not is_header_value(value):
        raise ValueError(f"{what} must be visible ASCII characters, without line breaks or outer spaces")
    return value


@dataclass(frozen=True, slots=True, repr=False)
class NoCredential:
    """No credential: for a server that needs none."""

    def line(self) -> bytes:
        return b""

    def secrets(self) -> tuple[bytes, ...]:
        return ()


@dataclass(frozen=True, slots=True, repr=False)
class HeaderToken:
    """A secret in a header of any name, as ``X-Proxy-Token``; ``scheme`` is put before it, with one space."""

    name: str
    value: str
    scheme: str = ""

    def __post_init__(self) -> None:
        if not is_header_name(self.name):
            raise ValueError(f"'{self.name}' is not a header name")
        _checked(self.value, f"the value of {self.name}")
        if self.scheme:
            _checked(self.scheme, f"the scheme of {self.name}")

    def line(self) -> bytes:
        scheme = f"{self.scheme} " if self.scheme else ""
        return f"{self.name.lower()}: {scheme}{self.value}\r\n".encode("ascii")

    def secrets(self) -> tuple[bytes, ...]:
        return (self.value.encode("ascii"),)


@dataclass(frozen=True, slots=True, repr=False)
class Basic:
    """User and password (RFC 7617), by default in ``Authorization``.

    ``value`` is ``user:password``, or that in base64: base64 has no colon, so the two cannot be confused.
    """

    value: str
    name: str = "authorization"

    def __post_init__(self) -> None:
        if not is_header_name(self.name):
            raise ValueError(f"'{self.name}' is not a header name")
        if ":" not in self.value:
            _checked(self.value, "the encoded user and password")

    @property
    def encoded(self) -> str:
        return base64.b64encode(self.value.encode()).decode("ascii") if ":" in self.value else self.value

    def line(self) -> bytes:
        return f"{self.name.lower()}: Basic {self.encoded}\r\n".encode("ascii")

    def secrets(self) -> tuple[bytes, ...]:
        """Return it encoded, plain, and the password alone unless it is so short that it would be found everywhere."""
        encoded = self.encoded
        try:
            plain = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return (encoded.encode("ascii"),)
        password = plain.partition(b":")[2]
        spellings = (encoded.encode("ascii"), plain, password if len(password) >= _SHORTEST_PASSWORD else b"")
        return tuple(dict.fromkeys(spelling for spelling in spellings if spelling))


def bearer(token: str) -> HeaderToken:
    """Return an API key as ``Authorization: Bearer`` (RFC 6750 section 2.1)."""
    return HeaderToken("authorization", _checked(token, "the key"), "Bearer")


def basic_value(userinfo: str) -> str:
    """Return the header value of a Basic credential (RFC 7617) for ``user:password``."""
    return "Basic " + base64.b64encode(userinfo.encode()).decode("ascii")
