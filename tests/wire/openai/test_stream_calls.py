"""Pieces of parallel tool calls belong to the call that a person would take them for, whatever the server omits."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.wire.openai.stream_calls import StreamedCall, StreamedCalls
from clawgate.wire.openai.types import FunctionPiece, ToolCallPiece

Piece = tuple[object, str | None, str | None, str]
"""Index, id, name and arguments."""


def joined(*deltas: list[Piece]) -> list[tuple[str | None, str | None, str]]:
    """Return id, name and arguments of each call of a stream."""
    calls = StreamedCalls()
    arguments: dict[int, str] = {}
    for delta in deltas:
        in_delta: set[int] = set()
        for index, sent_id, name, text in delta:
            piece = ToolCallPiece(index, sent_id, FunctionPiece(name, text))
            number = calls.number_of(piece, text, in_delta)
            arguments[number] = arguments.get(number, "") + text
    return [(call.id, call.name, arguments[number]) for number, call in enumerate(calls.calls)]


A, B = '{"a":1}', '{"b":2}'


@pytest.mark.parametrize("sent_id", [None, "", " "])
@pytest.mark.parametrize("index", [0, None])
@pytest.mark.parametrize("names", [("f", "g"), ("f", "f")])
@pytest.mark.parametrize("is_one_delta", [True, False])
def test_complete_calls_without_ids_and_with_one_index_stay_apart(
    sent_id: str | None, index: int | None, names: tuple[str, str], is_one_delta: bool
) -> None:
    """Gemini's compatible endpoint sends whole calls, each with index 0."""
    first: Piece = (index, sent_id, names[0], A)
    second: Piece = (index, sent_id, names[1], B)
    deltas = [[first, second]] if is_one_delta else [[first], [second]]
    assert joined(*deltas) == [(None, names[0], A), (None, names[1], B)]


@pytest.mark.parametrize(
    "spellings",
    [((0, "0"), (1, "1")), ((0.0, 0), ("1", 1.0)), ((-1, -1), (-2, -2)), (("a", "a"), ("b", "b")),
     ((0, 0), (None, None))],
    ids=["text", "mixed", "negative", "words", "one without"],
)  # fmt: skip
@pytest.mark.parametrize("ids", [("x", "y"), (None, None)])
def test_calls_whose_pieces_are_mixed_stay_apart_however_their_index_is_written(
    spellings: tuple[tuple[object, object], ...], ids: tuple[str | None, str | None]
) -> None:
    (first, later), (other, other_later) = spellings
    found = joined(
        [(first, ids[0], "f", ""), (other, ids[1], "g", "")],
        [(later, None, None, '{"a"'), (other_later, None, None, '{"b"')],
        [(later, None, None, ":1}"), (other_later, None, None, ":2}")],
    )
    assert found == [(ids[0], "f", A), (ids[1], "g", B)]


@pytest.mark.parametrize(
    ("deltas", "calls"),
    [
        ([[(0, None, "f", "")], [(0, None, None, '{"a"')], [(0, None, None, ":1}")]], [(None, "f", A)]),
        ([[(0, None, "f", '{"a"')], [(0, None, "f", ":1}")]], [(None, "f", A)]),
        ([[(0, None, "f", "")], [(0, None, "f", A)], [(0, None, "f", "")]], [(None, "f", A)]),
        ([[(0, "x", "f", '{"a"')], [(None, None, None, ":1}")]], [("x", "f", A)]),
        ([[(0, None, "f", A)], [(0, "x", None, "")]], [("x", "f", A)]),
        ([[(None, None, "f", ""), (None, None, "f", "")]], [(None, "f", ""), (None, "f", "")]),
        ([[(0, "x", "f", A)], [(1, "x", "f", B)]], [("x", "f", A), (None, "f", B)]),
        ([[(0, "x", "f", A)], [(0, "x", "g", B)]], [("x", "f", A), (None, "g", B)]),
        ([[(0, "x", "f", "")], [(1, "x", "g", "")], [(0, "x", None, A)], [(1, "x", None, B)]],
         [("x", "f", A), (None, "g", B)]),
        ([[(0, None, "f", '{"s":"}"')], [(0, None, "f", ',"t":"\\\\"')], [(0, None, "f", "}")]],
         [(None, "f", '{"s":"}","t":"\\\\"}')]),
    ],
    ids=["name first", "name in every piece", "name repeated at the end", "index in the first piece alone", "id late",
         "no arguments, one delta", "one id, other index", "one id for all", "one id, mixed", "brackets in a text"],
)  # fmt: skip
def test_a_name_begins_a_call_only_where_it_cannot_continue_one(
    deltas: list[list[Piece]], calls: list[Any]
) -> None:
    assert joined(*deltas) == calls


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("text", "is_whole"),
    [
        (A, True),
        ('{"a":[1,{"b":"]}"}]}', True),
        ('{"a":"\\"}"', False),
        ("", False),
        ("{", False),
        ('{"a":"\\\\"}', True),
    ],
)
def test_arguments_are_whole_at_the_end_of_their_object(text: str, is_whole: bool, size: int) -> None:
    call = StreamedCall(0)
    for start in range(0, len(text), size):
        call.add_arguments(text[start : start + size])
    assert call.is_whole == is_whole
