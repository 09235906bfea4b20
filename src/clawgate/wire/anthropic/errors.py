"""Encodes an error for a client of Anthropic's Messages API. Knows no status codes.

Shape: the error object of the Messages API reference, ``{"type": "error", "error": {"type", "message"}}``; the same
object as an ``error`` event is what the official SDKs raise in the middle of a stream. `code` and `param` are extra
members of the inner object, so that a program can distinguish causes as it can in the OpenAI dialect.
"""

from __future__ import annotations

import msgspec

KINDS = {
    "invalid_request_error": "invalid_request_error",
    "authentication_error": "authentication_error",
    "policy_error": "permission_error",
    "rate_limit_error": "rate_limit_error",
    "service_unavailable": "overloaded_error",
    "upstream_error": "api_error",
    "client_left": "api_error",
    "api_error": "api_error",
}
"""The types of clawgate's errors as Anthropic's. Anthropic's own types stay; an unknown one is an "api_error"."""

NAMED_BY_CODE = {
    "model_not_found": "not_found_error",
    "unknown_route": "not_found_error",
    "body_too_large": "request_too_large",
    "upstream_timed_out": "timeout_error",
    "request_timed_out": "timeout_error",
}
"""Where the code is more specific than the type."""

DETAILS = {
    "thread_unsupported": {"error_code": "thread_unsupported_request", "unsupported": ["model"]},
}
"""The `details` that Anthropic's SDKs act on (read in the Python SDK 2.11), by our code: without a thread they send the
whole conversation."""

OWN = frozenset(
    {
        "invalid_request_error",
        "authentication_error",
        "billing_error",
        "permission_error",
        "not_found_error",
        "request_too_large",
        "rate_limit_error",
        "timeout_error",
        "api_error",
        "overloaded_error",
    }
)
"""The types that Anthropic's reference lists."""


def error_body(*, message: str, kind: str, code: str | None, param: str | None = None) -> bytes:
    """Return the JSON body of an error; ``kind`` is the type in the OpenAI dialect, or one of Anthropic's own."""
    error_type = NAMED_BY_CODE.get(code or "") or (kind if kind in OWN else KINDS.get(kind, "api_error"))
    error: dict[str, object] = {"type": error_type, "message": message}
    if code is not None:
        error["code"] = code
    if param is not None:
        error["param"] = param
    if (details := DETAILS.get(code or "")) is not None:
        error["details"] = details
    return msgspec.json.encode({"type": "error", "error": error})


def error_event(*, message: str, kind: str, code: str | None, param: str | None = None) -> bytes:
    """Return the same object as a server-sent event, with its closing blank line."""
    body = error_body(message=message, kind=kind, code=code, param=param)
    return b"event: error\ndata: " + body + b"\n\n"
