"""A value of a header is one line of text, and real."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from clawgate.settings.schema.header_secret import HeaderSecret

adapter = TypeAdapter[HeaderSecret](HeaderSecret)


@pytest.mark.parametrize("text", ["Basic dXNlcg==", "user:pä ss", "x"])
def test_what_a_header_can_carry_is_taken(text: str) -> None:
    assert adapter.validate_python(text).get_secret_value() == text


@pytest.mark.parametrize("text", ["", " x", "a\r\nb", "naïve", "'quoted'"])
def test_anything_else_is_rejected(text: str) -> None:
    with pytest.raises(ValidationError):
        adapter.validate_python(text)
