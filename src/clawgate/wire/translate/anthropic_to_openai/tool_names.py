"""What is a tool called where OpenAI's limit holds? Its chat completions take 64 characters, Anthropic's Messages 128.

Agents put the names of servers in front of their tools' own and go past 64 easily. A long name keeps its beginning, for
the model reads it, and ends in a digest, so that two stay two; the answer has the client's own name again.
"""

from __future__ import annotations

import hashlib

LONGEST = 64
_KEPT = 51


class ToolNames:
    """The long names of one exchange."""

    __slots__ = ("_own",)

    def __init__(self) -> None:
        self._own: dict[str, str] = {}

    def there(self, own: str) -> str:
        """What the upstream is told; the same for the same name, always."""
        if len(own) <= LONGEST:
            return own
        short = f"{own[:_KEPT]}_{hashlib.sha256(own.encode()).hexdigest()[: LONGEST - _KEPT - 1]}"
        self._own[short] = own
        return short

    def own(self, told: str) -> str:
        """What the client calls the tool that the upstream called."""
        return self._own.get(told, told)
