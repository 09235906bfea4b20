"""The shapes of chat completions take what the official SDK sends and what services answer."""

from __future__ import annotations

import msgspec
import pytest

from clawgate.wire.openai import types as chat


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
