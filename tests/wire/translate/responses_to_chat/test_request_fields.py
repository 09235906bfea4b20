"""Fields keep their meaning, are rejected by name, or are reported. The table of all is in test_every_field."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.responses.types import ResponsesRequest
from clawgate.wire.translate.compat import Compat
from clawgate.wire.translate.responses_to_chat import request_fields

OPTIONAL = {"type": "object", "properties": {"a": {"type": "string"}}}


def request(**fields: Any) -> ResponsesRequest:
    return msgspec.convert(fields, ResponsesRequest)


def sampling(**fields: Any) -> dict[str, Any]:
    return request_fields.sampling_fields(request(**fields), "max_tokens")


@pytest.mark.parametrize(
    ("wanted", "becomes"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "json_object"}),
        ({"type": "json_schema", "name": "n", "description": "d", "schema": OPTIONAL, "strict": True},
         {"type": "json_schema",
          "json_schema": {"name": "n", "description": "d", "schema": OPTIONAL, "strict": False}}),
        ({"type": "json_schema", "schema": {"type": "object", "properties": {}}, "strict": True},
         {"type": "json_schema", "json_schema": {
             "name": "response", "strict": True,
             "schema": {"type": "object", "properties": {}, "additionalProperties": False}}}),
    ],
)  # fmt: skip
def test_the_format_of_the_output_is_strict_where_openai_accepts_that(
    wanted: object, becomes: object
) -> None:
    assert sampling(text={"format": wanted}).get("response_format") == becomes


@pytest.mark.parametrize("wanted", [{"type": "grammar"}, {"type": "json_schema"}])
def test_another_format_is_rejected(wanted: object) -> None:
    with pytest.raises(InvalidRequest, match=r"text\.format"):
        sampling(text={"format": wanted})


def test_the_default_of_the_verbosity_is_not_sent() -> None:
    assert (
        sampling(text={"verbosity": "low"}) == {"verbosity": "low"}
        and sampling(text={"verbosity": "medium"}) == {}
    )


def test_a_cache_key_is_sent_to_servers_that_are_known_to_take_it() -> None:
    """Codex sends one in each request, and several servers reject fields that they do not know."""
    keyed = request(prompt_cache_key="k", prompt_cache_retention="24h")
    assert request_fields.cache_fields(keyed, Compat()) == {}
    known = Compat(supports_prompt_cache_key=True, supports_long_cache_retention=True)
    assert request_fields.cache_fields(keyed, known) == {
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
    }


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        ({"store": False, "truncation": "disabled", "stream_options": {"include_obfuscation": False}}, []),
        ({"store": True, "truncation": "auto", "stream_options": {"include_obfuscation": True}},
         ["store", "stream_options", "truncation"]),
        ({"include": ["reasoning.encrypted_content", "file_search_call.results"]},
         ["include.file_search_call.results"]),
    ],
)  # fmt: skip
def test_what_asks_for_nothing_is_not_reported(fields: dict[str, Any], ignored: list[str]) -> None:
    assert request_fields.ignored_fields(request(**fields), [*fields]) == ignored


def test_what_needs_a_store_is_rejected_with_the_way_to_do_without() -> None:
    for name in ("previous_response_id", "conversation"):
        with pytest.raises(InvalidRequest, match=r"send .* in 'input'") as caught:
            request_fields.check_supported(request(**{name: "x"}))
        assert caught.value.param == name
    request_fields.check_supported(request(background=False, top_logprobs=0, previous_response_id=None))
