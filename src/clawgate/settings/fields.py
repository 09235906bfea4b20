"""What kinds of values are there in settings of every sort, and when is one not of its kind? Pure.

Of its own, so that who reads one file need not build the settings of every role.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic.fields import FieldInfo

from clawgate.settings.secrets import secret_problem
from clawgate.wire.http.url import parse_url


def env_var(*names: str) -> dict[str, Any]:
    """Return the ``json_schema_extra`` of a field that environment variables set, the strongest one first."""
    return {"env": list(names)}


def variables_of(field: FieldInfo) -> tuple[str, ...]:
    """Return the environment variables that set a field, the strongest one first."""
    extra = field.json_schema_extra
    names = extra.get("env", []) if isinstance(extra, dict) else []
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _url(value: str) -> str:
    parse_url(value)
    return value


def _real_secret(value: SecretStr) -> SecretStr:
    if reason := secret_problem(value.get_secret_value()):
        raise ValueError(reason)
    return value


def reject_bool(value: object) -> object:
    """pydantic takes true for 1; nobody means that."""
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004  # pydantic reports ValueError
    return value


Url = Annotated[str, AfterValidator(_url)]
"""An http(s) URL that `parse_url` takes."""

Secret = Annotated[SecretStr, AfterValidator(_real_secret)]
"""A secret that can stand in a header."""

Seconds = Annotated[float, BeforeValidator(reject_bool), Field(gt=0, le=86_400, allow_inf_nan=False)]
"""Of a day at most."""

Port = Annotated[int, BeforeValidator(reject_bool), Field(ge=0, le=65_535)]
"""0 takes a free one."""
