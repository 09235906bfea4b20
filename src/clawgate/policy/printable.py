"""Escapes characters that would steer a terminal or start a new line."""

from __future__ import annotations


def escape_controls(text: str) -> str:
    """Return ``text`` on one line: newlines, escape sequences, bidirectional overrides and the like as ``\\x1b``."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
