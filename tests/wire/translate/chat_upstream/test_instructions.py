"""Instructions in a user's turn are recognisable as such, and the leading ones have the name that is known."""

from __future__ import annotations

from typing import Any

from clawgate.wire.translate.chat_upstream.instructions import Reminders, as_reminder, lead_with_developer


def test_a_reminder_is_tagged_once() -> None:
    assert as_reminder("a") == "<system-reminder>\na\n</system-reminder>" == as_reminder(as_reminder("a"))


def test_the_leading_message_alone_becomes_the_developers() -> None:
    messages = [{"role": "system"}, {"role": "user"}, {"role": "system"}]
    lead_with_developer(messages)
    assert [message["role"] for message in messages] == ["developer", "user", "system"]
    lead_with_developer([])


def test_a_reminder_joins_the_turn_that_it_follows_or_waits_for_the_next() -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "x"}]
    reminders = Reminders(messages)
    reminders.add(["a"])
    assert messages == [{"role": "user", "content": "x\n\n<system-reminder>\na\n</system-reminder>"}]
    messages.append({"role": "assistant", "content": "y"})
    reminders.add(["b"])
    assert len(messages) == 2 and reminders.take() == ["<system-reminder>\nb\n</system-reminder>"]
    reminders.add(["c"])
    reminders.place()
    reminders.place()
    assert len(messages) == 3 and messages[2]["role"] == "user"


def test_a_reminder_is_a_part_of_a_turn_in_parts() -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "image_url"}]}]
    Reminders(messages).add(["a"])
    assert [part["type"] for part in messages[0]["content"]] == ["image_url", "text"]
