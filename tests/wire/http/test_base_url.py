"""The address that a person has at hand leads to the API's base URL; no spelling of it changes where it leads."""

from __future__ import annotations

import pytest

from clawgate.wire.http.base_url import base_url


@pytest.mark.parametrize(
    "end", ["", "/", "/chat/completions", "/chat/completions/", "/models", "/models/m", "/responses"]
)
def test_the_url_of_a_request_is_read_as_that_of_its_api(end: str) -> None:
    assert base_url(f" http://host:8000/v1{end} ") == "http://host:8000/v1"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("host.example", "https://host.example"),
        ("host.example/openai/v1/", "https://host.example/openai/v1"),
        ("host.example:443/v1", "https://host.example:443/v1"),
        ("host.example:8000", "http://host.example:8000"),
        ("localhost", "http://localhost"),
        ("10.1.2.3/v1", "http://10.1.2.3/v1"),
        ("[::1]:11434", "http://[::1]:11434"),
        ("https://localhost/v1", "https://localhost/v1"),
        ("https://host.example/models", "https://host.example/models"),
        ("https://host.example/v2/models", "https://host.example/v2"),
        ("https://host.example/chat/completions", "https://host.example"),
        ("ftp://host.example/v1", "ftp://host.example/v1"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_scheme_is_added_where_there_is_none(given: str, meant: str) -> None:
    assert base_url(given) == meant == base_url(meant)
