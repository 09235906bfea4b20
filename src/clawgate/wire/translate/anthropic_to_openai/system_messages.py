"""Folds the instructions of a Messages request so that one system message, in front of all others, is enough.

Messages of the roles `system` and `developer` may be anywhere; templates of many models accept one system message at
the beginning (Qwen on vLLM, llama.cpp, Ollama: "System message must be at the beginning"). Those in front of the first
turn join the system prompt. A later one keeps its place, so that the beginning stays the same from request to request
and upstreams can cache it: it goes into the user's turn there, in the tags that Claude Code uses for the same.

Claude Code begins its system prompt with a line for Anthropic's billing, another one in each request. No other service
can use it, and it would defeat every prefix cache: it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from clawgate.wire.anthropic import types as messages

_BILLING = re.compile(r"\s*x-anthropic-billing-header[ \t]*:[^\n]*(?:\n|\Z)", re.IGNORECASE)


def without_billing(text: str) -> str:
    """Return a system text without billing lines at its beginning."""
    while (line := _BILLING.match(text)) is not None:
        text = text[line.end() :]
    return text


def system_texts(content: str | Iterable[messages.SystemBlock] | None) -> list[str]:
    """Return the texts of a system prompt or message that are for the model."""
    texts = (
        [content]
        if isinstance(content, str)
        else [one.text for one in content or () if isinstance(one, messages.Text)]
    )
    return [text for text in map(without_billing, texts) if text]


def is_cleared(turns: Sequence[messages.Message], number: int) -> bool:
    """Whether the system message of that number is not shown any more, since a user message follows it."""
    turn = turns[number]
    return (
        isinstance(turn, messages.SystemMessage)
        and turn.clear_at == "next_user_message"
        and any(isinstance(later, messages.UserMessage) for later in turns[number + 1 :])
    )


def effort_of(turns: Sequence[messages.Message]) -> str | None:
    """Return the effort that system messages set for the turn to come; None if they set none."""
    for turn in reversed(turns):
        if isinstance(turn, messages.AssistantMessage):
            return None
        if isinstance(turn, messages.SystemMessage):
            config = turn.output_config
            if config is not None and config.effort is not None:
                return config.effort
    return None
