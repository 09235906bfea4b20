"""Requests are read as OpenAI documents them, and what an upstream sends leniently."""

from __future__ import annotations

import msgspec
import pytest

from clawgate.errors import InvalidRequest
from clawgate.wire.json import strict
from clawgate.wire.responses import types as responses


def test_a_request_is_read_with_text_and_with_items() -> None:
    for given in ("hi", [{"role": "user", "content": "hi"}]):
        body = msgspec.json.encode({"model": "m", "input": given, "unknown": 1})
        assert strict.parse_request(body, responses.RESPONSES_REQUEST).input == given


def test_a_wrong_type_is_rejected_with_its_path() -> None:
    with pytest.raises(InvalidRequest) as caught:
        strict.parse_request(b'{"input":"x","text":{"format":{"type":7}}}', responses.RESPONSES_REQUEST)
    assert caught.value.param == "text.format.type"


def test_events_and_items_of_any_type_are_read() -> None:
    event = strict.parse_response(
        b'{"type":"response.new","item":{"type":"new_item","id":7,"content":[{"type":"new"}]},"output_index":"1"}',
        responses.RESPONSES_EVENT,
    )
    assert (
        event.item == {"type": "new_item", "id": 7, "content": [{"type": "new"}]}
        and event.output_index == "1"
    )
