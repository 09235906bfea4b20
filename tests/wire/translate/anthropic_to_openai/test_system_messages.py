"""Instructions keep their words and lose what is for Anthropic's billing alone."""

from __future__ import annotations

import pytest

from clawgate.wire.anthropic.types import (
    AssistantMessage,
    Message,
    MessageOutputConfig,
    SystemMessage,
    Text,
    UserMessage,
)
from clawgate.wire.translate.anthropic_to_openai.system_messages import (
    effort_of,
    is_cleared,
    system_texts,
    without_billing,
)

BILLING = "x-anthropic-billing-header: cc_version=2.1.9.abc; cc_entrypoint=cli; cch=0a1b2;"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (BILLING, ""),
        (f"{BILLING}\nYou are a helper.", "You are a helper."),
        (f"{BILLING.upper()}\n{BILLING}\r\n\nYou", "\nYou"),
        (f"\n {BILLING}\nYou", "You"),
        (f"Read this: {BILLING}", f"Read this: {BILLING}"),
        ("x-anthropic-billing-headers are old", "x-anthropic-billing-headers are old"),
    ],
)
def test_billing_lines_at_the_beginning_are_left_out(text: str, left: str) -> None:
    assert without_billing(text) == left


def test_texts_are_what_a_model_can_read() -> None:
    assert system_texts([Text(BILLING), Text("a"), Text("")]) == ["a"]
    assert system_texts("a") == ["a"] and system_texts(None) == []


def test_a_message_is_cleared_by_the_next_of_the_user() -> None:
    cleared = SystemMessage("a", clear_at="next_user_message")
    turns: list[Message] = [UserMessage("x"), cleared, AssistantMessage("y"), UserMessage("z"), cleared]
    assert [is_cleared(turns, number) for number in range(5)] == [False, True, False, False, False]
    assert not is_cleared([SystemMessage("a", clear_at="never"), UserMessage("x")], 0)


def test_the_effort_is_that_of_the_turn_to_come() -> None:
    low = SystemMessage(output_config=MessageOutputConfig("low"))
    assert effort_of([UserMessage("x"), low]) == "low"
    assert effort_of([low, AssistantMessage("y"), UserMessage("z")]) is None
    assert effort_of([UserMessage("x"), SystemMessage("a")]) is None
