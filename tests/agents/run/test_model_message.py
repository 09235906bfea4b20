"""A model's message in the shapes that servers give it: one shape, and nothing that another model rejects."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.agents.run.model_message import delta_text, message_of, with_short_ids
from clawgate.agents.run.step import Completion, Usage, calls_of
from clawgate.errors import UpstreamMalformed


@pytest.mark.parametrize(
    ("arguments", "text"),
    [("{}", "{}"), ({"x": 1}, '{"x": 1}'), (None, ""), (5, ""), ("{no json", "{no json")],
    ids=str,
)
def test_arguments_are_a_text(arguments: Any, text: str) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}
    made = message_of({"role": "assistant", "content": None, "tool_calls": [call]})
    assert made["tool_calls"][0]["function"]["arguments"] == text == calls_of(made)[0].arguments


def test_a_call_without_a_name_is_no_call() -> None:
    with pytest.raises(UpstreamMalformed):
        message_of({"role": "assistant", "tool_calls": [{"id": "a", "function": {"arguments": "{}"}}]})


def test_what_only_its_own_api_knows_is_left_out() -> None:
    kept = {"role": "assistant", "content": "a", "reasoning_content": "b"}
    assert message_of({**kept, "annotations": [{}], "audio": {"id": "x"}, "weird": 1}) == kept


@pytest.mark.parametrize("refusal", ["I cannot", 5], ids=str)
def test_a_refusal_is_a_text(refusal: object) -> None:
    completion = Completion(message_of({"role": "assistant", "refusal": refusal}), "stop", Usage())
    assert completion.refusal == ("I cannot" if refusal != 5 else "")


@pytest.mark.parametrize(
    "choices", [None, [], {}, [None], [{}], [{"delta": None}], [{"delta": [1]}]], ids=str
)
def test_a_chunk_without_a_text_has_none(choices: Any) -> None:
    assert delta_text({"choices": choices}) == ""


@pytest.mark.parametrize(("size", "stays"), [(40, True), (41, False), (200, False)])
def test_a_long_id_is_short_for_the_call_and_its_result_where_it_is_sent(size: int, stays: bool) -> None:
    """OpenAI rejects one of more than 40 characters: a fallback cannot continue what another provider began."""
    ids = ["a" * size, "a" * size + "b"]
    history: list[dict[str, Any]] = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [{"id": one, "type": "function"} for one in ids]},
        *({"role": "tool", "tool_call_id": one, "content": "ok"} for one in ids),
    ]
    user, assistant, *results = with_short_ids(history)
    sent = [call["id"] for call in assistant["tool_calls"]]
    assert sent == [result["tool_call_id"] for result in results] and len(set(sent)) == 2
    assert max(map(len, sent)) <= 40 and (sent[0] == ids[0]) is stays
    assert user == history[0] and history[1]["tool_calls"][0]["id"] == ids[0]
