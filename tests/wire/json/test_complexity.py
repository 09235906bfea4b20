"""A response of many tiny values is rejected before it is read; one with much text is not."""

from __future__ import annotations

import json

import msgspec
import pytest

from clawgate.errors import UpstreamMalformed
from clawgate.wire.json import lenient, strict
from clawgate.wire.json.complexity import MAX_VALUES, UNCHECKED_BYTES, is_too_complex
from clawgate.wire.translate.errors import find_error, parse_error

ANY = msgspec.json.Decoder(object)

MANY = 300_000
HEAVY = {
    "lists": b'{"error":{"message":[' + b"[]," * MANY + b"0]}}",
    "objects": b'{"error":{"message":[' + b"{}," * MANY + b"0]}}",
    "numbers": b'{"error":{"message":[' + b"0," * MANY + b"0]}}",
    "halves of characters": b'{"error":{"message":"' + b"\\ud800" * MANY + b'"}}',
    "halves in capitals": b'{"error":{"message":"' + b"\\uD800" * MANY + b'"}}',
}


@pytest.mark.parametrize("body", HEAVY.values(), ids=list(HEAVY))
def test_many_tiny_values_are_not_read(body: bytes) -> None:
    assert is_too_complex(body)
    with pytest.raises(UpstreamMalformed, match="values"):
        strict.parse_response(body, ANY)
    assert find_error(body) is None
    assert parse_error(body, 500).message.startswith('{"error"')


@pytest.mark.parametrize("kind", ["halves of characters", "halves in capitals"])
def test_many_halves_of_characters_are_not_repaired(kind: str) -> None:
    assert lenient.decode(HEAVY[kind], ANY) is None


def test_a_long_text_is_read() -> None:
    """Whatever a model writes in a response of that length, and an image of 10 MB."""
    prose = "Well, if you ask me [sic], there are {some} of them. " * 20_000
    code = 'rows = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]\n' * 10_000
    for text in (prose, code, "\U0001f99e" * 60_000, "漢" * 300_000, "A" * 10_000_000):
        body = json.dumps({"text": text}).encode()
        assert strict.parse_response(body, ANY) == {"text": text}


def test_a_short_response_is_not_looked_at() -> None:
    body = b"[" + b"0," * (UNCHECKED_BYTES // 2 - 2) + b"0]"
    assert len(body) <= UNCHECKED_BYTES < MAX_VALUES * 2 and not is_too_complex(body)
