"""What a server wrote in types of its own is understood, and what is nonsense reads as nothing."""

from __future__ import annotations

import msgspec
import pytest

from clawgate.wire.json import lenient


@pytest.mark.parametrize(
    ("value", "read"),
    [(5, 5), (6.0, 6), ("7", 7), ("8.0", 8), (True, None), (-1, None), ("x", None), (float("inf"), None), ("nan", None),
     ([], None), (10**400, None), (1 << 60, None)],
)  # fmt: skip
def test_a_count_is_a_number_of_tokens_or_nothing(value: object, read: int | None) -> None:
    assert lenient.as_int(value) == read


@pytest.mark.parametrize(
    ("value", "read"),
    [(0, 0), (7, 7), (-1, -1), (0.0, 0), ("00", 0), (" 1.0 ", 1), (1.5, "1.5"), ("a", "a"), ("1e999", "1e999"),
     ("nan", "nan"), (1e300, int(1e300)), ("", None), (" ", None), (None, None), (True, None), ([0], None), ({}, None)],
)  # fmt: skip
def test_an_index_tells_entries_apart_however_it_is_written(value: object, read: object) -> None:
    assert lenient.as_index(value) == read


def test_a_member_is_to_be_had_of_objects_only() -> None:
    assert lenient.as_member({"a": 1}, "a") == 1
    assert lenient.as_member([], "a") is None and lenient.as_member({}, "a") is None


def test_what_is_no_character_reads_as_one_that_says_so() -> None:
    shape = msgspec.json.Decoder(dict[str, str])
    assert (
        lenient.decode(b'{"a":"\xff"}', shape) == lenient.decode(rb'{"a":"\ud83d"}', shape) == {"a": "\ufffd"}
    )
    assert lenient.decode(b"\xff", shape) is None


def test_a_word_says_something() -> None:
    assert lenient.as_word("a") == "a"
    assert lenient.as_word("") is None and lenient.as_word(1) is None
    assert (
        lenient.as_text("a") == "a"
        and lenient.as_text("") == lenient.as_text(None) == lenient.as_text(1) == ""
    )


@pytest.mark.parametrize(
    ("given", "answer", "number", "found"),
    [
        ("toolu_1", "msg_1", 0, "toolu_1"),
        ("", "chatcmpl-Ab1", 2, "call_chatcmplAb1_2"),
        (None, "x" * 100, 10, f"call_{'x' * 24}_10"),
        (None, None, 1, "call_1"),
        (5, "!", 0, "call_0"),
    ],
)
def test_a_call_without_an_id_gets_one_of_its_own(
    given: object, answer: object, number: int, found: str
) -> None:
    """In two answers of a conversation it is not the same."""
    assert lenient.call_id(given, answer, number) == found and len(found) <= 40


@pytest.mark.parametrize(
    ("content", "read"),
    [
        ("a", [("text", "a")]),
        ("", []),
        (None, []),
        (["a", {"type": "text", "text": "b"}], [("text", "a"), ("text", "b")]),
        ([{"type": "thinking", "thinking": [{"text": "h"}, {"text": "m"}, 1]}], [("thinking", "hm")]),
        ([{"type": "reasoning", "text": "hm"}], [("thinking", "hm")]),
        ([{"type": "refusal", "refusal": "No."}], [("text", "No.")]),
        ([{"type": "image"}, 5, None], []),
    ],
)  # fmt: skip
def test_content_is_text_and_thinking_in_order(content: object, read: list[tuple[str, str]]) -> None:
    assert lenient.content_parts(content) == read


@pytest.mark.parametrize(
    ("known", "later", "merged"),
    [
        ({}, {"a": 1}, {"a": 1}),
        ({"a": 25, "b": 100}, {"a": 0, "b": 0, "c": 7}, {"a": 25, "b": 100, "c": 7}),
        ({"a": 1}, {"a": 7}, {"a": 7}),
        ({"a": 5}, {"a": None}, {"a": 5}),
        ({"a": 5}, {"a": "x"}, {"a": 5}),
        ({"a": None}, {"a": 0}, {"a": 0}),
        ({"a": "3"}, {"a": 4.0}, {"a": 4.0}),
        ({"a": {"b": 2, "c": 1}}, {"a": {"b": 0, "d": 1}}, {"a": {"b": 2, "c": 1, "d": 1}}),
        ({"a": {"b": 2}}, {"a": None}, {"a": {"b": 2}}),
        ({"tier": "x"}, {"tier": "y"}, {"tier": "y"}),
        ({"a": 1}, None, {"a": 1}),
        ({"a": 1}, [], {"a": 1}),
    ],
)
def test_of_two_counts_the_larger_one_is_kept(
    known: dict[object, object], later: object, merged: dict[object, object]
) -> None:
    """Some servers repeat the counts of a stream as zeros at its end."""
    lenient.merge_counts(known, later)
    assert known == merged
