"""Instructions in a user's turn are recognisable as such."""

from __future__ import annotations

from clawgate.wire.translate.chat_upstream.reminders import as_reminder


def test_a_reminder_is_tagged_once() -> None:
    assert as_reminder("a") == "<system-reminder>\na\n</system-reminder>" == as_reminder(as_reminder("a"))
