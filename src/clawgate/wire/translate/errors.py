"""Parses the errors of upstreams, whatever their form, and encodes them in the client's dialect.

OpenAI's and Anthropic's error objects, what other frameworks send (`detail`, `message`, `error` as a string), plain
text, an HTML page of a proxy in between, or nothing: each gives a message for people and an error type of the client's
dialect. Many servers send an error with status 200, too. Nothing here raises.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from clawgate.errors import UpstreamFailed
from clawgate.wire.anthropic import errors as anthropic_errors
from clawgate.wire.dialect import Dialect
from clawgate.wire.json import lenient
from clawgate.wire.json.complexity import is_too_complex
from clawgate.wire.openai import errors as openai_errors

MAX_MESSAGE_CHARACTERS = 2000
"""How much of a text without structure becomes the message."""

STATUS_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""Anthropic's types by status: from its reference (402 to 529), otherwise by the meaning in HTTP."""

CHAT_KINDS = {
    "billing_error": "insufficient_quota",
    "not_found_error": "invalid_request_error",
    "request_too_large": "invalid_request_error",
    "timeout_error": "api_error",
    "overloaded_error": "service_unavailable",
}
"""Anthropic's types as OpenAI's clients know them; any other one is the same in both."""

_STATUSES = {kind: status for status, kind in reversed(STATUS_KINDS.items())} | {"timeout_error": 504}
_FAILURES = range(400, 600)

ANTHROPIC_KINDS = {
    "insufficient_quota": "billing_error",
    "insufficient_permissions": "permission_error",
    "invalid_api_key": "authentication_error",
    "requests": "rate_limit_error",
    "tokens": "rate_limit_error",
    "rate_limit_exceeded": "rate_limit_error",
    "server_error": "api_error",
    "service_unavailable": "overloaded_error",
    "overloaded": "overloaded_error",
    "engine_overloaded": "overloaded_error",
    "server_is_overloaded": "overloaded_error",
    "slow_down": "overloaded_error",
    "vector_store_timeout": "timeout_error",
    **dict.fromkeys(
        (
            "bio_policy", "context_length_exceeded", "cyber_policy", "data_residency_mismatch", "empty_image_file",
            "failed_to_download_image", "image_content_policy_violation", "image_file_not_found",
            "image_file_too_large", "image_parse_error", "image_too_large", "image_too_small", "invalid_base64_image",
            "invalid_image", "invalid_image_format", "invalid_image_mode", "invalid_image_url", "invalid_prompt",
            "misalignment_policy_violation", "unsupported_image_media_type",
        ),
        "invalid_request_error",
    ),
}  # fmt: skip
"""OpenAI's types and codes as Anthropic's types; the long group is of a response that failed because of its request."""


@dataclass(frozen=True, slots=True)
class UpstreamError:
    """An upstream's error, with its own message and types; None for what it did not send."""

    message: str
    kind: str | None = None
    code: str | None = None
    param: str | None = None

    def for_chat(self, status: int | None = None) -> dict[str, str | None]:
        """Return the members of OpenAI's error object; Anthropic's type is kept as the code."""
        status = status or self._status
        kind = self.kind or _kind_of(status)
        code = self.code or (kind if self.kind else None)
        return {
            "message": self.message,
            "type": CHAT_KINDS.get(kind, kind),
            "code": code,
            "param": self.param,
        }

    def for_messages(self, status: int | None = None) -> dict[str, str | None]:
        """Return the arguments of `anthropic_errors.error_body`: the status decides, then the upstream's own type."""
        status = status or self._status
        kind = ANTHROPIC_KINDS.get(self.code or "") or ANTHROPIC_KINDS.get(self.kind or "")
        if kind is None and self.kind in anthropic_errors.OWN:
            kind = self.kind
        if status in STATUS_KINDS and kind != "billing_error":
            kind = STATUS_KINDS[status]
        return {
            "message": self.message,
            "kind": kind or _kind_of(status),
            "code": self.code or self.kind,
            "param": self.param,
        }

    def as_failure(self, origin: str = "the upstream") -> UpstreamFailed:
        """Return the error to raise. It has a status, or leads to a fallback, if nothing was sent to the client yet."""
        code = f" ({self.code or self.kind})" if self.code or self.kind else ""
        return UpstreamFailed(
            f"{origin} reported an error{code}: ",
            quote=self.message[:MAX_MESSAGE_CHARACTERS],
            status=self.meant_status,
        )

    @property
    def meant_status(self) -> int | None:
        """The status that the error means; None where it is not known, or is about our credential, not the client's."""
        if self.code == "model_not_found":
            return 404
        named = self._status
        status = named if named in _FAILURES else _STATUSES.get(self.for_messages()["kind"] or "")
        return None if status in (401, 403) else status

    @property
    def _status(self) -> int | None:
        """The status that some servers repeat as the code."""
        return int(self.code) if self.code and len(self.code) == 3 and self.code.isdecimal() else None


_any_value = msgspec.json.Decoder(object)
UNSPECIFIED = UpstreamError("the upstream failed without an error message")


