"""Writes instructions as part of a user's turn, in the tags that Claude Code uses for the same.

Templates of many models accept one system message at the beginning alone, so later instructions join the user's turn.
"""

from __future__ import annotations

_TAG = "system-reminder"


def as_reminder(text: str) -> str:
    """Return instructions as part of a user's turn."""
    return text if text.lstrip().startswith(f"<{_TAG}>") else f"<{_TAG}>\n{text}\n</{_TAG}>"
