"""What is a failure of the proxy really? Takes apart what it says about failures of Claude and of itself. Pure.

Measured at opencode-claude-max-proxy 1.21.1 and @rynfar/meridian 1.43.0, with the Claude Code CLI 2.1.119 behind
them: most failures of the API arrive as a 500 that quotes the real one, and in a stream as an ``error`` event after
status 200.
"""

from __future__ import annotations

import json
import re
from typing import Any

from clawgate.plugins.api import MappedError

_QUOTED = re.compile(r"\bAPI Error: ([45]\d\d)\b[:\s]*")
_LONGEST = 600
_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_BEGINS_AS_A_PAGE = (b"<!", b"<html", b"<HTML", b"<head", b"<body")


_SAYS_NOTHING = (
    "Claude Code failed, and this Claude proxy does not tell why: is it logged in (claude login), does it know the "
    "model, is there a limit?"
)
_NO_MESSAGES = (
    'this Claude proxy has no Messages API: set models.providers."anthropic-claude-proxy".api to '
    "openai-completions, and end its baseUrl with /v1"
)


def judge(status: int, body: bytes) -> MappedError | None:
    """The failure that ``body`` tells of; ``status`` 200 is an error event of a stream. None: it is what it says."""
    error = _error_in(body)
    if error is None:
        if status == 200:
            if b'"<synthetic>"' in body:
                return MappedError(status=502, message=_SAYS_NOTHING)
            return MappedError(status=502, message="the Claude proxy broke off without saying why")
        if body.lstrip()[:6].startswith(_BEGINS_AS_A_PAGE):
            text = f"what answers in place of the Claude proxy sent a web page (status {status})"
            return MappedError(status=502, message=text)
        return None
    kind, message = error
    return _quoted(message) or _known(status, message) or _by_type(status, kind, message)


def _quoted(message: str) -> MappedError | None:
    """``Claude Code returned an error result: API Error: NNN {json}``: the API said NNN."""
    found = _QUOTED.search(message)
    if found is None:
        return None
    inner = _error_in(message[found.end() :].strip().encode("utf-8", "replace"))
    said = inner[1] if inner is not None and inner[1] else message[found.end() :]
    return MappedError(
        status=int(found[1]), message=f"Claude answered {found[1]}: {_line(said) or 'nothing more'}"
    )


def _known(status: int, message: str) -> MappedError | None:
    if status == 404 and message == "Not found":
        return MappedError(status=502, message=_NO_MESSAGES)
    if "Invalid or missing API key" in message:
        text = (
            "the Claude proxy wants a key of its own: set MERIDIAN_API_KEY, and give the provider "
            "anthropic-claude-proxy the same as its apiKey"
        )
        return MappedError(status=401, message=text)
    if "Invalid API key" in message:
        return MappedError(status=401, message=f"Claude refused the login of the proxy: {_line(message)}")
    if "OAuth token has expired" in message or "Not logged in" in message:
        text = "the Claude proxy is not logged in any more: run 'claude login' as the user of the gateway"
        return MappedError(status=401, message=f"{text} ({_line(message)})")
    if "Reached maximum number of turns" in message:
        text = f"this Claude proxy cannot use tools with its version of Claude Code: {_line(message)}"
        return MappedError(status=502, message=text)
    if status in (200, 500) and "terminated by signal" in message:
        return MappedError(status=502, message=f"the Claude proxy broke off: {_line(message)}")
    return None


def _by_type(status: int, kind: str, message: str) -> MappedError | None:
    """A type of Anthropic's says more than a status: in a stream there is no other, and 503 can mean overloaded."""
    told = f"the Claude proxy: {_line(message) or _line(kind) or 'an error without a word about it'}"
    found = _STATUS_OF_TYPE.get(kind)
    if status == 200:
        return MappedError(status=found or 502, message=told)
    if kind == "overloaded_error" and status != 529:
        return MappedError(status=529, message=told)
    return None


def _error_in(body: bytes, *, deeper: bool = True) -> tuple[str, str] | None:
    """Type and message of an error body of Anthropic's, OpenAI's or the proxy's own form; None if it is none."""
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    error = said.get("error") if isinstance(said, dict) else None
    if isinstance(error, str):
        return "", error
    if not isinstance(error, dict):
        return None
    kind, message = error.get("type"), error.get("message")
    kind, message = kind if isinstance(kind, str) else "", message if isinstance(message, str) else ""
    if deeper and message.lstrip().startswith("{"):  # one dialect of the proxy wraps the other one's body
        inner = _error_in(message.encode("utf-8", "replace"), deeper=False)
        if inner is not None:
            return inner
    return kind, message


def _line(text: str) -> str:
    """One line of it, fit to be shown."""
    text = " ".join(text[: 4 * _LONGEST].split())
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:_LONGEST]