def parse_error(body: bytes, status: int) -> UpstreamError:
    """Return the error in a response's ``body``, of any form."""
    value = None if is_too_complex(body) else lenient.decode(body, _any_value)
    if value is None and body.strip() != b"null":
        return UpstreamError(_plain(body, status))
    return error_in_json(value) or UpstreamError(
        f"the upstream sent status {status} without an error message"
    )


def find_error(body: bytes) -> UpstreamError | None:
    """Return the error that ``body`` is, a body with status 200 or the data of an event.

    OpenAI's `{"error": …}` and `response.failed`, Google's list of one, Anthropic's `{"type": "error", …}`, the error's
    members without either, or an error in the first choice, as OpenRouter sends it. None for everything that may be a
    response.
    """
    value = None if is_too_complex(body) else lenient.decode(body, _any_value)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return None
    if value.get("error") is not None and (value["error"] or "choices" not in value):
        return error_in_json({"error": value["error"]}) or error_in_json(value) or UNSPECIFIED
    if value.get("type") == "error":
        return error_in_json({**value, "type": None}) or UNSPECIFIED
    if value.get("type") == "response.failed":
        return error_in_json({"error": lenient.as_member(value.get("response"), "error")}) or UNSPECIFIED
    choices = value.get("choices")
    if isinstance(choices, list) and choices and (error := lenient.as_member(choices[0], "error")):
        return error_in_json({"error": error}) or UNSPECIFIED
    message = value.get("message") or value.get("detail")
    return error_in_json(value) if isinstance(message, str) and not value.get("choices") else None


def error_of_event(data: bytes | None) -> UpstreamError:
    """Return the error that an event named ``error`` reports, in any form, plain text too."""
    data = data or b""
    if (found := find_error(data)) is not None:
        return found
    is_text = data.strip() and not data.lstrip().startswith((b"<", b"{", b"["))
    return parse_error(data, 0) if is_text else UNSPECIFIED


def error_in_json(value: object) -> UpstreamError | None:
    """Return the error in a decoded object, or in the `error` member of an event; None if it has no message."""
    if isinstance(value, str):
        return UpstreamError(value[:MAX_MESSAGE_CHARACTERS]) if value.strip() else None
    if isinstance(value, list) and len(value) == 1:
        return error_in_json(value[0])
    if not isinstance(value, dict):
        return None
    inner = value.get("error")
    if isinstance(inner, dict):
        value = inner
    elif isinstance(inner, str) and inner.strip():
        return UpstreamError(inner[:MAX_MESSAGE_CHARACTERS])
    message = value.get("message") or value.get("detail") or value.get("error_description")
    if isinstance(message, dict | list):
        message = _compact(message)
    if not isinstance(message, str) or not message.strip():
        return None
    return UpstreamError(
        message,
        lenient.as_word(value.get("type")),
        _code(value.get("code")),
        lenient.as_word(value.get("param")),
    )


def kind_of(status: int, dialect: Dialect) -> str | None:
    """Return the error type of ``dialect`` for a status; None if only the server can be at fault."""
    kind = _kind_of(status)
    if kind == "api_error":
        return None
    return kind if dialect is Dialect.MESSAGES else CHAT_KINDS.get(kind, kind)


def chat_body(error: UpstreamError, status: int | None = None) -> bytes:
    return msgspec.json.encode({"error": error.for_chat(status)})


def chat_event(error: UpstreamError) -> bytes:
    fields = error.for_chat()
    return openai_errors.error_event(
        message=error.message,
        kind=fields["type"] or "api_error",
        code=fields["code"] or "upstream_failed",
        param=error.param,
    )


def messages_body(error: UpstreamError, status: int | None = None) -> bytes:
    fields = error.for_messages(status)
    return anthropic_errors.error_body(
        message=error.message, kind=fields["kind"] or "api_error", code=fields["code"], param=fields["param"]
    )


def messages_event(error: UpstreamError) -> bytes:
    return b"event: error\ndata: " + messages_body(error) + b"\n\n"


def _kind_of(status: int | None) -> str:
    if status is None:
        return "api_error"
    if status in STATUS_KINDS:
        return STATUS_KINDS[status]
    return "invalid_request_error" if 400 <= status < 500 else "api_error"


def has_words(body: bytes) -> bool:
    """Whether the body of an error is more than a web page, which no client renders, or nothing."""
    return _text(body)[:1] not in ("", "<")


def _text(body: bytes) -> str:
    """Return the beginning of ``body`` without what is blank to `str`, which is more than to `bytes`."""
    return body[: 4 * MAX_MESSAGE_CHARACTERS].decode("utf-8", "replace").strip()


def _plain(body: bytes, status: int) -> str:
    """Return the message of a text without structure."""
    text = _text(body)
    if not has_words(body):
        form = "an HTML page" if text else "an empty body"
        return f"the upstream sent status {status} with {form} and no error message"
    return text[:MAX_MESSAGE_CHARACTERS]


def _code(value: object) -> str | None:
    """Return a code; some servers repeat the HTTP status there."""
    if isinstance(value, int) and not isinstance(value, bool) and 100 <= value < 600:
        return str(value)
    return lenient.as_word(value)


def _compact(value: object) -> str:
    try:
        return msgspec.json.encode(value).decode()[:MAX_MESSAGE_CHARACTERS]
    except RecursionError:
        return ""
