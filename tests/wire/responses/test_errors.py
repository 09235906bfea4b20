"""An error in a stream is read by OpenAI's SDK, and a failed response names a code that clients act on."""

from __future__ import annotations

import json

import pytest
from openai.types.responses import ResponseErrorEvent

from clawgate.wire.responses import errors


def test_the_error_event_has_its_members_at_both_places() -> None:
    """The SDK raises what is within `error`; the reference has the members at the top."""
    raw = errors.error_event(message="it broke", kind="api_error", code="c", sequence_number=4)
    assert raw.startswith(b"event: error\ndata: ") and raw.endswith(b"\n\n")
    data = json.loads(raw.partition(b"data: ")[2])
    event = ResponseErrorEvent.model_validate(data)
    assert (event.message, event.code, event.sequence_number) == ("it broke", "c", 4)
    assert data["error"] == {"type": "api_error", "code": "c", "message": "it broke", "param": None}


@pytest.mark.parametrize(
    ("kind", "code", "shown"),
    [
        ("rate_limit_error", None, "rate_limit_exceeded"),
        ("insufficient_quota", "x", "insufficient_quota"),
        ("invalid_request_error", "context_length_exceeded", "context_length_exceeded"),
        ("invalid_request_error", "other", "invalid_prompt"),
        ("upstream_error", "upstream_closed", "server_error"),
        (None, None, "server_error"),
    ],
)
def test_a_failed_response_has_a_code_that_clients_know(
    kind: str | None, code: str | None, shown: str
) -> None:
    assert errors.response_error(message="m", kind=kind, code=code) == {"code": shown, "message": "m"}
