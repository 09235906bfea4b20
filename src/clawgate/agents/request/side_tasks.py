"""Recognises what a user interface sends on its own: titles, tags, follow-up questions. They are no part of a session.

Law: only a request of one user turn that begins as such a prompt does is one. One that is taken for it wrongly is
served without the session; one that is missed is stored in it. Sources: `backend/open_webui/config.py` of Open WebUI,
which sends its tasks with the conversation's id, and `title.ts` of @librechat/agents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from clawgate.agents.request.chat_messages import text_of

_LONGEST_HEAD = 4096
"""Characters in which the headings of a task stand; the longest prompt has 1900 before its history."""
_TASK = re.compile(r"\s*+### Task:")
_HEADING = re.compile(r"^#{2,4} \**+(?:Output|Guidelines)", re.MULTILINE)
_HISTORY = "<chat_history>"
_BEGINNINGS = (
    "Your task is to reflect the speaker's likely facial expression through a fitting emoji.",
    "Provide a concise, 5-word-or-less title for the conversation",
    "Analyze this conversation and provide:\n1. The detected language of the conversation\n2. A concise title",
    "Please generate a concise title (max 40 characters) for a conversation that starts with",
    "Detect user language and write in the same language an extremely concise title for this conversation",
)


def is_side_task(turns: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the turns of a request are a prompt that a user interface made."""
    if len(turns) != 1 or turns[0].get("role") != "user":
        return False
    text = text_of(turns[0])
    if text.lstrip().startswith(_BEGINNINGS):
        return True
    return bool(_TASK.match(text) and _HISTORY in text and _HEADING.search(text, 0, _LONGEST_HEAD))
