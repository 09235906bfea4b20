"""Which bytes travel: the client's request, the upstream's answers, and the credentials in them.

Both ends of every contender import this module, so each end can hold what the other must have sent
and compare bytes instead of parsing. What the upstream shall do with a request is written into the
body's `user` field: a gateway may drop headers it does not know, but it must not touch the body. What is
translated on the way is in `client_dialects.py` and `upstream_dialects.py`; its stamps are here.
"""

from __future__ import annotations

import json
import re
import time
from typing import Literal

from benchmarks.roles import MODEL

Plan = Literal["answer", "probe", "stream", "turn", "hold", "head", "idle"]
# answer: 1 kB of JSON at once                stream: head, CHUNKS chunks CHUNK_PERIOD_MS apart, [DONE]
# probe:  what arrived, as JSON               idle:   head and one chunk, then nothing
# hold:   nothing at all, not even a head     head:   head, then nothing
# turn:   head, TURN_CHUNKS chunks and [DONE] at once

CHUNKS = 100
TURN_CHUNKS = 10
CHUNK_PERIOD_MS = 20

PLAN = re.compile(rb'"user":"([a-z]+)-(\d+)"')
PLAN_WITHIN = 128  # the plan stands in the first bytes of the body; farther in it is not looked for
PLAN_IN_TEXT = re.compile(
    rb"\[([a-z]+)-(\d+)\] "
)  # where bodies are written anew: what the user says is kept

Headers = list[tuple[str, str]]


def client_headers(credential: tuple[str, str]) -> Headers:
    """What the openai SDK (Python) sends, taken down from a socket, with one credential header swapped in."""
    return [
        ("Accept-Encoding", "gzip, deflate"),
        ("Connection", "keep-alive"),
        credential,
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("user-agent", "OpenAI/Python 3.52.0"),
        ("x-stainless-lang", "python"),
        ("x-stainless-package-version", "3.52.0"),
        ("x-stainless-os", "Linux"),
        ("x-stainless-arch", "x64"),
        ("x-stainless-runtime", "CPython"),
        ("x-stainless-runtime-version", "3.11.7"),
        ("x-stainless-async", "async:asyncio"),
        ("x-stainless-retry-count", "0"),
        ("x-stainless-read-timeout", "600"),
    ]


def chat_body(size: int, plan: Plan, number: int, *, stream: bool = False, model: str = MODEL) -> bytes:
    """A chat request of exactly `size` bytes: a system message and turns of prose, as an SDK writes it."""
    prose = "Read the attached notes, name the three open risks, and say for each who should decide. "
    shell = {
        "model": model,
        "user": f"{plan}-{number}",
        "stream": stream,
        "temperature": 0.2,
        "messages": [{"role": "system", "content": "You are a careful assistant. Answer in plain words."}],
    }
    turns: list[dict[str, str]] = shell["messages"]  # type: ignore[assignment]

    def encoded() -> bytes:
        return json.dumps(shell, separators=(",", ":")).encode()

    while (room := size - len(encoded())) > 2200:
        role = "user" if len(turns) % 2 else "assistant"
        turns.append({"role": role, "content": (prose * 24)[:2000]})
    turns.append({"role": "user", "content": ""})
    room = size - len(encoded())
    turns[-1]["content"] = (prose * 30)[:room]
    body = encoded()
    if len(body) != size:
        raise ValueError(f"a chat request of {size} bytes cannot be built, got {len(body)}")
    return body


def request_bytes(port: int, path: str, headers: Headers, body: bytes) -> bytes:
    """One whole HTTP request to a contender on `port`."""
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _completion() -> bytes:
    message = {"role": "assistant", "content": "The three open risks are these. " * 14, "refusal": None}
    usage = {"prompt_tokens": 231, "completion_tokens": 97, "total_tokens": 328}
    answer = {
        "id": "chatcmpl-CQx1b6kUbpVvMzSgD0tZ5nqgJ9dPa",
        "object": "chat.completion",
        "created": 1764000000,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": usage,
        "service_tier": "default",
        "system_fingerprint": "fp_560af6e559",
    }
    short = json.dumps(answer, separators=(",", ":"))
    message["content"] = str(message["content"]) + "." * (1024 - len(short))
    return json.dumps(answer, separators=(",", ":")).encode()


