"""A place in the config file as people write it down, in OpenClaw's way and in ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.settings.key_path import KeyPath, format_key_path, in_document, parse_key_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("gateway", ("gateway",)),
        (" gateway.port ", ("gateway", "port")),
        ("models.providers.owl.models[0].id", ("models", "providers", "owl", "models", 0, "id")),
        ("models.providers.owl.models.0.id", ("models", "providers", "owl", "models", "0", "id")),
        ('a["openai/gpt-4.1"].alias', ("a", "openai/gpt-4.1", "alias")),
        ("a['openai/gpt-4.1'].alias", ("a", "openai/gpt-4.1", "alias")),
        ("a[openai/gpt-4.1].alias", ("a", "openai/gpt-4.1", "alias")),
        ('a."openai/gpt-4.1".alias', ("a", "openai/gpt-4.1", "alias")),
        (r"a.openai/gpt-4\.1.alias", ("a", "openai/gpt-4.1", "alias")),
        ('["a b"][1][2]', ("a b", 1, 2)),
        ('a["0"]', ("a", "0")),
        (r'a["q\"\u0041"]', ("a", 'q"A')),
        (r"""a['it\'s "x"']""", ("a", 'it\'s "x"')),
        ('a[""]', ("a", "")),
    ],
)
def test_a_path_is_read(text: str, path: KeyPath) -> None:
    assert parse_key_path(text) == path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("  ", "empty"),
        (".a", "missing"),
        ("a.", "missing after a dot"),
        ("a..b", "missing after a dot"),
        ("a.[0]", "missing after a dot"),
        ("a[0", "not closed"),
        ("a]", "dot is missing"),
        ("a[]", "an index nor a key"),
        ('a["b]', "an index nor a key"),
        ("a[0]b", "dot is missing"),
        ('a["b"]c', "dot is missing"),
        (r'a["\q"]', "not a JSON string"),
        ("a. .b", "empty"),
        ("a.__proto__.b", "does not allow"),
        ("a[constructor]", "does not allow"),
        (".".join("a" * 65), "deeper than 64"),
    ],
)
def test_what_is_no_path_is_refused_with_its_reason(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_key_path(text)


KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(
    lambda key: key not in {"__proto__", "prototype", "constructor"}
)


@given(st.lists(KEYS | st.integers(0, 10_000), min_size=1, max_size=6))
def test_a_formatted_path_parses_to_itself(path: list[str | int]) -> None:
    assert parse_key_path(format_key_path(path)) == tuple(path)


@given(st.text(st.sampled_from("ab.[]\"'\\0 /"), max_size=12))
def test_any_text_is_a_path_or_no_path(text: str) -> None:
    """And nothing else happens; what is a path survives being written down."""
    try:
        path = parse_key_path(text)
    except ValueError:
        return
    assert parse_key_path(format_key_path(path)) == path


def test_odd_keys_are_shown_in_brackets() -> None:
    assert format_key_path(("a", "b/c", 0, "e")) == "a.b/c[0].e"
    assert format_key_path(("a", "gpt-4.1", "x y")) == 'a["gpt-4.1"]["x y"]'


def test_a_formatted_path_moves_no_terminal() -> None:
    path = ("a\x1b[31m", "\u202e", "\x7f")
    assert format_key_path(path).isprintable() and parse_key_path(format_key_path(path)) == path


def test_the_document_decides_whether_a_part_is_an_index() -> None:
    document = {"list": [{"x": 1}], "ports": {"80": "a"}}
    assert in_document(("list", "0", "x"), document) == ("list", 0, "x")
    assert in_document(("ports", 80), document) == ("ports", "80")
    assert in_document(("new", 0, "1"), document) == ("new", 0, "1")
    assert in_document(("list", "x"), document) == ("list", "x")
    assert in_document(("list", 7, "x"), document) == ("list", 7, "x")
