"""Recognises what a text should not have: characters that steer a terminal or start a line, and leftover quotes."""

from __future__ import annotations

import re

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""All but LF and TAB that moves the cursor, changes the terminal or turns text around; and what UTF-8 has not."""


def is_quoted(text: str) -> bool:
    """Return whether quotes meant for a shell are a part of ``text``, as ``docker run --env-file`` leaves them."""
    return len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`"


def escape_controls(text: str) -> str:
    """Return ``text`` on one line: newlines, escape sequences, bidirectional overrides and the like as ``\\x1b``."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def escape_steering(text: str) -> str:
    """Return ``text`` for a terminal with its lines as they are, and all else that steers it as ``\\x1b``."""
    return _STEERING.sub(lambda match: ascii(match[0])[1:-1], text.replace("\r", ""))
