"""OpenAI's errors, and those that a model id requests (`error-<status>`). Must not know a web framework."""

from __future__ import annotations

import json
from http import HTTPStatus

from demo.models.openai_chat import Body


class ModelError(Exception):
    """An error in OpenAI's shape; `status` is the HTTP status."""

    def __init__(
        self,
        status: int,
        message: str,
        kind: str = "invalid_request_error",
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


def parse(data: bytes) -> Body:
    """The request's JSON object with its `model`; ModelError 400 otherwise."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise ModelError(400, "We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise ModelError(400, "The body of your request is not a JSON object.")
    if not isinstance(body.get("model"), str):
        raise ModelError(400, "you must provide a model parameter", param="model")
    return body


def refuse_by_model_id(body: Body) -> None:
    """Raise the error that a model id `error-<status>` requests."""
    prefix, _, digits = body["model"].partition("-")
    if prefix != "error" or not digits.isdecimal() or not 400 <= int(digits) <= 599:
        return
    status = int(digits)
    if status == 429:
        limits = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0"}
        headers = {"Retry-After": "7", "x-ratelimit-reset-requests": "7s", **limits}
        message = "Rate limit reached for requests"
        raise ModelError(429, message, "requests", code="rate_limit_exceeded", headers=headers)
    kind = "server_error" if status >= 500 else "invalid_request_error"
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
    raise ModelError(status, f"{phrase}, as the model id requests", kind)
