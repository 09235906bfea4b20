"""A refusal names the field, and shows of a client's text only what is safe to show."""

from __future__ import annotations

import pytest

from clawgate.agents.request.refusal import field_name, listing, reject, shown, type_name
from clawgate.errors import InvalidRequest


def test_a_refusal_names_the_field() -> None:
    with pytest.raises(InvalidRequest) as refused:
        reject("stop", "Invalid stop")
    assert (refused.value.param, refused.value.message) == ("stop", "Invalid stop")


def test_a_clients_text_is_shown_short_printable_and_without_credentials() -> None:
    assert shown("mock/model") == "mock/model"
    assert shown("a\nb\u202e") == "a\\nb\\u202e"
    assert len(shown("x" * 10_000)) < 80
    assert "0123456789" not in shown("key sk-proj-0123456789abcdef")


def test_a_field_is_listed_in_characters_that_a_header_may_have() -> None:
    assert field_name("top_k") == "top_k" and field_name("a, b\r\n\u00e9") == "a??b?r?n?"


def test_json_types_have_the_names_of_the_recorded_messages() -> None:
    values: list[object] = [None, True, 1, 1.5, "", [], {}]
    names = ["null", "boolean", "number", "number", "string", "array", "object"]
    assert [type_name(value) for value in values] == names


def test_a_long_list_is_cut() -> None:
    assert listing(["a", "b"]) == "a, b"
    assert listing(["a", "b", "c"], most=2) == "a, b and 1 more"
