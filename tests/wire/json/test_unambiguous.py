"""JSON that two readers could read in two ways is refused, at any depth, and so is what nests without end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.errors import InvalidRequest
from clawgate.wire.json.complexity import MAX_VALUES
from clawgate.wire.json.unambiguous import MAX_DEPTH, parse_unambiguous

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)  # fmt: skip


@given(VALUES, st.booleans())
def test_what_json_says_once_is_read(value: Any, ascii_only: bool) -> None:
    assert parse_unambiguous(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"a":1,"a":1}', "a"),
        (b'{"x":{"role":"user","role":"system"}}', "role"),
        (b'[[{"a": "\\"a\\":", "b":[{"c":1,"c":2}]}]]', "c"),
        (b'{"a":1,"\\u0061":2}', "a"),
        (b'{"sk-ant-0123456789abcdef":1,"sk-ant-0123456789abcdef":2}', None),
    ],
)
def test_a_name_that_comes_twice_is_refused(body: bytes, name: str | None) -> None:
    with pytest.raises(InvalidRequest, match="more than once") as refused:
        parse_unambiguous(body)
    assert refused.value.param == name and "0123456789" not in refused.value.message


@pytest.mark.parametrize(
    "body", [b'{"a":":","b":"\\":"}', b'[":",{"a":1},{"a":2}]', b'"a:b"', b"1", b"null", b"[]"]
)
def test_a_colon_in_a_string_is_no_member(body: bytes) -> None:
    assert parse_unambiguous(body) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [b"NaN", b"[Infinity]", b'{"a":-Infinity}', b"1e999", b"", b" ", b"{", b'{"a":1,}', b"'a'", b'{"a" 1}', b"01",
     b'"\xff"', b"\xef\xbb\xbf{}", b'{"a":1}x', b"1" * 5000, b'{"a":"\x00"}', b"{}\x00", b"// c\n{}",
     b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000],
)  # fmt: skip
def test_what_is_no_json_is_refused_in_few_words(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_unambiguous(body)
    assert len(refused.value.message) < 300


def test_the_nesting_is_bounded() -> None:
    assert parse_unambiguous(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(InvalidRequest, match="levels deep"):
        parse_unambiguous(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_half_of_a_character_is_read_as_a_replacement() -> None:
    assert parse_unambiguous(b'{"a":"\\ud83d"}') == {"a": "\N{REPLACEMENT CHARACTER}"}


@pytest.mark.parametrize(
    "body",
    [b"[" + b"[]," * MAX_VALUES + b"[]]", b"[" + b'"",' * MAX_VALUES + b'""]', b'"' * 3_000_000,
     b'"' + rb"\ud83d" * (2 * MAX_VALUES + 1) + b'"'],
)  # fmt: skip
def test_a_body_of_countless_values_is_refused_before_it_is_read(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="values"):
        parse_unambiguous(body)


def test_a_text_may_contain_any_number_of_commas() -> None:
    text = 'a,"[{:\\' * MAX_VALUES
    assert parse_unambiguous(json.dumps({"a": text}).encode()) == {"a": text}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"a":1,"a":2}',
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"[" + b"[]," * MAX_VALUES + b"[]]",
    ],
)
def test_a_message_names_what_was_read(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"^the JSON of its arguments ") as refused:
        parse_unambiguous(body, what="the JSON of its arguments")
    assert "body" not in refused.value.message
