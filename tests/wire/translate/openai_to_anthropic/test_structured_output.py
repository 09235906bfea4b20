"""JSON that a chat client requests is enforced where Anthropic can, and otherwise requested in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.translate.openai_to_anthropic.structured_output import BY_SCHEMA, JSON_ONLY
from clawgate.wire.translate.openai_to_anthropic.translator import ChatToMessages

USER = {"role": "user", "content": "hi"}
SYSTEM = {"role": "system", "content": "be nice"}
NEW, OLD = "claude-sonnet-4-5", "claude-3-5-haiku-latest"
SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer", "minimum": 1},
        "o": {"type": "object", "properties": {"x": {"type": "string"}}},
    },
    "required": ["n"],
}
ACCEPTED = {
    "type": "object",
    "properties": {
        "n": {"type": "integer", "description": "{minimum: 1}"},
        "o": {"type": "object", "properties": {"x": {"type": "string"}}, "additionalProperties": False},
    },
    "required": ["n"],
    "additionalProperties": False,
}
TREE = {"$ref": "#/$defs/t", "$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}}}


def requested(model: str = NEW, *messages: dict[str, Any], **fields: Any) -> Any:
    exchange = ChatToMessages(requested_model="a/m", upstream_model=model, created=1)
    return json.loads(
        exchange.translate_request(json.dumps({"messages": [*messages, USER], **fields}).encode())
    )


def json_schema(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, **more}}


@pytest.mark.parametrize("strict", [None, False, True])
@pytest.mark.parametrize("model", [NEW, "claude-opus-4-7", "local-model"])
def test_a_schema_is_enforced_in_the_form_that_anthropic_accepts(model: str, strict: bool | None) -> None:
    body = requested(model, response_format=json_schema(SCHEMA, strict=strict))
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": ACCEPTED}}
    assert "system" not in body


def test_a_schema_and_an_effort_go_together() -> None:
    body = requested("claude-opus-4-7", response_format=json_schema(SCHEMA), reasoning_effort="low")
    assert body["output_config"].keys() == {"format", "effort"}


def test_the_description_of_a_format_is_kept() -> None:
    body = requested(response_format=json_schema(SCHEMA, description="a count"))
    assert body["output_config"]["format"]["schema"]["description"] == "a count"


@pytest.mark.parametrize(
    ("model", "schema"), [(OLD, SCHEMA), (NEW, TREE)], ids=["old model", "recursive schema"]
)
def test_a_schema_that_cannot_be_enforced_is_in_the_prompt(model: str, schema: dict[str, Any]) -> None:
    body = requested(model, SYSTEM, response_format=json_schema(schema))
    assert "output_config" not in body
    first, last = body["system"]
    assert first["text"] == "be nice" and last["text"].startswith(BY_SCHEMA)
    assert json.loads(last["text"].removeprefix(BY_SCHEMA)) == schema


def test_a_json_object_is_requested_in_the_prompt() -> None:
    assert requested(response_format={"type": "json_object"})["system"] == JSON_ONLY
    body = requested(NEW, SYSTEM, response_format={"type": "json_object"})
    assert [block["text"] for block in body["system"]] == ["be nice", JSON_ONLY]
    assert "system" not in requested(response_format={"type": "text"})


def tool(strict: bool | None, schema: Any = SCHEMA) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "parameters": schema, "strict": strict}}


def test_a_strict_tool_is_enforced_in_the_form_that_anthropic_accepts() -> None:
    (made,) = requested(tools=[tool(True)])["tools"]
    assert made == {"name": "f", "strict": True, "input_schema": ACCEPTED}


@pytest.mark.parametrize("strict", [None, False])
def test_the_schema_of_another_tool_is_kept(strict: bool | None) -> None:
    (made,) = requested(tools=[tool(strict)])["tools"]
    assert made["input_schema"] == SCHEMA and made.get("strict") is strict


@pytest.mark.parametrize(
    ("model", "schema"), [(OLD, SCHEMA), (NEW, TREE)], ids=["old model", "recursive schema"]
)
def test_a_strict_tool_that_cannot_be_enforced_is_not_strict(model: str, schema: dict[str, Any]) -> None:
    (made,) = requested(model, tools=[tool(True, {"type": "object", **schema})])["tools"]
    assert "strict" not in made and made["input_schema"]["type"] == "object"


@pytest.mark.parametrize("field", ["response_format", "tools[0].function.parameters"])
def test_a_schema_that_is_too_deep_is_rejected_by_its_name(field: str) -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    for _ in range(200):
        schema = {"type": "object", "properties": {"a": schema}}
    fields: dict[str, Any] = {"response_format": json_schema(schema)}
    with pytest.raises(InvalidRequest) as refused:
        requested(**(fields if field == "response_format" else {"tools": [tool(True, schema)]}))
    assert refused.value.param == field