# A hosted API's heads are never the same twice: id, time taken and remaining limit differ.
_HOSTED_HEADERS = (
    "Date: Tue, 25 Nov 2025 10:00:00 GMT\r\n"
    "openai-processing-ms: %d\r\n"
    "openai-version: 2020-10-01\r\n"
    "x-request-id: req_%032x\r\n"
    "x-ratelimit-limit-requests: 10000\r\n"
    "x-ratelimit-limit-tokens: 2000000\r\n"
    "x-ratelimit-remaining-requests: 9999\r\n"
    "x-ratelimit-remaining-tokens: %d\r\n"
    "x-ratelimit-reset-requests: 6ms\r\n"
    "x-ratelimit-reset-tokens: 7ms\r\n"
)

ANSWER_BODY = _completion()


def _json_head(length: int) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    return f"{head}{_HOSTED_HEADERS}\r\n".encode()


_ANSWER_HEAD = _json_head(len(ANSWER_BODY))
_STREAM_HEAD = (
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
    f"Transfer-Encoding: chunked\r\n{_HOSTED_HEADERS}\r\n"
).encode()


_SPREAD = 0x9E3779B97F4A7C15F39CC0605CEDC835  # odd, so that no two numbers get the same id


def _differing(number: int) -> tuple[int, int, int]:
    return 60 + number * 37 % 12000, number * _SPREAD % 2**128, 2000000 - number * 9973 % 1999999


def answer(number: int) -> bytes:
    """The 1 kB answer to the request with this number."""
    return _ANSWER_HEAD % _differing(number) + ANSWER_BODY


def answer_with(body: bytes) -> bytes:
    """Another JSON answer."""
    return _json_head(len(body)) % _differing(0) + body


def stream_head(number: int) -> bytes:
    return _STREAM_HEAD % _differing(number)


# A real chunk carries an `obfuscation` filler of about this length; here it is the time of sending.
_EVENT_BEFORE = (
    b'data: {"id":"chatcmpl-CQx1b6kUbpVvMzSgD0tZ5nqgJ9dPa","object":"chat.completion.chunk",'
    b'"created":1764000000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default",'
    b'"system_fingerprint":"fp_560af6e559","choices":[{"index":0,"delta":{"content":" risk"},'
    b'"logprobs":null,"finish_reason":null}],"obfuscation":"'
)
_EVENT_AFTER = b'"}\n\n'
_STAMP_DIGITS = 20
_EVENT_LENGTH = len(_EVENT_BEFORE) + _STAMP_DIGITS + len(_EVENT_AFTER)
_FRAME_BEFORE = b"%x\r\n" % _EVENT_LENGTH + _EVENT_BEFORE
_FRAME_AFTER = _EVENT_AFTER + b"\r\n"

SENT_AT = re.compile(rb'"obfuscation":"(\d{20})"\}\n\n')
EVENT = re.compile(re.escape(_EVENT_BEFORE) + rb'\d{20}"\}\n\n')
DONE = b"data: [DONE]\n\n"
STAMPED_TEXT = b"%020d risk"
UNSTAMPED_TEXT = "00000000000000000000 risk"  # as long as it
SENT_IN_TEXT = re.compile(rb'"(\d{20}) risk"[^\n]*\n\n')
STREAM_END = b"%x\r\n" % len(DONE) + DONE + b"\r\n0\r\n\r\n"


def stamped_chunk() -> bytes:
    """One SSE event as one HTTP chunk, carrying the monotonic time at which it was made."""
    return b"%b%020d%b" % (_FRAME_BEFORE, time.monotonic_ns(), _FRAME_AFTER)
