"""Collects all validation problems of settings, each with its key path.

Must not contain values: pydantic's input is left out of its messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.key_path import KeyPath

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

INCLUDE = "$include"
"""The key with which OpenClaw reads a part of its file from another one."""

DOCUMENT = "of_the_document"
"""The type of a pydantic error that is about no one setting, whichever field reports it."""

_MESSAGES = {
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be an object, or name:value pairs",
    "model_type": "must be an object",
    "string_type": "must be text",
    "string_too_short": "is empty",
    "missing": "is missing",
}
"""By pydantic's error type."""


class SettingsInvalid(Exception):
    """The settings cannot be used; ``problems`` holds every reason."""

    def __init__(self, problems: list[Diagnostic]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems

    @classmethod
    def at(cls, location: object, message: str, fix: str = "") -> Self:
        """Return the error for one problem of a file, a folder or a flag."""
        return cls([Diagnostic((), message, fix=fix, location=str(location))])


def include_problem(path: KeyPath) -> Diagnostic:
    """Return the problem of an `INCLUDE` in the object at ``path``: without that file nothing is known of it."""
    fix = "move what it names into this file"
    return Diagnostic((*path, INCLUDE), "is not supported", fix=fix)


def format_message(detail: ErrorDetails) -> str:
    """Return a pydantic error in the words of this project, without its input, which may be a secret."""
    message = _MESSAGES.get(detail["type"], detail["msg"].removeprefix("Value error, "))
    message = message.replace("Input should be ", "must be ")
    return message[0].lower() + message[1:]
