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
    thinking_detail,
    thinking_entry,
)

WORDS = st.text('aé🦞"\\\n', max_size=5)
SIGNED = st.builds(lambda text, signature: {"type": "thinking", "thinking": text, "signature": signature}, WORDS,
                   WORDS.filter(bool))  # fmt: skip
REDACTED = st.builds(lambda data: {"type": "redacted_thinking", "data": data}, WORDS.filter(bool))
ENTRIES = st.lists(st.one_of(SIGNED, REDACTED), min_size=1, max_size=3)
MESSAGE = msgspec.json.Decoder(AssistantMessage)


def kept(**fields: Any) -> list[dict[str, object]]:
    return kept_thinking(MESSAGE.decode(msgspec.json.encode({"role": "assistant", "content": "", **fields})))


@given(ENTRIES)
def test_what_a_call_carries_comes_back_as_it_was(entries: list[dict[str, Any]]) -> None:
    assert kept(reasoning_details=[thinking_detail("toolu_1", entries)]) == entries
    assert kept(thinking_blocks=entries) == entries


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
