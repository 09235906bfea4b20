"""What a user interface sends on its own is recognised by its shape; what a person writes is not taken for it."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.agents.request.side_tasks import is_side_task

HISTORY = "### Chat History:\n<chat_history>\nUSER: hi\nASSISTANT: hello\n</chat_history>"
TITLE = (
    "### Task:\nGenerate a concise title.\n### Guidelines:\n- Keep it short\n### Output:\nJSON format: {}\n"
)
TAGS = "### Task:\nGenerate 1-3 broad tags.\n\n### Guidelines:\n- x\n\n### Output:\nJSON format: {}\n\n"
QUERY = "### Task:\nAnalyze the chat history to determine the necessity of search queries.\n\n### Output:\nStrict\n\n"
COMPLETE = "### Task:\nYou are an autocompletion system.\n\n### **Output Rules**:\n- JSON only\n\n---\n### Context:\n"
EMOJI = (
    "Your task is to reflect the speaker's likely facial expression through a fitting emoji. Interpret it.\n"
)
LIBRECHAT = (
    "Provide a concise, 5-word-or-less title for the conversation, in title case.\n\nConversation:\nUser: hi"
)
STRUCTURED = (
    "Analyze this conversation and provide:\n1. The detected language of the conversation\n"
    "2. A concise title in the detected language"
)


@pytest.mark.parametrize(
    "text",
    [TITLE + HISTORY, TAGS + HISTORY, QUERY + HISTORY, COMPLETE + HISTORY + "\n<type>General</type>", EMOJI,
     LIBRECHAT, STRUCTURED, "\n" + TITLE + HISTORY],
)  # fmt: skip
def test_the_prompts_of_user_interfaces_are_side_tasks(text: str) -> None:
    assert is_side_task([{"role": "user", "content": text}])
    assert is_side_task([{"role": "user", "content": [{"type": "text", "text": text}]}])


@pytest.mark.parametrize(
    "turns",
    [
        [{"role": "user", "content": "hi"}],
        [{"role": "user", "content": "What does this prompt do?\n" + TITLE + HISTORY}],
        [{"role": "user", "content": TITLE}],
        [{"role": "user", "content": "### Task:\nWrite a parser for <chat_history>"}],
        [{"role": "user", "content": TITLE + HISTORY}, {"role": "assistant", "content": "{}"}],
        [{"role": "assistant", "content": EMOJI}],
        [],
    ],
)
def test_what_a_person_writes_is_none(turns: list[dict[str, Any]]) -> None:
    assert not is_side_task(turns)
