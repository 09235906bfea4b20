"""Maps the proxy's errors to what they really are: errors of Claude, of the login, or of the proxy itself. Pure.

Measured at opencode-claude-max-proxy 1.21.1 and @rynfar/meridian 1.43.0, with the Claude Code CLI 2.1.119 behind
them: most errors of the API arrive as a 500 that quotes the real one, and in a stream as an ``error`` event after
status 200. One failure has one status in both: it follows from type and message, which both have.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import Any

from clawgate.plugins.api import MappedError

_QUOTED = re.compile(r"\bAPI Error(?: \([^()]{0,200}\))?:? \(?([45]\d\d)\b[:\s]*")
_CLI_TEXTS = {
    r"issue with the selected model|model may not exist": 404,
    r"Unable to connect to API|Connection error|API Error: Connection|ECONNRE|socket hang up": 502,
    r"Request timed out": 504,
    r"limit reached|hit your \S* ?limit|out of extra usage": 429,
    r"Overloaded errors|experiencing high load": 529,
    r"Credit balance is too low": 402,
    r"Prompt is too long": 400,
    r"Please run /login|token revoked": 401,
}
"""What Claude Code writes in place of the API's error (read in 2.0.76; the first in 2.1), and the status of that."""
_WAIT = re.compile(
    r"(?:retry[-_ ]after\W{0,4}|(?:again|retry|resets?) in (?:about )?)(\d{1,6}(?:\.\d{1,6})?) ?(ms|[smh])?",
    re.IGNORECASE,
)
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_MAX_CHARACTERS = 600
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
_HTML = (b"<!", b"<html", b"<HTML", b"<head", b"<body")
_SYNTHETIC = (
    "Claude Code failed, and this Claude proxy does not report why: check its login (claude login), the model id and "
    "the limits of the subscription"
)
_NO_MESSAGES_API = (
    'this Claude proxy has no Messages API: set models.providers."anthropic-claude-proxy".api to '
    "openai-completions, and end its baseUrl with /v1"
)


def map_error(status: int, body: bytes) -> MappedError | None:
    """Return the real error of ``body``, or None to keep it. With ``status`` 200 it is an error event of a stream."""
    error = _error_in(body)
    if error is None:
        if status == 200:
            if b'"<synthetic>"' in body:
                return MappedError(status=502, message=_SYNTHETIC)
            return MappedError(
                status=502, message="the Claude proxy ended the stream with an unreadable error"
            )
        if body.lstrip()[:6].startswith(_HTML):
            text = f"the program in place of the Claude proxy sent a web page (status {status})"
            return MappedError(status=502, message=text)
        text = "the Claude proxy failed without a readable error"
        return MappedError(status=502, message=text) if status == 500 else None
    kind, message = error
    mapped = _quoted(message) or _known(status, kind, message) or _by_type(status, kind, message)
    found = _WAIT.search(message)
    real = mapped.status if mapped is not None else status
    if found is None or real not in (429, 503, 529):
        return mapped
    seconds = math.ceil(float(found[1]) * _SECONDS[(found[2] or "s").lower()])
    mapped = mapped or MappedError(status=real, message=f"the Claude proxy: {_line(message)}")
    return replace(mapped, retry_after=max(seconds, 1))


def _quoted(message: str) -> MappedError | None:
    """Map ``Claude Code returned an error result: API Error: NNN {json}`` to status NNN."""
    match = _QUOTED.search(message)
    if match is None:
        return None
    rest = message[match.end() :]
    inner = _error_in(rest.strip().encode("utf-8", "replace"))
    text = inner[1] if inner is not None and inner[1] else rest
    return MappedError(
        status=int(match[1]), message=f"Claude responded with {match[1]}: {_line(text) or 'no message'}"
    )


def _known(status: int, kind: str, message: str) -> MappedError | None:
    if status == 404 and message == "Not found":
        return MappedError(status=502, message=_NO_MESSAGES_API)
    if "Invalid or missing API key" in message:
        text = (
            "the Claude proxy requires a key of its own: set MERIDIAN_API_KEY, and the same value as apiKey of the "
            "provider anthropic-claude-proxy"
        )
        return MappedError(status=401, message=text)
    if "Invalid API key" in message:
        return MappedError(status=401, message=f"Claude rejected the login of the proxy: {_line(message)}")
    if "OAuth token has expired" in message or "Not logged in" in message:
        text = "the Claude proxy is not logged in any more: run 'claude login' as the user of the gateway"
        return MappedError(status=401, message=f"{text} ({_line(message)})")
    if "Reached maximum number of turns" in message:
        text = f"this Claude proxy cannot use tools with its version of Claude Code: {_line(message)}"
        return MappedError(status=502, message=text)
    if "terminated by signal" in message:
        return MappedError(status=502, message=f"the Claude proxy failed: {_line(message)}")
    if kind in _STATUS_OF_TYPE:
        return None
    found = next(
        (known for text, known in _CLI_TEXTS.items() if re.search(text, message, re.IGNORECASE)), None
    )
    return None if found is None else MappedError(status=found, message=f"Claude Code: {_line(message)}")


def _by_type(status: int, kind: str, message: str) -> MappedError | None:
    """Map by Anthropic's error type: a stream has no status of its own, and 500 is what the proxy has for all."""
    mapped = _STATUS_OF_TYPE.get(kind) or (502 if status in (200, 500) else status)
    text = f"the Claude proxy: {_line(message) or _line(kind) or 'an error without a message'}"
    return None if mapped == status else MappedError(status=mapped, message=text)


def _error_in(body: bytes, *, deeper: bool = True) -> tuple[str, str] | None:
    """Return type and message of an error body in Anthropic's, OpenAI's or the proxy's form; None if it is none."""
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, str):
        return "", error
    if not isinstance(error, dict):
        return None
    kind, message = error.get("type"), error.get("message")
    kind, message = kind if isinstance(kind, str) else "", message if isinstance(message, str) else ""
    if deeper and message.lstrip().startswith("{"):  # one dialect of the proxy wraps the body of the other
        inner = _error_in(message.encode("utf-8", "replace"), deeper=False)
        if inner is not None:
            return inner
    return kind, message


def _line(text: str) -> str:
    """Return one printable line of foreign text."""
    text = " ".join(text[: 4 * _MAX_CHARACTERS].split())
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:_MAX_CHARACTERS]
