"""What did an upstream say when it refused or broke off, whatever form it chose to say it in?

OpenAI's and Anthropic's error objects, what other frameworks answer (`detail`, `message`, `error` as a string), plain
text, a page of HTML from a proxy in between, or nothing: each gives a message for people and a type in the words of
the dialect that the client speaks. Many servers say it at status 200, too. Nothing here raises.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from clawgate.errors import UpstreamFailed
from clawgate.wire.anthropic import errors as anthropic_errors
from clawgate.wire.dialect import Dialect
from clawgate.wire.json import surrogates as half_characters
from clawgate.wire.openai import errors as openai_errors

SHOWN_CHARACTERS = 2000
"""How much of a text without structure is shown."""

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
"""Anthropic's types by status, from its reference (402 to 529), and by the meaning of HTTP where that is silent."""

CHAT_KINDS = {
    "billing_error": "insufficient_quota",
    "not_found_error": "invalid_request_error",
    "request_too_large": "invalid_request_error",
    "timeout_error": "api_error",
    "overloaded_error": "service_unavailable",
}
"""Anthropic's types in the words of OpenAI clients; one that is not here is the same in both."""

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
}
"""Types and codes of OpenAI clients' errors in Anthropic's words."""


@dataclass(frozen=True, slots=True)
class UpstreamError:
    """An upstream's error: its own words, None where it said nothing."""

    message: str
    kind: str | None = None
    code: str | None = None
    param: str | None = None

    def for_chat(self, status: int | None = None) -> dict[str, str | None]:
        """The members of OpenAI's error object; Anthropic's type is kept as the code."""
        status = status or self._status
        kind = self.kind or _kind_of(status)
        told = CHAT_KINDS.get(kind, kind)
        code = self.code or (kind if self.kind else None)
        return {"message": self.message, "type": told, "code": code, "param": self.param}

    def for_messages(self, status: int | None = None) -> dict[str, str | None]:
        """The arguments of `anthropic_errors.error_body`: the status decides, then the upstream's type and code."""
        status = status or self._status
        named = ANTHROPIC_KINDS.get(self.code or "") or ANTHROPIC_KINDS.get(self.kind or "")
        if named is None and self.kind in anthropic_errors.OWN:
            named = self.kind
        if status in STATUS_KINDS and named != "billing_error":
            named = STATUS_KINDS[status]
        return {
            "message": self.message,
            "kind": named or _kind_of(status),
            "code": self.code or self.kind,
            "param": self.param,
        }

    def as_failure(self) -> UpstreamFailed:
        """The error to raise where nothing was sent yet, so that it can have a status or another model step in."""
        code = f" ({self.code or self.kind})" if self.code or self.kind else ""
        return UpstreamFailed(f"the upstream answered with an error{code}: {self.message[:SHOWN_CHARACTERS]}")

    @property
    def _status(self) -> int | None:
        """The status that some servers repeat as the code."""
        return int(self.code) if self.code and len(self.code) == 3 and self.code.isdecimal() else None


UNSPECIFIED = UpstreamError("the upstream broke off without saying why")


def parse_error(body: bytes, status: int) -> UpstreamError:
    """The error in an answer's ``body``, of any form."""
    try:
        said: object = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return UpstreamError(_plain(body, status))
    return error_in_json(said) or UpstreamError(f"the upstream answered {status} without saying why")


def find_error(body: bytes) -> UpstreamError | None:
    """The error that ``body`` is although nothing around it says so: a body at status 200, or an event of a stream.

    OpenAI's `{"error": …}`, Anthropic's `{"type": "error", …}`, or the error's members without either. None for
    everything that may be an answer.
    """
    try:
        said: object = msgspec.json.decode(half_characters.replace_lone_surrogates(body))
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    if not isinstance(said, dict):
        return None
    if said.get("error") is not None and (said["error"] or "choices" not in said):
        return error_in_json({"error": said["error"]}) or error_in_json(said) or UNSPECIFIED
    if said.get("type") == "error":
        return error_in_json({**said, "type": None}) or UNSPECIFIED
    words = said.get("message") or said.get("detail")
    return error_in_json(said) if isinstance(words, str) and not said.get("choices") else None


def error_in_json(said: object) -> UpstreamError | None:
    """The error in a decoded object, or in the `error` member of an event; None where no message can be found."""
    if isinstance(said, str):
        return UpstreamError(said[:SHOWN_CHARACTERS]) if said.strip() else None
    if isinstance(said, list) and len(said) == 1:
        return error_in_json(said[0])
    if not isinstance(said, dict):
        return None
    inner = said.get("error")
    if isinstance(inner, dict):
        said = inner
    elif isinstance(inner, str) and inner.strip():
        return UpstreamError(inner[:SHOWN_CHARACTERS])
    message = said.get("message") or said.get("detail") or said.get("error_description")
    if isinstance(message, dict | list):
        message = _compact(message)
    if not isinstance(message, str) or not message.strip():
        return None
    return UpstreamError(
        message,
        _word(said.get("type")),
        _code(said.get("code")),
        _word(said.get("param")),
    )


def kind_of(status: int, dialect: Dialect) -> str | None:
    """The type of a failure of that status in the words of ``dialect``; None where only the server can be at fault."""
    kind = _kind_of(status)
    if kind == "api_error":
        return None
    return kind if dialect is Dialect.MESSAGES else CHAT_KINDS.get(kind, kind)


def chat_body(error: UpstreamError, status: int | None = None) -> bytes:
    """The body in OpenAI's dialect."""
    return msgspec.json.encode({"error": error.for_chat(status)})


def chat_event(error: UpstreamError) -> bytes:
    """The event in OpenAI's dialect."""
    told = error.for_chat()
    return openai_errors.error_event(
        message=error.message,
        kind=told["type"] or "api_error",
        code=told["code"] or "upstream_failed",
        param=error.param,
    )


def messages_body(error: UpstreamError, status: int | None = None) -> bytes:
    """The body in Anthropic's dialect."""
    told = error.for_messages(status)
    return anthropic_errors.error_body(
        message=error.message, kind=told["kind"] or "api_error", code=told["code"], param=told["param"]
    )


def messages_event(error: UpstreamError) -> bytes:
    """The event in Anthropic's dialect."""
    return b"event: error\ndata: " + messages_body(error) + b"\n\n"


def _kind_of(status: int | None) -> str:
    if status is None:
        return "api_error"
    if status in STATUS_KINDS:
        return STATUS_KINDS[status]
    return "invalid_request_error" if 400 <= status < 500 else "api_error"


def _plain(body: bytes, status: int) -> str:
    """What a text without structure says; of HTML nothing is shown, since no client renders it."""
    text = body[: 4 * SHOWN_CHARACTERS].decode("utf-8", "replace").strip()
    if not text or text.startswith("<"):
        form = "an HTML page" if text else "an empty body"
        return f"the upstream answered {status} with {form} and no error message"
    return text[:SHOWN_CHARACTERS]


def _code(value: object) -> str | None:
    """A code is a word; some servers repeat the HTTP status there."""
    if isinstance(value, int) and not isinstance(value, bool) and 100 <= value < 600:
        return str(value)
    return _word(value)


def _compact(value: object) -> str:
    try:
        return msgspec.json.encode(value).decode()[:SHOWN_CHARACTERS]
    except RecursionError:
        return ""


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
