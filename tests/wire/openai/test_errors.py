"""An error is the OpenAI error object, as an answer and as one event, whatever its message holds."""

from __future__ import annotations

import json

import pytest

from clawgate.wire.openai.errors import error_body, error_event
from tests.wire.event_stream import dispatched

MESSAGES = [
    "plain",
    "",
    'quotes " and \\',
    "line\nbreak\r\n\r\ndata: [DONE]",
    "\u2028\u0085\x00\ufffd",
    "ü" * 3000,
]


@pytest.mark.parametrize("message", MESSAGES)
def test_the_body_is_the_error_object(message: str) -> None:
    """Exactly the four members that the API reference names, ``param`` null where there is none."""
    body = error_body(message=message, kind="api_error", code="internal_error")
    assert json.loads(body) == {
        "error": {"message": message, "type": "api_error", "code": "internal_error", "param": None}
    }


@pytest.mark.parametrize("message", MESSAGES)
def test_the_event_is_one_event_with_the_same_object(message: str) -> None:
    """No message can end the event early or begin another one."""
    event = error_event(message=message, kind="k", code="c", param="model")
    (data,) = dispatched(event)
    assert json.loads(data)["error"] == {"message": message, "type": "k", "code": "c", "param": "model"}
    assert event.endswith(b"\n\n")
