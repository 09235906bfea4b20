"""A count for a Responses client by Anthropic's own: only what is counted is sent, and the result has OpenAI's form."""

from __future__ import annotations

import json

import pytest

from clawgate.errors import InvalidRequest, UpstreamMalformed
from clawgate.wire.dialect import Dialect
from clawgate.wire.translate.compat import Compat
from clawgate.wire.translate.token_count import InputTokensToCountTokens
from clawgate.wire.translate.translator import translation


def counting() -> InputTokensToCountTokens:
    turn = translation(
        Dialect.RESPONSES,
        Dialect.MESSAGES,
        requested_model="x/claude",
        upstream_model="claude-sonnet-4-6",
        created=1,
        unique_id="u",
        compat=Compat(reasoning=True),
    )
    return InputTokensToCountTokens(turn)


def test_only_what_is_counted_is_sent() -> None:
    body = {
        "model": "x/claude",
        "input": "hi",
        "instructions": "Be brief.",
        "max_output_tokens": 50,
        "user": "u",
        "temperature": 0.5,
        "stream": True,
        "reasoning": {"effort": "high"},
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
        "tool_choice": "auto",
    }
    found = counting()
    sent = json.loads(found.translate_request(json.dumps(body).encode()))
    assert sorted(sent) == [
        "messages",
        "model",
        "output_config",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    ]
    assert sent["model"] == "claude-sonnet-4-6" and found.target == b"/v1/messages/count_tokens"
    assert not found.streams


def test_what_the_request_itself_could_not_have_is_rejected() -> None:
    with pytest.raises(InvalidRequest) as caught:
        counting().translate_request(b'{"model":"m","input":"hi","previous_response_id":"resp_1"}')
    assert caught.value.param == "previous_response_id"


def test_the_result_has_the_clients_form() -> None:
    assert json.loads(counting().translate_response(b'{"input_tokens":42,"other":1}')) == {
        "object": "response.input_tokens",
        "input_tokens": 42,
    }
    with pytest.raises(UpstreamMalformed):
        counting().translate_response(b'{"tokens":42}')


def test_an_error_has_the_clients_form() -> None:
    body = b'{"type":"error","error":{"type":"not_found_error","message":"model: x"}}'
    assert json.loads(counting().translate_error(404, body))["error"]["message"] == "model: x"
