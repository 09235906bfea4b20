"""Of what no service knows, the words for people and models are kept, and nothing that is encoded."""

from __future__ import annotations

from clawgate.wire.translate.chat_upstream.foreign_words import words_of


def test_words_are_found_at_any_depth_in_the_order_of_their_names() -> None:
    value = {"b": [{"a": "2", "hidden": "x"}], "a": "1", "return_code": 3, "flag": True}
    assert words_of(value, ("a", "b", "return_code", "flag")) == ["1", "2", "return_code: 3"]


def test_the_depth_is_bounded() -> None:
    deep: object = "end"
    for _ in range(50):
        deep = [deep]
    assert words_of(deep, ()) == []
