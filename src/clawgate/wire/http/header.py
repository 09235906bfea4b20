"""Checks names and values of HTTP headers (RFC 9110 5.1, 5.5, 5.6.2)."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_VISIBLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?\Z")


def is_header_name(text: str) -> bool:
    """Whether ``text`` is a token (RFC 9110 5.6.2)."""
    return _TOKEN.match(text) is not None


def is_header_value(text: str) -> bool:
    """Whether ``text`` is one line of visible ASCII, not empty, without outer spaces. Stricter than RFC 9110 5.5."""
    return _VISIBLE.match(text) is not None
