"""Shortens tool names to what OpenAI accepts: 64 characters, where Anthropic's Messages API accepts 128.

Agents put the names of servers in front of their tools' own names and exceed 64 easily. A long name keeps its
beginning, which the model reads, and ends in a digest, so that different names stay different. Responses have the
client's name.
"""

from __future__ import annotations

import hashlib

LONGEST = 64
_KEPT = 51


class ToolNames:
    """The shortened names of one exchange."""

    __slots__ = ("_originals",)

    def __init__(self) -> None:
        self._originals: dict[str, str] = {}

    def shorten(self, name: str) -> str:
        """Return the name for the upstream; the same name always gives the same one."""
        if len(name) <= LONGEST:
            return name
        short = f"{name[:_KEPT]}_{hashlib.sha256(name.encode()).hexdigest()[: LONGEST - _KEPT - 1]}"
        self._originals[short] = name
        return short

    def restore(self, name: str) -> str:
        """Return the client's name of a tool that the upstream called."""
        return self._originals.get(name, name)
