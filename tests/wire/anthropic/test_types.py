"""The shapes of the Messages API take what the official SDK sends, and let the API grow."""

from __future__ import annotations

import msgspec
import pytest

from clawgate.wire.anthropic import types as messages


def test_a_response_may_hold_blocks_and_events_of_types_to_come() -> None:
    block = b'{"id":"m","content":[{"type":"hologram","x":1}],"stop_reason":"bored"}'
    assert messages.MESSAGES_RESPONSE.decode(block).content[0].type == "hologram"
    assert messages.MESSAGES_EVENT.decode(b'{"type":"confetti","n":1}').type == "confetti"


def test_a_request_may_not() -> None:
    body = b'{"max_tokens":1,"messages":[{"role":"user","content":[{"type":"hologram"}]}]}'
    with pytest.raises(msgspec.ValidationError, match="hologram"):
        messages.MESSAGES_REQUEST.decode(body)
