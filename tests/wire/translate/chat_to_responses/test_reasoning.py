"""What a client keeps of reasoning becomes the items that it came from, at the provider that made them alone."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.wire.translate.chat_to_responses.reasoning import carried_by_call, gives_encrypted, kept_items
from clawgate.wire.translate.compat import NO_COMPAT, Compat

OURS = {"format": "openai-responses-v1"}
SEALED = {"type": "reasoning.encrypted", "data": "e1", "id": "rs_1", **OURS}
SUMMARY = {"type": "reasoning.summary", "summary": "s1", "id": "rs_1", **OURS}
ITEM = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s1"}]}


@pytest.mark.parametrize(
    "details",
    [
        [SUMMARY, SEALED],
        [SEALED, SUMMARY],
        [{**SUMMARY, "id": None}, SEALED],  # as OpenRouter has it
        [{**SUMMARY, "provider": "tag"}, {**SEALED, "provider": "tag"}],
        ["strange", None, {"type": "reasoning.encrypted"}, SUMMARY, SEALED],
    ],
)
def test_entries_of_one_item_become_the_item(details: list[Any]) -> None:
    assert kept_items(details, "tag") == [ITEM | {"encrypted_content": "e1"}]


def test_pieces_of_a_stream_are_joined() -> None:
    """Some clients keep them as they came; later pieces have no name."""
    pieces = [
        {**SUMMARY, "summary": "s", "index": 0},
        {"type": "reasoning.summary", "summary": "1", "index": 0},
    ]
    assert kept_items([*pieces, {**SEALED, "index": 1}], "") == [ITEM | {"encrypted_content": "e1"}]


def test_what_a_call_carries_counts_where_nothing_else_is_left() -> None:
    """OpenClaw keeps an encrypted entry only if its id is a call's."""
    carried = carried_by_call("call_1", [{"id": "rs_1", "encrypted_content": "e1"}])
    assert carried["id"] == "call_1"
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e1"}
    assert kept_items([carried], "") == [item]
    assert kept_items([carried, SUMMARY, SEALED], "") == [ITEM | {"encrypted_content": "e1"}]
    assert kept_items([{**carried, "provider": "another"}], "tag") == []
    for data in ("", "nonsense", '[{"id":"rs_1"}]', '{"a":1}'):
        assert kept_items([{**carried, "data": data}], "") == []


def test_items_keep_their_order_and_their_entries() -> None:
    second = {**SEALED, "data": "e2", "id": "rs_2"}
    text = {"type": "reasoning.text", "text": "t", "id": "rs_3", **OURS}
    made = kept_items([SUMMARY, SEALED, second, text], "")
    assert [item.get("id") for item in made] == ["rs_1", "rs_2", "rs_3"]
    assert made[1]["summary"] == []
    assert made[2]["content"] == [{"type": "reasoning_text", "text": "t"}]


@pytest.mark.parametrize(
    "detail",
    [
        {**SEALED, "provider": "another"},
        {**SEALED, "format": "anthropic-claude-v1"},
        {**SEALED, "format": "xai-responses-v1"},
        {**SEALED, "data": ""},
        SUMMARY,
    ],
)
def test_what_the_upstream_could_not_read_is_left_out(detail: dict[str, Any]) -> None:
    """Another provider's, another format's, and a summary alone."""
    assert kept_items([detail], "tag") == []


@pytest.mark.parametrize("details", [None, "text", {"a": 1}, 7])
def test_what_is_no_list_is_left_out(details: object) -> None:
    assert kept_items(details, "") == []


@pytest.mark.parametrize(
    ("model", "gives"),
    [
        ("gpt-5", True), ("gpt-5.4-mini", True), ("o3", True), ("openai/gpt-oss-120b", True), ("qwen3", True),
        ("gpt-4o", False), ("openai/gpt-4.1-mini", False), ("chatgpt-4o-latest", False), ("gpt-5-chat-latest", False),
        ("gpt-5.2-chat", False), ("gpt-3.5-turbo", False),
    ],
)  # fmt: skip
def test_encrypted_reasoning_is_requested_of_models_that_reason(model: str, gives: bool) -> None:
    assert gives_encrypted(model, NO_COMPAT) is gives
    assert not gives_encrypted(model, Compat(reasoning=False))
