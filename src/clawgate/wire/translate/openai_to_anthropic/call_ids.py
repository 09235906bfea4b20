"""Gives each tool call of a chat conversation an id that Anthropic accepts, and its result the same.

Anthropic takes 64 letters, digits, ``_`` and ``-``, and rejects an id that occurs twice in a conversation. Ids of other
servers contain more (`functions.f:0`), begin anew with each response (`call_0`), or are empty. What an id becomes
depends on the messages in front of it alone, so that a longer conversation begins with the same bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NOT_OF_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_KEPT = 40


def tool_id(given: str) -> str:
    """Return an id as Anthropic accepts it. A digest distinguishes ids of which the same letters are left."""
    if _ID.fullmatch(given):
        return given
    digest = hashlib.sha256(given.encode()).hexdigest()[:12]
    return f"{_NOT_OF_AN_ID.sub('_', given)[:_KEPT]}_{digest}"


class CallIds:
    """The ids of one conversation, in its order. ``form`` makes an id one that the upstream accepts."""

    def __init__(self, form: Callable[[str], str] = tool_id) -> None:
        self._form = form
        self._counts: dict[str, int] = {}
        self._last: dict[str, str] = {}
        self._open: dict[str, deque[str]] = {}  # calls of the latest message with the same given id

    def begin_message(self) -> None:
        """A message with calls begins: results belong to its calls from now on."""
        self._open.clear()

    def of_call(self, given: str) -> str:
        """Return the id of the next call."""
        number = self._counts[given] = self._counts.get(given, 0) + 1
        made = self._last[given] = self._form(given if number == 1 else f"{given}#{number}")
        self._open.setdefault(given, deque()).append(made)
        return made

    def of_result(self, given: str) -> str:
        """Return the id of the call to which the next result belongs: of calls with the same id, in their order."""
        waiting = self._open.get(given)
        return waiting.popleft() if waiting else self._last.get(given) or self._form(given)
