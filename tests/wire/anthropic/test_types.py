"""The shapes of the Messages API take what the official SDK sends, and let the API grow."""

from __future__ import annotations

import msgspec
import pytest
from anthropic.types.message_create_params import MessageCreateParamsBase

from clawgate.wire.anthropic import types as messages

NOT_READ = {
    "cache_control",
    "diagnostics",
    "inference_geo",
    "speed",
    "user_profile_id",
    "workspace_id",
}
"""Fields of Anthropic's that have no counterpart and change no kind of answer: each was looked at."""


def test_every_field_of_the_sdk_is_read_or_known_to_be_left_out() -> None:
    """A new field of the API fails here, so that somebody decides about it."""
    ours = set(messages.MessagesRequest.__struct_fields__)
    theirs = set(MessageCreateParamsBase.__annotations__)
    assert theirs - ours == NOT_READ


def test_a_response_may_hold_blocks_and_events_of_types_to_come() -> None:
    block = b'{"id":"m","content":[{"type":"hologram","x":1}],"stop_reason":"bored"}'
    assert messages.MESSAGES_RESPONSE.decode(block).content[0].type == "hologram"
    assert messages.MESSAGES_EVENT.decode(b'{"type":"confetti","n":1}').type == "confetti"


def test_a_request_may_not() -> None:
    body = b'{"max_tokens":1,"messages":[{"role":"user","content":[{"type":"hologram"}]}]}'
    with pytest.raises(msgspec.ValidationError, match="hologram"):
        messages.MESSAGES_REQUEST.decode(body)
