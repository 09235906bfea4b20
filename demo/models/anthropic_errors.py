"""Anthropic's errors, and those that a model id requests (`error-<status>`). Must not know a web framework.

Types by status: the Messages API reference, "Errors".
"""

from __future__ import annotations

import json

from demo.models.openai_chat import Body

KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
RETRY_AFTER = "7"


class MessagesError(Exception):
    """An error in Anthropic's shape; `status` is the HTTP status, which decides on the type."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}

    def body(self, request_id: str) -> dict[str, object]:
        """Return the body of the error response."""
        kind = KINDS.get(self.status) or ("invalid_request_error" if self.status < 500 else "api_error")
        return {"type": "error", "error": {"type": kind, "message": self.message}, "request_id": request_id}


def invalid(message: str) -> MessagesError:
    """What is wrong with a request, as 400."""
    return MessagesError(400, message)


def parse(data: bytes) -> Body:
    """The request's JSON object with its `model`; MessagesError 400 otherwise."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise invalid("The request body is not valid JSON") from None
    if not isinstance(body, dict):
        raise invalid("Input should be a valid dictionary or object")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise invalid("model: Field required")
    return body


def refuse_by_model_id(model: str) -> None:
    """Raise the error that a model id `error-<status>` requests."""
    prefix, _, digits = model.partition("-")
    if prefix != "error" or not digits.isdecimal() or not 400 <= int(digits) <= 599:
        return
    status = int(digits)
    if status == 429:
        limit = {"anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": "0"}
        headers = {"retry-after": RETRY_AFTER, "anthropic-ratelimit-requests-reset": "2030-01-01T00:00:00Z"}
        raise MessagesError(429, "This request would exceed your rate limit", {**limit, **headers})
    raise MessagesError(
        status, "Overloaded" if status == 529 else f"status {status}, as the model id requests"
    )
