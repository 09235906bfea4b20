"""A client of the Messages API reads why the model stopped, what it cost and what it said, as the official SDK does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import Message

from clawgate.errors import UpstreamFailed, UpstreamMalformed
from clawgate.wire.openai.types import CHAT_RESPONSE
from clawgate.wire.translate.anthropic_to_openai import response as messages_answer
from clawgate.wire.translate.chat_upstream.call_ids import CallIds
from clawgate.wire.translate.chat_upstream.tool_names import ToolNames
from tests.wire.exchanges import NAMES, recorded


def told(finish: str | None = "stop", **said: Any) -> dict[str, Any]:
    answer = {"id": "c", "choices": [{"message": said, "finish_reason": finish}]}
    return messages_answer.message(
        CHAT_RESPONSE.decode(json.dumps(answer)), model="m", names=ToolNames(), ids=CallIds()
    )


def call(arguments: str, **more: Any) -> dict[str, Any]:
    return {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}, **more}


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("messages_")])
def test_the_sdk_reads_every_recorded_response(name: str) -> None:
    read = Message.model_validate_json(recorded(name, "answer.json"), strict=True)
    assert read.stop_reason and read.content


@pytest.mark.parametrize(
    ("finish", "called", "refused", "stop"),
    [
        ("stop", False, False, "end_turn"),
        ("stop", True, False, "tool_use"),
        ("tool_calls", True, False, "tool_use"),
        ("tool_calls", False, False, "end_turn"),
        ("function_call", True, False, "tool_use"),
        ("length", True, False, "max_tokens"),
        ("content_filter", False, False, "refusal"),
        ("stop", False, True, "refusal"),
        ("eos", False, False, "end_turn"),
    ],
)
def test_what_the_model_did_decides_why_it_stopped(
    finish: str, called: bool, refused: bool, stop: str
) -> None:
    assert messages_answer.stop_reason(finish, called=called, refused=refused) == stop


def test_cached_tokens_are_counted_beside_the_input() -> None:
    answer = {
        "choices": [{"message": {}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 321, "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 300},
            "completion_tokens_details": {"reasoning_tokens": 4},
        },
    }  # fmt: skip
    assert messages_answer.message(
        CHAT_RESPONSE.decode(json.dumps(answer)), model="m", names=ToolNames(), ids=CallIds()
    )["usage"] == {
        "input_tokens": 1,
        "output_tokens": 5,
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 20,
        "output_tokens_details": {"thinking_tokens": 4},
    }


def test_a_server_that_counts_more_cached_tokens_than_there_were_gives_no_negative_count() -> None:
    counts = CHAT_RESPONSE.decode(
        b'{"choices":[],"usage":{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":2}}}'
    ).usage
    assert messages_answer.usage(counts)["input_tokens"] == 0


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_a_thinking_block_without_a_signature(field: str) -> None:
    blocks = told(content="a", **{field: "hm"})["content"]
    assert blocks[0] == {"type": "thinking", "thinking": "hm", "signature": ""}
    assert blocks[1] == {"type": "text", "text": "a"}


def test_signed_thinking_keeps_its_signature() -> None:
    signed = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
    ]
    assert told(reasoning_content="hm", thinking_blocks=signed)["content"] == signed


def test_a_refusal_is_text_and_the_reason() -> None:
    answer = told(refusal="No.")
    assert answer["content"] == [{"type": "text", "text": "No."}] and answer["stop_reason"] == "refusal"


def test_a_call_that_the_limit_cut_off_is_left_out_and_any_other_broken_one_told_as_it_is() -> None:
    cut = told("length", tool_calls=[call('{"a":1}'), call('{"a":')])
    assert [block["input"] for block in cut["content"]] == [{"a": 1}] and cut["stop_reason"] == "max_tokens"
    assert told("tool_calls", tool_calls=[call('{"a":')])["content"][0]["input"] == {"_raw": '{"a":'}
    with pytest.raises(UpstreamMalformed):
        told("tool_calls", tool_calls=[call("", function=None)])


def test_a_call_without_an_id_gets_one() -> None:
    """As in a stream: the result has to name it."""
    assert [block["id"] for block in told(tool_calls=[call("", id=None), call("")])["content"]] == [
        "call_c_0",
        "1",
    ]


def test_a_call_of_the_old_form_is_a_call() -> None:
    answer = told("function_call", function_call={"name": "f", "arguments": '{"a":1}'})
    assert answer["content"] == [{"type": "tool_use", "id": "call_c_0", "name": "f", "input": {"a": 1}}]
    assert answer["stop_reason"] == "tool_use"


def test_content_in_parts_is_thinking_and_text() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    blocks = told(content=[thought, {"type": "text", "text": "Hi"}])["content"]
    assert blocks == [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "text", "text": "Hi"},
    ]


@pytest.mark.parametrize("counts", [{"prompt_tokens": 5.0}, {"prompt_tokens": "5"}])
def test_counts_are_read_however_they_are_written(counts: object) -> None:
    assert messages_answer.usage(counts)["input_tokens"] == 5


@pytest.mark.parametrize("counts", [[], "five", 5, {"prompt_tokens": [], "prompt_tokens_details": 1}])
def test_counts_that_make_no_sense_read_as_zero(counts: object) -> None:
    assert messages_answer.usage(counts)["input_tokens"] == 0


@pytest.mark.parametrize("finish", [None, ""])
def test_a_response_that_does_not_say_why_it_stopped_is_not_finished(finish: str | None) -> None:
    with pytest.raises(UpstreamMalformed, match="finish_reason"):
        told(finish, content="a")


def test_a_response_that_failed_says_so() -> None:
    with pytest.raises(UpstreamFailed, match="without an error message"):
        told("error", content="a")


def test_a_response_without_a_choice_is_malformed() -> None:
    with pytest.raises(UpstreamMalformed, match="no choices"):
        messages_answer.message(
            CHAT_RESPONSE.decode(b'{"choices":[]}'), model="m", names=ToolNames(), ids=CallIds()
        )
