"""Parses the host of a URL into its one spelling, so that what is decided about it holds for what is dialled.

Every spelling of an IPv4 address that resolvers read (`inet_aton`: 0x7f.1, 0177.0.0.1, 2130706433) becomes four decimal
numbers, names become lower case and ASCII (RFC 3492).
What programs read in different ways is rejected: full-width digits and letters, ideographic dots, sharp s and final
sigma (which IDNA 2003 and 2008 map differently), zone indexes, numbers that are no address, and `xn--` labels that no
name is encoded as.
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import AddressValueError, IPv4Address, IPv6Address

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?", re.ASCII)
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.ASCII)
_NUMBER = re.compile(r"0x0*[0-9a-f]{1,8}|0+[0-7]{0,11}|[1-9][0-9]{0,9}", re.ASCII)
_IPV4_PARTS = 4
_LONGEST_LABEL, _LONGEST_NAME = 63, 253  # RFC 1035 section 2.3.4
_ENCODED = "xn--"
_MAPPED_IN_TWO_WAYS = "\u00df\u03c2"
_LETTERS = frozenset({"Ll", "Lo", "Lm", "Mn", "Mc", "Nd"})
"""Unicode's categories of what a label may have, once in lower case (IDNA 2008, RFC 5892 section 2.1)."""


def parse_host(text: str) -> str:
    """Return the host in its one spelling, an IPv6 address without brackets. Raises ValueError."""
    if text.startswith("["):
        return _parse_ipv6(text)
    labels = [_ascii_label(label) for label in text.removesuffix(".").split(".")]
    host = ".".join(labels)
    if any(not 0 < len(label) <= _LONGEST_LABEL for label in labels) or len(host) > _LONGEST_NAME:
        raise ValueError("has a host with an empty or overlong part")
    if _NAME.fullmatch(host) is None:
        raise ValueError(f"has the host {host!a}, which is neither a name nor an address")
    if _ENDS_IN_NUMBER.fullmatch(host) is None:
        return host
    address = parse_ipv4(host)
    if address is None:
        raise ValueError(f"has the host {host}, which looks like an IPv4 address but is none")
    return str(address)


def parse_ipv4(host: str) -> IPv4Address | None:
    """Parse one to four numbers, decimal, octal or hexadecimal, of which the last fills the remaining bytes."""
    parts = host.split(".")
    if len(parts) > _IPV4_PARTS or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    *first, last = [int(part, 16 if part[:2] == "0x" else 8 if part[0] == "0" else 10) for part in parts]
    if any(number > 0xFF for number in first) or last >= 256 ** (5 - len(parts)):
        return None
    return IPv4Address(sum(number << (24 - 8 * at) for at, number in enumerate(first)) + last)


def _parse_ipv6(text: str) -> str:
    if "%" in text:
        raise ValueError("must not carry a zone index: it has a meaning on one machine alone")
    try:
        address = IPv6Address(text[1:-1] if text.endswith("]") else text)
    except AddressValueError as error:
        raise ValueError(f"has a host in brackets that is not an IPv6 address: {error}") from None
    # of a mapped address, `str` has this since Python 3.13 alone (RFC 5952 section 5)
    return str(address) if address.ipv4_mapped is None else f"::ffff:{address.ipv4_mapped}"


def _ascii_label(label: str) -> str:
    composed = unicodedata.normalize("NFC", label.lower())
    if label.isascii():
        if composed.startswith(_ENCODED) and not _is_encoded_as(composed):
            raise ValueError(f"has the label {label} in its host, which no name is encoded as")
        return composed
    if not _is_plain(composed) or any(character in _MAPPED_IN_TWO_WAYS for character in composed):
        raise ValueError(
            f"has the label {label!a} in its host, which programs read differently; use its xn-- form"
        )
    return _encoded(composed)


def _is_plain(label: str) -> bool:
    """Whether ``label``, in lower case, is an international one that every program encodes in the same way."""
    categories = [unicodedata.category(character) for character in label if character != "-"]
    return (
        not label.isascii()
        and unicodedata.normalize("NFKC", label) == label
        and set(categories) <= _LETTERS
        and set(categories) != {"Nd"}
    )


def _encoded(label: str) -> str:
    return _ENCODED + label.encode("punycode").decode("ascii")


def _is_encoded_as(label: str) -> bool:
    try:
        plain = label.removeprefix(_ENCODED).encode("ascii").decode("punycode")
    except UnicodeError:
        return False
    return _is_plain(plain) and plain == plain.lower() and _encoded(plain) == label
