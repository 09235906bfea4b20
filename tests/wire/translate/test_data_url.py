"""A data: URL gives its type and its data, and comes back as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.wire.translate import data_url


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("data:image/png;base64,aGk=", ("image/png", "aGk=")),
        ("DATA:IMAGE/PNG;BASE64,aGk=", ("image/png", "aGk=")),
        ("data:text/plain;charset=utf-8;base64,aGk=", ("text/plain", "aGk=")),
        ("data:;base64,aGk=", ("", "aGk=")),
        ("data:image/png,%00", None),
        ("data:image/png;base64", None),
        ("https://example.com/a;base64,b", None),
        ("", None),
    ],
)
def test_only_base64_is_read(url: str, found: tuple[str, str] | None) -> None:
    assert data_url.parse(url) == found


@given(st.sampled_from(["image/png", "application/pdf"]), st.text("abcAB12+/=", max_size=20))
def test_what_is_built_is_read_again(media_type: str, data: str) -> None:
    assert data_url.parse(data_url.build(media_type, data)) == (media_type, data)
