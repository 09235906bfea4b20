"""What is a header's name, and what its value."""

from __future__ import annotations

import pytest

from clawgate.wire.http.header import is_header_name, is_header_value


@pytest.mark.parametrize("name", ["X-Proxy-Token", "a", "!#$%&'*+.^_`|~0-9A-Za-z-"])
def test_a_token_is_a_name(name: str) -> None:
    assert is_header_name(name)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "é", "a\r\nb", "a\n", "(a)", "a/b", "[a]", "\x00"])
def test_anything_else_is_no_name(name: str) -> None:
    assert not is_header_name(name)


@pytest.mark.parametrize("value", ["a", "Bearer x", "~", "a  b", '"quoted"'])
def test_visible_ascii_is_a_value(value: str) -> None:
    assert is_header_value(value)


@pytest.mark.parametrize("value", ["", " a", "a ", "a\n", "a\r\nb: c", "é", "\x00", "\t", "a\tb", "\x7f"])
def test_what_could_be_more_than_a_value_is_none(value: str) -> None:
    assert not is_header_value(value)
