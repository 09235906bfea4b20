"""Limits, formats and efforts of a chat request in the Responses API's form."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.translate.chat_to_responses import request_fields
from clawgate.wire.translate.chat_to_responses.request_types import CHAT_REQUEST, ChatRequest
from clawgate.wire.translate.compat import NO_COMPAT, Compat

SCHEMA = {"type": "object", "properties": {}}


def request(**members: Any) -> ChatRequest:
    return CHAT_REQUEST.decode(msgspec.json.encode({"messages": [], **members}))


def fields_of(**members: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    request_fields.set_fields(request(**members), fields)
    return fields


@pytest.mark.parametrize(("limit", "sent"), [(1, 16), (15, 16), (16, 16), (500, 500)])
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_limit_is_at_least_what_openai_accepts(name: str, limit: int, sent: int) -> None:
    assert fields_of(**{name: limit})["max_output_tokens"] == sent
    with pytest.raises(InvalidRequest) as rejected:
        request_fields.check_supported(request(**{name: 0}))
    assert rejected.value.param == name


@pytest.mark.parametrize(("store", "sent"), [(None, False), (False, False), (True, True)])
def test_nothing_is_stored_unless_the_client_requests_it(store: bool | None, sent: bool) -> None:
    assert fields_of(store=store) == {"store": sent}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"type": "text"}, {"type": "text"}),
        ({"type": "json_object"}, {"type": "json_object"}),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
            {"type": "json_schema", "name": "n", "schema": SCHEMA},
        ),
        (
            {"type": "json_schema", "json_schema": {"schema": SCHEMA, "strict": True, "description": "d"}},
            {
                "type": "json_schema",
                "name": "response",
                "schema": SCHEMA,
                "strict": True,
                "description": "d",
            },
        ),
    ],
)
def test_the_format_is_one_of_the_text(given: Any, sent: Any) -> None:
    assert fields_of(response_format=given, verbosity="low")["text"] == {"format": sent, "verbosity": "low"}


@pytest.mark.parametrize("given", [{"type": "json_schema"}, {"type": "xml"}])
def test_another_format_is_rejected(given: Any) -> None:
    with pytest.raises(InvalidRequest) as rejected:
        fields_of(response_format=given)
    assert rejected.value.param == "response_format"


def test_probabilities_are_included_on_request() -> None:
    fields = fields_of(logprobs=True, top_logprobs=3)
    assert fields["include"] == ["message.output_text.logprobs"] and fields["top_logprobs"] == 3
    assert "include" not in fields_of(logprobs=False)


def test_padding_against_eavesdroppers_is_the_client_s_choice() -> None:
    assert fields_of(stream=True, stream_options={"include_obfuscation": False})["stream_options"] == {
        "include_obfuscation": False
    }
    assert "stream_options" not in fields_of(stream=True, stream_options={"include_usage": True})


@pytest.mark.parametrize(
    ("effort", "compat", "sent"),
    [
        ("high", NO_COMPAT, {"effort": "high", "summary": "auto"}),
        ("none", NO_COMPAT, {"effort": "none"}),
        ("xhigh", Compat(supported_reasoning_efforts=("low", "high")), {"effort": "high", "summary": "auto"}),
        ("low", Compat(reasoning_effort_map={"low": "fast"}), {"effort": "fast", "summary": "auto"}),
    ],
)
def test_an_effort_asks_for_a_summary_that_the_client_can_show(
    effort: str, compat: Compat, sent: object
) -> None:
    fields: dict[str, Any] = {}
    assert request_fields.set_reasoning(request(reasoning_effort=effort), fields, compat)
    assert fields["reasoning"] == sent


@pytest.mark.parametrize("compat", [Compat(reasoning=False), Compat(supports_reasoning_effort=False)])
@pytest.mark.parametrize(("effort", "is_taken"), [("high", False), ("none", True), (None, True)])
def test_a_model_without_efforts_gets_none(compat: Compat, effort: str | None, is_taken: bool) -> None:
    fields: dict[str, Any] = {}
    assert request_fields.set_reasoning(request(reasoning_effort=effort), fields, compat) is is_taken
    assert fields == {}


def test_fields_without_effect_are_named() -> None:
    assert request_fields.ignored_fields(["stop", "seed", "messages", "of_next_year", "store"]) == [
        "of_next_year", "seed", "stop"
    ]  # fmt: skip
