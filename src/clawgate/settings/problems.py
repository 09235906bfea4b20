"""How is it told that settings cannot be used? All reasons at once, each with its place; never with a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clawgate.settings.diagnostic import Diagnostic

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

DOCUMENT = "of_the_whole"
"""The type of a pydantic error that speaks of no one setting, wherever it was found."""
_PLAIN_WORDS = {
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a number, and no infinite one",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be an object, or name:value pairs",
    "model_type": "must be an object",
    "string_type": "must be text",
    "string_too_short": "is empty",
    "missing": "is missing",
}


class SettingsInvalid(Exception):
    """The settings cannot be used; ``problems`` holds every reason."""

    def __init__(self, problems: list[Diagnostic]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def worded(detail: ErrorDetails) -> str:
    """One pydantic error in our words; its input is left out, for it may be a secret."""
    message = _PLAIN_WORDS.get(detail["type"], detail["msg"].removeprefix("Value error, "))
    message = message.replace("Input should be ", "must be ")
    return message[0].lower() + message[1:]
