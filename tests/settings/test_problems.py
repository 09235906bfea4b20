"""A problem is one line that names its place."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.problems import SettingsInvalid, format_message


def test_all_problems_are_in_the_text_of_the_exception() -> None:
    error = SettingsInvalid([Diagnostic(("a",), "x"), Diagnostic(("b",), "y")])
    assert str(error) == "a: x; b: y" and len(error.problems) == 2


@pytest.mark.parametrize(
    ("kind", "value"), [(int, "x"), (int, 1.5), (bool, "x"), (str, 5), (tuple, 5), (dict, 5)]
)
def test_a_wrong_type_is_told_in_our_words_and_without_its_value(kind: type, value: object) -> None:
    class One(BaseModel):
        it: kind  # type: ignore[valid-type]  # it is the parameter of the test

    with pytest.raises(ValidationError) as caught:
        One.model_validate({"it": value})
    said = format_message(caught.value.errors()[0])
    assert said.startswith("must be ") and repr(value) not in said


def test_what_is_missing_is_called_missing() -> None:
    class One(BaseModel):
        it: int

    with pytest.raises(ValidationError) as caught:
        One.model_validate({})
    assert format_message(caught.value.errors()[0]) == "is missing"
