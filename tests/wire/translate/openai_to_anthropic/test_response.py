"""A chat client reads why the model stopped, what it cost and what it said, in the shape of the official SDK."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from clawgate.errors import UpstreamMalformed
from clawgate.wire.anthropic.types import MESSAGES_RESPONSE
from clawgate.wire.translate.openai_to_anthropic import response as chat_answer
from clawgate.wire.translate.openai_to_anthropic.thinking import thinking_detail
from tests.wire.exchanges import NAMES, recorded


def told(**fields: Any) -> dict[str, Any]:
    answer = {"id": "msg_1", "content": [], "stop_reason": "end_turn", **fields}
    return chat_answer.completion(MESSAGES_RESPONSE.decode(json.dumps(answer)), model="m", created=1)


def choice(**fields: Any) -> Any:
    return told(**fields)["choices"][0]


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("chat_")])
def test_the_sdk_reads_every_recorded_response(name: str) -> None:
    read = ChatCompletion.model_validate_json(recorded(name, "answer.json"), strict=True)
    assert len(read.choices) == 1 and read.usage is not None


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", "stop"), ("stop_sequence", "stop"), ("pause_turn", "stop"), ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"), ("tool_use", "stop"), ("refusal", "content_filter"),
        ("something_new", "stop"),
    ],
)  # fmt: skip
def test_a_stop_reason_has_its_finish_reason(stop: str, finish: str) -> None:
    assert choice(stop_reason=stop)["finish_reason"] == finish


@pytest.mark.parametrize("stop", ["tool_use", "end_turn"])
def test_a_call_is_why_the_model_stopped_whatever_it_is_called(stop: str) -> None:
    """A client that waits for "tool_calls" would not run the tool; one that was cut off is not to be run."""
    call = {"type": "tool_use", "id": "1", "name": "f", "input": {}}
    assert choice(stop_reason=stop, content=[call])["finish_reason"] == "tool_calls"
    assert choice(stop_reason="max_tokens", content=[call])["finish_reason"] == "length"


def test_an_empty_response_has_an_empty_text() -> None:
    """Clients read the content of an answer without a call as text."""
    assert choice(content=[])["message"]["content"] == ""


def test_a_response_that_does_not_say_why_it_stopped_is_not_finished() -> None:
    with pytest.raises(UpstreamMalformed, match="stop_reason"):
        told(stop_reason=None)


@pytest.mark.parametrize("usage", [[], "5", {"input_tokens": "a", "output_tokens": None}])
def test_counts_that_make_no_sense_cost_no_response(usage: object) -> None:
    assert told(usage=usage)["usage"]["total_tokens"] == 0


def test_cached_tokens_are_part_of_the_prompt() -> None:
    counts = {
        "input_tokens": 1, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 300, "output_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 4}, "service_tier": "priority",
    }  # fmt: skip
    answer = told(usage=counts)
    assert answer["usage"] == {
        "prompt_tokens": 321,
        "completion_tokens": 5,
        "total_tokens": 326,
        "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 300},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }
    assert answer["service_tier"] == "priority"


def test_a_refusal_keeps_its_reason() -> None:
    refused = choice(stop_reason="refusal", stop_details={"type": "refusal", "explanation": "No."})
    assert refused["message"]["refusal"] == "No." and refused["message"]["content"] is None
    assert choice(stop_details={"explanation": "odd"})["message"]["refusal"] is None


def test_blocks_of_other_types_are_passed_over() -> None:
    blocks = [
        {"type": "server_tool_use", "id": "1", "name": "web_search", "input": {}},
        {"type": "text", "text": "a"},
    ]
    assert choice(content=blocks)["message"]["content"] == "a"


def test_a_call_of_no_tool_is_malformed() -> None:
    with pytest.raises(UpstreamMalformed):
        told(content=[{"type": "tool_use", "id": "1", "input": {}}])


def test_a_call_without_an_id_gets_one() -> None:
    """A tool's result has to name the call that it answers."""
    said = told(
        id=None, content=[{"type": "tool_use", "name": "f"}, {"type": "tool_use", "id": "", "name": "g"}]
    )
    assert [call["id"] for call in said["choices"][0]["message"]["tool_calls"]] == ["call_0", "call_1"]
    named = told(id="msg_7", content=[{"type": "tool_use", "name": "f"}])
    assert named["choices"][0]["message"]["tool_calls"][0]["id"] == "call_msg7_0"


def test_a_tool_call_carries_the_signed_thinking_in_front_of_it() -> None:
    thinking: dict[str, object] = {"type": "thinking", "thinking": "hm", "signature": "s"}
    unsigned = {"type": "thinking", "thinking": "hm", "signature": ""}
    call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    message = choice(content=[thinking, call, {**call, "id": "toolu_2"}])["message"]
    assert message["reasoning_details"][1:] == [thinking_detail("toolu_1", [thinking], "")]
    assert len(choice(content=[unsigned, call])["message"]["reasoning_details"]) == 1


def test_each_thinking_block_is_an_entry_in_the_form_of_open_router() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
    unsigned = {"type": "thinking", "thinking": "oh", "signature": ""}
    sealed = {"type": "redacted_thinking", "data": "d"}
    details = choice(content=[thinking, unsigned, sealed])["message"]["reasoning_details"]
    own = {"format": "anthropic-claude-v1", "id": details[0]["id"]}
    assert details == [
        {"type": "reasoning.text", "text": "hm", "signature": "s", **own},
        {"type": "reasoning.text", "text": "oh", **own},
        {"type": "reasoning.encrypted", "data": "d", **own},
    ]
