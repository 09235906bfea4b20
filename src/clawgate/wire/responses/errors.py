"""Encodes an error for a client of the Responses API. Knows no status codes.

A body is as in all of OpenAI's APIs, see `wire.openai.errors`. In a stream there are two events. `error`: OpenAI's
reference has its members at the top, its SDKs and the OpenResponses specification read them within `error`, so both are
sent; the SDKs raise it. `response.failed`: the response as far as it came, with the error in it; Codex reads that one.
"""

from __future__ import annotations

import msgspec

CODES = frozenset(
    {
        "server_error", "rate_limit_exceeded", "invalid_prompt", "insufficient_quota", "context_length_exceeded",
        "server_is_overloaded", "model_not_found",
    }
)  # fmt: skip
"""Codes of `response.error` that clients act on, OpenAI's own among them; any other failure is a server error."""

_BY_KIND = {
    "rate_limit_error": "rate_limit_exceeded",
    "insufficient_quota": "insufficient_quota",
    "invalid_request_error": "invalid_prompt",
    "service_unavailable": "server_is_overloaded",
}


def response_error(*, message: str, kind: str | None, code: str | None) -> dict[str, str]:
    """Return the `error` of a failed response; ``kind`` is the error's type in OpenAI's dialect."""
    return {
        "code": code if code in CODES else _BY_KIND.get(kind or "", "server_error"),
        "message": message,
    }


def error_event(
    *, message: str, kind: str, code: str | None, param: str | None = None, sequence_number: int = 0
) -> bytes:
    """Return the `error` event, with its closing blank line."""
    inner = {"type": kind, "code": code, "message": message, "param": param}
    event = {
        "type": "error",
        "sequence_number": sequence_number,
        "code": code,
        "message": message,
        "param": param,
        "error": inner,
    }
    return b"event: error\ndata: " + msgspec.json.encode(event) + b"\n\n"
