"""The shapes of chat completions take what the official SDK sends and what services answer."""

from __future__ import annotations

from typing import get_type_hints

import msgspec
import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsBase

from clawgate.wire.openai import types as chat

NOT_READ = {
    "audio", "frequency_penalty", "logit_bias", "metadata", "moderation", "prediction", "presence_penalty",
    "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "seed", "store", "top_logprobs", "verbosity",
}  # fmt: skip
"""Fields of OpenAI's that have no counterpart and change no kind of answer: each was looked at."""


def test_every_field_of_the_sdk_is_read_or_known_to_be_left_out() -> None:
    """A new field of the API fails here, so that somebody decides about it."""
    ours = set(chat.ChatRequest.__struct_fields__)
    theirs = set(CompletionCreateParamsBase.__annotations__)
    assert theirs - ours == NOT_READ
    assert get_type_hints(chat.ChatRequest)


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices":[{"index":0,"delta":{},"finish_reason":null,"logprobs":null}],"usage":null,"obfuscation":"x"}',
        b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":null,"total_tokens":1}}',
        b'{"id":null,"choices":null}',
        b'{"error":"text"}',
        b'{"error":{"message":"m","code":502}}',
    ],
)
def test_a_chunk_is_read_as_loosely_as_servers_write_it(body: bytes) -> None:
    assert isinstance(chat.CHAT_CHUNK.decode(body), chat.ChatCompletionChunk)


def test_an_unknown_role_or_part_is_rejected() -> None:
    for message in (b'{"role":"robot","content":"a"}', b'{"role":"user","content":[{"type":"smell"}]}'):
        with pytest.raises(msgspec.ValidationError):
            chat.CHAT_REQUEST.decode(b'{"messages":[' + message + b"]}")
