"""How does a client ask in each dialect, and how does it tell chunks and the proper end of a stream in raw bytes?

Cheap enough for the load generator: one regular expression over what a read brought. Whether the stream is right
in every event is proven before (`probe.py`, `translated_probe.py`), not while time is taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import payloads
from benchmarks.payloads import Headers, Plan
from benchmarks.roles import Credential, Dialect

SYSTEM = "You are a careful assistant. Answer in plain words."
_PROSE = "Read the attached notes, name the three open risks, and say for each who should decide. "
_MAX_TOKENS = 512


@dataclass(frozen=True)
class ClientDialect:
    """``sent_at`` finds each whole chunk's time of sending, ``done`` is what only a finished stream holds."""

    path: str
    headers: Callable[[Credential], Headers]
    body: Callable[[int, Plan, int, str], bytes]
    """The size in bytes (about, where it is translated), the plan, its number, the model."""
    sent_at: re.Pattern[bytes]
    done: bytes

    def request(self, port: int, credential: Credential, body: bytes) -> bytes:
        """One whole HTTP request to a contender on `port`."""
        return payloads.request_bytes(port, self.path, self.headers(credential), body)


def texts(plan: Plan, number: int, size: int) -> list[str]:
    """The turns of a conversation of about ``size`` characters, the user's first; the plan stands in the first."""
    share = (_PROSE * (size // len(_PROSE) + 1))[: size // 3]
    return [f"[{plan}-{number}] {share}", share, share]


def _turns(plan: Plan, number: int, size: int) -> list[dict[str, str]]:
    roles = ("user", "assistant", "user")
    return [
        {"role": role, "content": text}
        for role, text in zip(roles, texts(plan, number, size - 300), strict=True)
    ]


def _streams(plan: Plan) -> bool:
    return plan not in ("answer", "probe")


def _relayed_body(size: int, plan: Plan, number: int, model: str) -> bytes:
    return payloads.chat_body(size, plan, number, stream=_streams(plan), model=model)


def _chat_body(size: int, plan: Plan, number: int, model: str) -> bytes:
    system = {"role": "system", "content": SYSTEM}
    shell: dict[str, object] = {
        "model": model,
        "max_tokens": _MAX_TOKENS,
        "temperature": 0.2,
        "messages": [system, *_turns(plan, number, size)],
    }
    if _streams(plan):
        shell |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(shell, separators=(",", ":")).encode()


def _messages_body(size: int, plan: Plan, number: int, model: str) -> bytes:
    shell: dict[str, object] = {
        "model": model,
        "max_tokens": _MAX_TOKENS,
        "temperature": 0.2,
        "system": SYSTEM,
        "messages": _turns(plan, number, size),
    }
    if _streams(plan):
        shell["stream"] = True
    return json.dumps(shell, separators=(",", ":")).encode()


def _responses_body(size: int, plan: Plan, number: int, model: str) -> bytes:
    shell: dict[str, object] = {
        "model": model,
        "max_output_tokens": _MAX_TOKENS,
        "temperature": 0.2,
        "instructions": SYSTEM,
        "input": _turns(plan, number, size),
        "store": False,
    }
    if _streams(plan):
        shell["stream"] = True
    return json.dumps(shell, separators=(",", ":")).encode()


def _chat_headers(credential: Credential) -> Headers:
    """Answers are asked for as they are: some translators would compress them, and text is looked for in raw bytes."""
    plain = {"Accept-Encoding": "identity"}
    return [(name, plain.get(name, value)) for name, value in payloads.client_headers(credential)]


def _messages_headers(credential: Credential) -> Headers:
    """The anthropic SDK's differ from the openai SDK's in its name and in the version of the API."""
    own = {"user-agent": "AsyncAnthropic/Python 2.11.0", "x-stainless-package-version": "2.11.0"}
    headers = [(name, own.get(name, value)) for name, value in _chat_headers(credential)]
    return [*headers, ("anthropic-version", "2023-06-01")]


CLIENT_DIALECTS: dict[Dialect, ClientDialect] = {
    "relayed": ClientDialect(
        "/v1/chat/completions", payloads.client_headers, _relayed_body, payloads.SENT_AT, payloads.DONE
    ),
    "chat": ClientDialect(
        "/v1/chat/completions", _chat_headers, _chat_body, payloads.SENT_IN_TEXT, payloads.DONE
    ),
    "messages": ClientDialect(
        "/v1/messages", _messages_headers, _messages_body, payloads.SENT_IN_TEXT, b"event: message_stop\n"
    ),
    "responses": ClientDialect(
        "/v1/responses", _chat_headers, _responses_body, payloads.SENT_IN_TEXT, b"event: response.completed\n"
    ),
}
