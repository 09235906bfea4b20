"""Turns have the form that their server accepts, and what a server does not take stays as words."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.wire.translate.chat_messages_compat import PROCESSED
from clawgate.wire.translate.compat import NO_COMPAT, Compat
from clawgate.wire.translate.messages_turns_compat import adapt_turns

ASSISTANT = {"role": "assistant", "content": PROCESSED}
CALL = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "ok"}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


LOOP = [user(text("q")), assistant(CALL), user(RESULT, text("more"))]


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (LOOP, [*LOOP[:2], user(RESULT), ASSISTANT, user(text("more"))]),
        ([assistant(CALL), user(RESULT)], [assistant(CALL), user(RESULT)]),
        ([user(RESULT), {"role": "user", "content": "x"}], [user(RESULT), ASSISTANT, {"role": "user", "content": "x"}]),
        ([user(RESULT), user(RESULT)], [user(RESULT), user(RESULT)]),
        ([user(RESULT), assistant(text("x")), user(text("y"))], [user(RESULT), assistant(text("x")), user(text("y"))]),
        ([5, {"role": "user"}, user()], [5, {"role": "user"}, user()]),
    ],
)  # fmt: skip
def test_an_assistant_speaks_between_results_and_the_user(given: list[Any], made: list[Any]) -> None:
    assert adapt_turns(given, Compat(requires_assistant_after_tool_result=True)) == made


def test_calls_of_tools_become_words_for_a_server_without_tools() -> None:
    listed = user({**RESULT, "content": [text("a"), {"type": "image"}]}, {"type": "tool_result"})
    assert adapt_turns([*LOOP, listed], Compat(supports_tools=False)) == [
        LOOP[0],
        assistant(text('[f was called with {"a":1}]')),
        user(text("[Result of f]"), text("ok"), text("more")),
        user(text("[Result of f]"), text("a"), {"type": "image"}, text("[Result of the tool]")),
    ]


def test_earlier_thinking_becomes_text_where_the_server_wants_that() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
    secret = {"type": "redacted_thinking", "data": "x"}
    assert adapt_turns(
        [assistant(thinking, secret, text("a")), assistant(secret), 5], Compat(requires_thinking_as_text=True)
    ) == [assistant(text("<thinking>\nhm\n</thinking>"), text("a")), 5]


def test_content_becomes_text_where_the_server_wants_that() -> None:
    image = {"type": "image", "source": {}}
    result = {**RESULT, "content": [text("a"), text("b")]}
    assert adapt_turns(
        [user(text("a"), text("b")), user(result), user(image, text("a")), 5],
        Compat(requires_string_content=True),
    ) == [{"role": "user", "content": "a\nb"}, user({**RESULT, "content": "a\nb"}), user(image, text("a")), 5]


def test_without_a_key_nothing_changes() -> None:
    assert adapt_turns(LOOP, NO_COMPAT) is LOOP
