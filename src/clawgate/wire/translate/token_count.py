"""Translates a request to count the tokens of a Responses request, for an upstream that counts those of Messages."""

from __future__ import annotations

import msgspec

from clawgate.wire.dialect import Dialect
from clawgate.wire.json import strict
from clawgate.wire.token_estimate import counted
from clawgate.wire.translate.exchange import TranslatedStream, Translation, read_response
from clawgate.wire.translate.same_dialect import COUNT_TOKENS

_FIELDS = frozenset(
    {
        "cache_control",
        "messages",
        "model",
        "output_config",
        "speed",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    }
)
"""Anthropic rejects any other one there (its API reference, 2026-11)."""


class _Count(msgspec.Struct):
    input_tokens: int


_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_count = msgspec.json.Decoder(_Count)


class InputTokensToCountTokens(Translation):
    """``turn`` is the translation of the request itself, whose tokens are counted."""

    target = COUNT_TOKENS

    def __init__(self, turn: Translation) -> None:
        self._turn = turn

    def translate_request(self, body: bytes) -> bytes:
        fields = _members.decode(self._turn.translate_request(body))
        return strict.encode_request({name: value for name, value in fields.items() if name in _FIELDS})

    def translate_response(self, body: bytes) -> bytes:
        return counted(read_response(body, _count).input_tokens, Dialect.RESPONSES)

    def response_as_stream(self, body: bytes) -> bytes:
        return self.translate_response(body)  # a count is never streamed

    def translate_error(self, status: int, body: bytes) -> bytes:
        return self._turn.translate_error(status, body)

    def error_event(self) -> bytes:
        return self._turn.error_event()

    @property
    def _streamed(self) -> TranslatedStream:
        return self._turn._streamed
