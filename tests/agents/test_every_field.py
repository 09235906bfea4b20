"""Every field of OpenAI's API, as the types of its newest SDK have them, is honoured, refused by name or listed.

A field that a new SDK brings is in none of the sets, and makes a test fail.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typing_extensions
from openai.types.chat import completion_create_params as chat

from clawgate.agents.request.chat_request import PASSED, READ, REFUSED, ChatRequest, read_request
from clawgate.agents.request.images import ImageRules
from clawgate.errors import InvalidRequest

FIELDS = {
    *typing_extensions.get_type_hints(chat.CompletionCreateParamsBase),
    *typing_extensions.get_type_hints(chat.CompletionCreateParamsStreaming),
}
LISTED: dict[str, Any] = {
    "metadata": {"k": "v"},
    "prediction": {"type": "content", "content": "x"},
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "explicit"},
    "prompt_cache_retention": "24h",
    "service_tier": "flex",
    "store": True,
}
REFUSED_VALUES: dict[str, Any] = {
    "audio": {"format": "mp3", "voice": "alloy"},
    "function_call": "auto",
    "functions": [{"name": "f"}],
    "logprobs": True,
    "modalities": ["text", "audio"],
    "moderation": {"model": "omni-moderation-latest"},
    "n": 2,
    "top_logprobs": 3,
    "web_search_options": {},
}
SAMPLES: dict[str, Any] = {"seed": 5, "stop": ["x"], "logit_bias": {"1": 1}, "parallel_tool_calls": False,
                           "response_format": {"type": "json_object"}, "reasoning_effort": "low",
                           "safety_identifier": "u", "verbosity": "low"}  # fmt: skip


def read(**fields: Any) -> ChatRequest:
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}], **fields}).encode()
    return read_request(body, ImageRules())


def test_every_field_of_the_sdk_is_in_one_of_the_sets() -> None:
    assert PASSED | READ | REFUSED.keys() | LISTED.keys() | {"modalities"} == FIELDS
    sets = [PASSED, READ, REFUSED.keys(), LISTED.keys()]
    assert sum(map(len, sets)) == len(set().union(*sets))
    assert REFUSED.keys() <= REFUSED_VALUES.keys()


@pytest.mark.parametrize("name", sorted(LISTED))
def test_a_field_without_effect_is_listed(name: str) -> None:
    request = read(**{name: LISTED[name]})
    assert request.ignored == (name,) and name not in request.options


@pytest.mark.parametrize("name", sorted(REFUSED_VALUES))
def test_a_field_that_would_change_the_response_is_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"`{name}`") as refused:
        read(**{name: REFUSED_VALUES[name]})
    assert refused.value.param == name


@pytest.mark.parametrize("name", sorted(PASSED))
def test_a_field_for_the_model_goes_to_it(name: str) -> None:
    value = SAMPLES.get(name, 0.5)
    request = read(**{name: value})
    assert request.options == {name: value} and request.ignored == ()


def test_the_page_of_the_documentation_lists_them_all() -> None:
    page = (Path(__file__).parents[2] / "docs" / "openai-http-api.md").read_text()
    rows = dict(
        re.findall(r"^\| ([^|]+) \| (`[^|]+) \|$", page.partition("| | fields |")[2], flags=re.MULTILINE)
    )
    found = {name: set(re.findall(r"`(\w+)`", text)) for name, text in rows.items()}
    assert found["honoured by the agent"] == READ
    assert found["sent to the model as they are"] == PASSED
    assert found["400, with the field as `param`"] == REFUSED_VALUES.keys()
    assert found["without effect, listed in `x-clawgate-ignored`"] == LISTED.keys()
