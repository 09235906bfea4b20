"""Defines the kinds of values that settings of every role have, and how a field names its environment variables.

Pure. Apart from the roles, so that reading one file does not build the settings of all of them.
"""

from __future__ import annotations

import difflib
import types
import typing
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from clawgate.policy.cross_origin import listed_host, listed_origin
from clawgate.settings.secrets import secret_problem
from clawgate.wire.http.url import Origin, parse_url


def env_var(*names: str) -> dict[str, Any]:
    """Return the ``json_schema_extra`` of a field that environment variables set, the strongest one first."""
    return {"env": list(names)}


def setting(description: str, default: Any = None, variable: str | None = None) -> Any:
    """Return a field that may be left out. A type as ``default`` makes the value of each; ``variable`` sets it, too."""
    extra = None if variable is None else env_var(variable)
    if isinstance(default, type):
        return Field(default_factory=default, description=description, json_schema_extra=extra)
    return Field(default, description=description, json_schema_extra=extra)


def variables_of(field: FieldInfo) -> tuple[str, ...]:
    extra = field.json_schema_extra
    names = extra.get("env", []) if isinstance(extra, dict) else []
    return tuple(map(str, names)) if isinstance(names, list) else ()


def suggestion(key: str, model: type[BaseModel]) -> str:
    """Return what to write for ``key``, which is no setting of ``model``."""
    keys = [to_camel(name) for name in model.model_fields]
    near = difflib.get_close_matches(key, keys, n=1)
    return f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(sorted(keys))}"


def reject_bool(value: object) -> object:
    """Raise ValueError for true and false, which pydantic takes for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004  # pydantic reports ValueError
    return value


Count = Annotated[int, Field(ge=1), BeforeValidator(reject_bool)]

OWN_BLOCK = ConfigDict(
    frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
)
"""Of a block that is clawgate's alone: a key that it does not have is an error."""


def reject_text(value: object) -> object:
    """Raise ValueError for text and for true and false in the place of a number: OpenClaw takes neither for one."""
    if isinstance(value, str):
        raise ValueError("must be a number, not text")  # noqa: TRY004  # pydantic reports ValueError
    return reject_bool(value)


def reject_text_for_whole(value: object) -> object:
    """Raise ValueError as `reject_text` does, for a whole number."""
    if isinstance(value, str):
        raise ValueError("must be a whole number, not text")  # noqa: TRY004  # pydantic reports ValueError
    return reject_bool(value)


def plain_type(annotation: Any) -> type:
    """Return the type behind Annotated and Optional; of a union, its first."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        inner = [part for part in typing.get_args(annotation) if part is not type(None)]
        return plain_type(inner[0])
    if origin is typing.Annotated:
        return plain_type(typing.get_args(annotation)[0])
    return typing.cast(type, origin or annotation)


def _split_words(value: object) -> object:
    """Split comma lists, as flags and environment variables have them. Raises ValueError for one without a name."""
    if isinstance(value, str):
        value = (value,)
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        words = [word.strip() for part in value for word in part.split(",") if word.strip()]
        if value and not words:
            raise ValueError("lists no name")
        return words
    return value


def _check_hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        if text != "*":
            listed_host(text)
    return value


def _check_origins(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        listed_origin(text)
    return value


def _check_url(value: str) -> str:
    parse_url(value)
    return value


def _check_secret(value: SecretStr) -> SecretStr:
    if reason := secret_problem(value.get_secret_value()):
        raise ValueError(f"{reason}; enter the real value")
    return value


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """A parsed URL: ``path`` is without a trailing slash, so empty for none."""

    text: str
    origin: Origin
    path: str

    @classmethod
    def parse(cls, text: object) -> BaseUrl:
        """Raises ValueError."""
        if not isinstance(text, str):
            raise ValueError("must be text")  # noqa: TRY004  # pydantic reports ValueError
        origin, path = parse_url(text)
        return cls(text, origin, path)

    def __str__(self) -> str:
        return self.text


ParsedUrl = Annotated[BaseUrl, PlainValidator(BaseUrl.parse), WithJsonSchema({"type": "string"})]
"""An http(s) URL, parsed once where it is validated."""

Url = Annotated[str, AfterValidator(_check_url)]
"""An http(s) URL that `parse_url` takes."""

StringList = Annotated[tuple[str, ...], BeforeValidator(_split_words)]
"""A list of names; a flag or variable may give it as a comma list."""

HostNames = Annotated[StringList, AfterValidator(_check_hosts)]
"""Hosts as in the header Host; '*' is any."""

Origins = Annotated[StringList, AfterValidator(_check_origins)]
"""Origins of web pages."""

Secret = Annotated[SecretStr, AfterValidator(_check_secret)]
"""A secret that can be sent in a header."""

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False), BeforeValidator(reject_bool)]
"""A duration of at most a day."""

ConnectionCount = Annotated[int, Field(ge=1, le=65_535), BeforeValidator(reject_bool)]
"""How many connections there may be."""

MAX_UPSTREAM_CONNECTIONS = 1000
"""To one upstream, unless configured otherwise: as many as the clients of OpenAI open by default."""
UPSTREAM_WAIT_SECONDS: float = 10
"""How long a request waits for one of them, unless configured otherwise."""

Port = Annotated[int, Field(ge=0, le=65_535), BeforeValidator(reject_bool)]
"""A TCP port; 0 takes a free one."""
