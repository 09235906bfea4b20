"""Params are read in the types of the contract, and what is wrong with them is said in its words."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
import pytest

from clawgate.control.websocket.params import Count, NonEmpty, Params, ParamsReader, Positive
from clawgate.errors import InvalidRequest


class Sample(Params, frozen=True):
    key: NonEmpty
    limit: Positive = 10
    offset: Count = 0
    max_chars: Annotated[int, msgspec.Meta(le=50)] = 50
    view: Literal["a", "b"] = "a"
    model: NonEmpty | msgspec.UnsetType | None = msgspec.UNSET
    keys: Annotated[list[NonEmpty], msgspec.Meta(min_length=1)] | msgspec.UnsetType = msgspec.UNSET


READER = ParamsReader(Sample, {bool: "includeLast", str: "lane"}, {str: "to", dict[str, Any]: "bindings"})


def read(params: object) -> Sample:
    return READER.read(json.dumps(params).encode())


def test_what_has_no_effect_is_accepted_in_its_type() -> None:
    found = read({"key": "k", "maxChars": 3, "includeLast": True, "lane": "main"})
    assert (found.key, found.limit, found.max_chars, found.model) == ("k", 10, 3, msgspec.UNSET)


@pytest.mark.parametrize("empty", [{"to": ""}, {"bindings": {}}])
def test_what_is_not_available_may_be_there_without_a_value(empty: dict[str, Any]) -> None:
    assert read({"key": "k", **empty}).key == "k"


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({}, "must have required property 'key'"),
        ([], "must be object"),
        ({"key": ""}, "at /key: must not have fewer than 1 characters"),
        ({"key": None}, "at /key: must be string"),
        ({"key": "k", "limit": 0}, "at /limit: must be >= 1"),
        ({"key": "k", "limit": True}, "at /limit: must be integer"),
        ({"key": "k", "offset": -1}, "at /offset: must be >= 0"),
        ({"key": "k", "maxChars": 51}, "at /maxChars: must be <= 50"),
        ({"key": "k", "view": "c"}, "at /view: must be equal to one of the allowed values"),
        ({"key": "k", "model": 3}, "at /model: must be string or null"),
        ({"key": "k", "keys": []}, "at /keys: must not have fewer than 1 items"),
        ({"key": "k", "keys": ["a", ""]}, "at /keys/1: must not have fewer than 1 characters"),
        ({"key": "k", "zz": 1}, "at root: unexpected property 'zz'"),
        ({"key": "k", "max_chars": 1}, "at root: unexpected property 'max_chars'"),
        ({"key": "k", "lane": 3}, "at /lane: must be string"),
        ({"key": "k", "to": "x"}, "at /to: not available here; leave it out"),
        ({"key": "k", "bindings": {"a": 1}}, "at /bindings: not available here; leave it out"),
    ],
    ids=str,
)
def test_params_that_are_wrong_are_refused_with_their_place(params: object, problem: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(params)
    assert refused.value.message == problem


def test_a_long_name_is_abbreviated_in_the_message() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read({"key": "k", "z" * 10_000: 1})
    assert len(refused.value.message) < 300
