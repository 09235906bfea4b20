"""What a request says about stored responses is read, or refused; the rest can be translated."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.agents.endpoint import responses_request
from clawgate.agents.endpoint.responses_request import (
    listed_items,
    read_terms,
    run_of,
    translatable,
    without_stand_ins,
)
from clawgate.errors import InvalidRequest, ResponseNotFound

RUN = "0123456789abcdef" * 2


def read(**fields: Any) -> responses_request.ResponseTerms:
    return read_terms(json.dumps({"input": "hi", **fields}).encode())


def test_a_response_is_stored_unless_the_request_says_otherwise() -> None:
    assert read().stores and read(store=True).stores and read(store=None).stores
    assert not read(store=False).stores


@pytest.mark.parametrize("name", ["previous_response_id", "conversation", "store", "background"])
def test_what_says_how_a_response_is_kept_is_not_translated(name: str) -> None:
    value = {"previous_response_id": f"resp_{RUN}", "conversation": "c"}.get(name, True)
    assert read(**{name: value, "temperature": 1}).fields == {"input": "hi", "temperature": 1}


@pytest.mark.parametrize(
    "name", ["resp_x", "", "resp_" + "G" * 32, f"msg_{RUN}", f"resp_{RUN}\n", "resp_../x"]
)
def test_an_id_that_no_response_has_names_none(name: str) -> None:
    with pytest.raises(ResponseNotFound):
        run_of(name)
    assert run_of(f"resp_{RUN}") == RUN


def test_items_are_named_by_their_places() -> None:
    asked = read(input=[{"role": "user", "content": "a"}, {"type": "item_reference", "id": f"fc_{RUN}_2"}])
    assert asked.references == {1: RUN} and asked.needs_stored
    item = {"type": "function_call", "call_id": "c"}
    assert asked.with_items({1: item}).items == [{"role": "user", "content": "a"}, item]
    for wrong in (None, "x", 5, f"fc_{RUN}"):
        with pytest.raises(ResponseNotFound) as caught:
            _ = read(input=[{"type": "item_reference", "id": wrong}]).references
        assert caught.value.param == "input[0].id"


@pytest.mark.parametrize("kind", responses_request._CALLS)
def test_a_result_is_translated_beside_a_stand_in_for_its_call(kind: str) -> None:
    output = {"type": kind, "call_id": "c1", "output": "x"}
    fields, absent = translatable({"input": [output]})
    assert absent == {"c1": "c1"} and fields["input"][1] == output
    assert fields["input"][0]["call_id"] == "c1" and fields["input"][0]["type"].endswith("_call")
    there = [fields["input"][0], output]
    assert translatable({"input": there}) == ({"input": there}, {})
    assert translatable({"input": "text"}) == ({"input": "text"}, {})


def test_stand_ins_are_taken_out_and_nothing_else() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "text"},
        {"role": "assistant", "tool_calls": [{"id": "c1"}]},
        {"role": "tool", "tool_call_id": "c1"},
        {"role": "assistant", "tool_calls": [{"id": "c2"}]},
    ]
    kept = without_stand_ins(messages, {"c1": "c1"})
    assert kept == [messages[0], messages[1], messages[3], messages[4]]
    assert without_stand_ins(messages, {}) == messages


def test_each_listed_item_has_an_id_and_parts() -> None:
    found = listed_items(
        [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"type": "reasoning", "id": "rs_1"},
        ],
        RUN,
    )
    assert [item["id"] for item in found] == [f"msg_{RUN}_i0", f"msg_{RUN}_i1", "rs_1"]
    assert [item["type"] for item in found] == ["message", "message", "reasoning"]
    assert [item["content"][0]["type"] for item in found[:2]] == ["input_text", "output_text"]


@pytest.mark.parametrize(
    "fields",
    [
        {"background": True, "store": False},
        {"previous_response_id": f"resp_{RUN}", "conversation": "c"},
        {"conversation": " "},
        {"conversation": 5},
        {"input": 5},
        {"store": "yes"},
    ],
)
def test_what_contradicts_itself_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    assert caught.value.param in fields
