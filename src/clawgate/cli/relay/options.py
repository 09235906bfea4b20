"""Makes a command-line flag of each field of a settings model: its name, help, type and default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from clawgate.settings.fields import plain_type
from clawgate.settings.roles.relay import flag_of

_F = TypeVar("_F", bound=Callable[..., Any])


def settings_options(model: type[BaseModel], *, leave_out: tuple[str, ...] = ()) -> Callable[[_F], _F]:
    """Return a decorator that adds a flag for each field of ``model``; a flag that is not given is None or ()."""

    def add(command: _F) -> _F:
        for name, field in reversed(model.model_fields.items()):
            if name not in leave_out:
                command = _option(name, field)(command)
        return command

    return add


def _option(name: str, field: FieldInfo) -> Callable[[_F], _F]:
    flag = flag_of(name)
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    variables = extra.get("env", [])
    notes = []
    if isinstance(variables, list) and variables:
        notes.append("env var: " + ", ".join(map(str, variables)))
    if isinstance(field.default, int | float | str) and not isinstance(field.default, bool):
        notes.append(
            f"default: {field.default:g}" if isinstance(field.default, float) else f"default: {field.default}"
        )
    elif field.default is True:
        notes.append("default: yes")
    elif field.is_required():
        notes.append("required")
    text = (field.description or "") + (f"  [{'; '.join(notes)}]" if notes else "")
    value_type = plain_type(field.annotation)
    if value_type is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)
    if value_type is tuple:
        return click.option(flag, name, multiple=True, help=text, metavar="TEXT")
    metavar = {int: "NUMBER", float: "NUMBER", SecretStr: "SECRET", dict: "NAME:SECRET,..."}.get(
        value_type, "TEXT"
    )
    return click.option(flag, name, default=None, help=text, metavar=metavar)
