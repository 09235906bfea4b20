"""A user's name has a length that OpenAI accepts, and stays the same name."""

from __future__ import annotations

from clawgate.wire.translate.chat_upstream.user_names import LONGEST, user_name


def test_a_long_name_becomes_a_digest() -> None:
    assert user_name("u" * LONGEST) == "u" * LONGEST
    long, other = user_name("u" * 65), user_name("u" * 66)
    assert long == user_name("u" * 65) != other and len(long) <= LONGEST
