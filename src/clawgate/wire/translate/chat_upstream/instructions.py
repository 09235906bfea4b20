"""Places instructions where servers of chat completions accept them.

Templates of many models accept one system message at the beginning alone (Qwen on vLLM, llama.cpp, Ollama), so later
instructions join the user's turn, in the tags that Claude Code uses for the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_TAG = "system-reminder"


def as_reminder(text: str) -> str:
    """Return instructions as part of a user's turn."""
    return text if text.lstrip().startswith(f"<{_TAG}>") else f"<{_TAG}>\n{text}\n</{_TAG}>"


class Reminders:
    """Instructions behind the beginning of a conversation, on their way into the user's turns of ``messages``."""

    def __init__(self, messages: list[dict[str, object]]) -> None:
        self._messages = messages
        self._waiting: list[str] = []

    def add(self, texts: Iterable[str]) -> None:
        """Add instructions to the user's turn that they follow; elsewhere they wait for the next one."""
        self._waiting += map(as_reminder, texts)
        last = self._messages[-1] if self._messages else None
        if last is None or last["role"] != "user":
            return
        content = last["content"]
        for text in self.take():
            if isinstance(content, list):
                content.append({"type": "text", "text": text})
            else:
                content = f"{content}\n\n{text}" if content else text
        last["content"] = content

    def take(self) -> list[str]:
        """Return those that wait, for the user's turn that begins."""
        taken, self._waiting = self._waiting, []
        return taken

    def place(self) -> None:
        """Give those that wait a turn of their own: what follows is no user's turn."""
        if self._waiting:
            self._messages.append({"role": "user", "content": "\n\n".join(self.take())})


def lead_with_developer(messages: list[Any]) -> None:
    """Give the system message the name that OpenAI's reasoning models have for it."""
    if messages and messages[0].get("role") == "system":
        messages[0]["role"] = "developer"
