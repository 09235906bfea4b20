"""An error is Anthropic's error object, as an answer and as one event, whatever its message holds."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from anthropic.types.shared.error_type import ErrorType

from clawgate.wire.anthropic.errors import KINDS, NAMED_BY_CODE, OWN, error_body, error_event
from tests.wire.event_stream import dispatched

MESSAGES = [
    "plain",
    "",
    'quotes " and \\',
    "line\nbreak\r\n\r\nevent: message_stop",
    "\u2028\x00",
    "ü" * 3000,
]


@pytest.mark.parametrize("message", MESSAGES)
def test_the_body_is_the_error_object_with_our_code(message: str) -> None:
    body = error_body(message=message, kind="api_error", code="internal_error")
    assert json.loads(body) == {
        "type": "error",
        "error": {"type": "api_error", "message": message, "code": "internal_error"},
    }


@pytest.mark.parametrize("message", MESSAGES)
def test_the_event_is_one_event_with_the_same_object(message: str) -> None:
    """No message can end the event early or begin another one."""
    event = error_event(message=message, kind="policy_error", code="c", param="model")
    (data,) = dispatched(event)
    assert event.startswith(b"event: error\ndata: ") and event.endswith(b"\n\n")
    assert json.loads(data)["error"] == {
        "type": "permission_error", "message": message, "code": "c", "param": "model"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "code", "named"),
    [
        ("invalid_request_error", "invalid_request", "invalid_request_error"),
        ("invalid_request_error", "model_not_found", "not_found_error"),
        ("invalid_request_error", "body_too_large", "request_too_large"),
        ("upstream_error", "upstream_timed_out", "timeout_error"),
        ("upstream_error", "upstream_closed", "api_error"),
        ("service_unavailable", "overloaded", "overloaded_error"),
        ("overloaded_error", None, "overloaded_error"),
        ("never_heard_of", None, "api_error"),
    ],
)
def test_an_error_type_is_one_of_anthropics(kind: str, code: str | None, named: str) -> None:
    assert json.loads(error_body(message="m", kind=kind, code=code))["error"]["type"] == named


def test_every_name_is_one_that_the_sdk_or_the_reference_knows() -> None:
    assert set(KINDS.values()) | set(NAMED_BY_CODE.values()) <= OWN
    assert set(get_args(ErrorType)) >= OWN - {"request_too_large"}
