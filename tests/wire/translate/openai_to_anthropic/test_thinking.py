"""Signed thinking survives the way through a chat client, in each form in which one keeps it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.wire.anthropic.types import ContentBlock
from clawgate.wire.openai.types import AssistantMessage
from clawgate.wire.translate.openai_to_anthropic.thinking import (
    is_signed,
    kept_thinking,
    reasoning_detail,
    thinking_detail,
    thinking_entry,
)

WORDS = st.text('aé🦞"\\\n', max_size=5)
SIGNED = st.builds(lambda text, signature: {"type": "thinking", "thinking": text, "signature": signature}, WORDS,
                   WORDS.filter(bool))  # fmt: skip
REDACTED = st.builds(lambda data: {"type": "redacted_thinking", "data": data}, WORDS.filter(bool))
ENTRIES = st.lists(st.one_of(SIGNED, REDACTED), min_size=1, max_size=3)
MESSAGE = msgspec.json.Decoder(AssistantMessage)


def kept(provider: str = "claude", **fields: Any) -> list[dict[str, object]]:
    message = MESSAGE.decode(msgspec.json.encode({"role": "assistant", "content": "", **fields}))
    return kept_thinking(message, provider)


def as_details(entries: list[dict[str, Any]], provider: str = "claude") -> list[dict[str, object]]:
    return [reasoning_detail(ContentBlock(**entry), provider) for entry in entries]


@given(ENTRIES)
def test_what_a_call_carries_comes_back_as_it_was(entries: list[dict[str, Any]]) -> None:
    carried, details = thinking_detail("toolu_1", entries, "claude"), as_details(entries)
    assert kept(reasoning_details=[carried]) == entries
    assert kept(thinking_blocks=entries) == entries
    assert kept(reasoning_details=details) == entries
    assert kept(reasoning_details=[*details, carried], thinking_blocks=entries) == entries


@given(ENTRIES)
def test_what_one_provider_signed_is_not_sent_to_another(entries: list[dict[str, Any]]) -> None:
    carried, details = thinking_detail("toolu_1", entries, "claude"), as_details(entries)
    assert kept("other", reasoning_details=[carried]) == []
    assert kept("other", reasoning_details=details, thinking_blocks=entries) == []
    named_by_none = [{name: value for name, value in detail.items() if name != "id"} for detail in details]
    assert kept("other", reasoning_details=named_by_none) == entries


@given(SIGNED, st.integers(0, 5))
def test_the_pieces_of_a_stream_come_back_as_one_block(entry: dict[str, Any], cut: int) -> None:
    """As a client keeps them that adds nothing up."""
    text = entry["thinking"]
    first = {"index": 0, **reasoning_detail(ContentBlock("thinking", thinking=text[:cut]), "claude")}
    second = {"index": 0, "type": "reasoning.text", "text": text[cut:]}
    end = {"index": 0, "type": "reasoning.text", "signature": entry["signature"]}
    sealed = {"index": 1, **reasoning_detail(ContentBlock("redacted_thinking", data="d"), "claude")}
    assert kept(reasoning_details=[first, second, end, sealed]) == [
        entry,
        {"type": "redacted_thinking", "data": "d"},
    ]
    assert kept("other", reasoning_details=[first, second, end, sealed]) == []


@pytest.mark.parametrize(
    ("block", "signed"),
    [
        (ContentBlock("thinking", thinking="a", signature="s"), True),
        (ContentBlock("thinking", thinking="a", signature=""), False),
        (ContentBlock("thinking", thinking="a", signature=5), False),
        (ContentBlock("redacted_thinking", data="d"), True),
        (ContentBlock("redacted_thinking"), False),
    ],
)
def test_only_what_is_signed_or_encrypted_is_accepted_back(block: ContentBlock, signed: bool) -> None:
    entry = thinking_entry(block)
    assert is_signed(entry) is signed
    assert bool(kept(thinking_blocks=[entry])) is signed
    assert bool(kept(reasoning_details=[reasoning_detail(block, "claude")])) is signed
