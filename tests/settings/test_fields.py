"""Kinds of values refuse what is not of their kind, and do not show it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from clawgate.settings.fields import BaseUrl, ParsedUrl, Port, Seconds, Secret, Url, env_var, variables_of

PORT: TypeAdapter[Any] = TypeAdapter(Port)
SECONDS: TypeAdapter[Any] = TypeAdapter(Seconds)
SECRET: TypeAdapter[Any] = TypeAdapter(Secret)
URL: TypeAdapter[Any] = TypeAdapter(Url)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(PORT, 0), (PORT, 65535), (SECONDS, 0.5), (SECONDS, 86_400), (URL, "http://127.0.0.1:8080/v1")],
)
def test_what_is_of_the_kind_is_taken(kind: TypeAdapter[Any], value: object) -> None:
    assert kind.validate_python(value) == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (PORT, -1), (PORT, 65536), (PORT, True), (SECONDS, 0), (SECONDS, 86_401), (SECONDS, float("nan")),
        (SECONDS, float("inf")), (SECONDS, True), (URL, "ftp://x"), (URL, "http://u:p@x"), (URL, "http://x?k=v"),
        (SECRET, ""), (SECRET, "a b"), (SECRET, "changeme"), (SECRET, "${X}"), (SECRET, "a\nb"), (SECRET, 5),
    ],
)  # fmt: skip
def test_what_is_not_is_refused(kind: TypeAdapter[Any], value: object) -> None:
    with pytest.raises(ValidationError):
        kind.validate_python(value)


def test_a_secret_is_not_shown() -> None:
    assert "k-canary" not in repr(SECRET.validate_python("k-canary-51"))


def test_variables_of_a_field_keep_their_order() -> None:
    assert env_var("A", "B") == {"env": ["A", "B"]}
    field = FieldInfo(json_schema_extra=env_var("A", "B"))
    assert variables_of(field) == ("A", "B") and variables_of(FieldInfo()) == ()


def test_a_parsed_url_has_its_origin_and_its_path() -> None:
    url = TypeAdapter(ParsedUrl).validate_python("HTTP://Host:8080/api/")
    assert (str(url.origin), url.path, str(url)) == ("http://host:8080", "/api", "HTTP://Host:8080/api/")
    assert TypeAdapter(ParsedUrl).json_schema() == {"type": "string"}


@pytest.mark.parametrize("value", ["", "ftp://x", "http://u:p@x", 5, None])
def test_what_is_no_url_is_not_parsed(value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(ParsedUrl).validate_python(value)
    with pytest.raises(ValueError, match="must"):
        BaseUrl.parse(value)
