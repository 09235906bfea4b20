"""Recognises what a text should not have: characters that steer a terminal or start a line, and leftover quotes."""

from __future__ import annotations


def is_quoted(text: str) -> bool:
    """Return whether quotes meant for a shell are a part of ``text``, as ``docker run --env-file`` leaves them."""
    return len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`"


def escape_controls(text: str) -> str:
    """Return ``text`` on one line: newlines, escape sequences, bidirectional overrides and the like as ``\\x1b``."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
