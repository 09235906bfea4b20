"""Ready-made scripts for `FakeUpstream`: correct responses, and each way in which an upstream fails.

Everything here is a value (a tuple of steps, or the bytes of a response). It knows HTTP and the chat dialect
only as literal bytes, so that a fault is readable where it is used.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from http import HTTPStatus

from tests.peers.script import Close, Hold, ReadBody, Reset, Send, Step, Trickle, Wait

Steps = tuple[Step, ...]
Fields = Sequence[tuple[str, str]]

CHAT_TEXT = "Grüße, 🦞 world \u2028 ok"
"""What `CHAT_FRAMES` says: characters of 2, 3 and 4 bytes, and a separator that `splitlines` breaks on."""


def chat_frames(text: str = CHAT_TEXT) -> tuple[bytes, ...]:
    """The SSE frames of one streamed chat completion, a word a frame, with usage and `[DONE]` at the end."""

    def frame(choices: list[object], **more: object) -> bytes:
        chunk = {
            "id": "chatcmpl-fake",
            "object": "chat.completion.chunk",
            "created": 1700000000,
            "model": "fake-model",
        }
        return sse({**chunk, "choices": choices, **more})

    def choice(delta: dict[str, str], reason: str | None = None) -> list[object]:
        return [{"index": 0, "delta": delta, "finish_reason": reason}]

    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1][:-1]
    frames = [frame(choice({"role": "assistant"}))]
    frames += [frame(choice({"content": word})) for word in words]
    counts = {"prompt_tokens": 3, "completion_tokens": len(words), "total_tokens": 3 + len(words)}
    return (*frames, frame(choice({}, "stop")), frame([], usage=counts), b"data: [DONE]\n\n")


def sse(data: object) -> bytes:
    """One SSE frame with the value as JSON, not escaped to ASCII."""
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


CHAT_FRAMES = chat_frames()


def chunk(data: bytes) -> bytes:
    """The data as one chunk of the chunked transfer coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def head(
    status: int = 200, fields: Fields = (), *, version: str = "HTTP/1.1", reason: str | None = None
) -> bytes:
    """A response head with exactly these fields."""
    phrase = HTTPStatus(status).phrase if reason is None else reason
    lines = [f"{version} {status} {phrase}", *(f"{name}: {value}" for name, value in fields)]
    return "".join(line + "\r\n" for line in lines).encode("latin-1") + b"\r\n"


def response(
    body: bytes, status: int = 200, fields: Fields = (), *, content_type: str = "application/json"
) -> bytes:
    """Return the bytes of a complete response with Content-Length."""
    length = ("Content-Length", str(len(body)))
    return head(status, [("Content-Type", content_type), length, *fields]) + body


SSE_FIELDS = (("Content-Type", "text/event-stream; charset=utf-8"), ("Cache-Control", "no-cache"))


def sse_bytes(frames: Iterable[bytes] = CHAT_FRAMES, fields: Fields = (), *, chunked: bool = True) -> bytes:
    """Return the bytes of a complete streamed response: chunked (a chunk a frame), or delimited by the close."""
    if not chunked:
        return head(200, [*SSE_FIELDS, *fields, ("Connection", "close")]) + b"".join(frames)
    start = head(200, [*SSE_FIELDS, ("Transfer-Encoding", "chunked"), *fields])
    return start + b"".join(map(chunk, frames)) + LAST_CHUNK


# Correct responses.


def json_response(value: object, status: int = 200, fields: Fields = ()) -> Steps:
    """Read the whole request, then respond with this JSON value; the connection stays open."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return ReadBody(), Send(response(body, status, fields))


def error_response(
    status: int, message: str = "no", kind: str = "invalid_request_error", fields: Fields = ()
) -> Steps:
    error = {"message": message, "type": kind, "param": None, "code": None}
    return json_response({"error": error}, status, fields)


def rate_limited(retry_after: str = "7") -> Steps:
    """429 with Retry-After (text as given: seconds or a date) and the rate limit fields."""
    limits = (("x-ratelimit-limit-requests", "60"), ("x-ratelimit-remaining-requests", "0"))
    fields = (("Retry-After", retry_after), *limits, ("x-ratelimit-reset-requests", f"{retry_after}s"))
    return error_response(429, "Rate limit reached for requests", "requests", fields)


def sse_response(
    frames: Sequence[bytes] = CHAT_FRAMES, *, chunked: bool = True, fields: Fields = ()
) -> Steps:
    """A streamed response, one write per frame."""
    close: Steps = () if chunked else (Close(),)
    wire = sse_bytes(frames, fields, chunked=chunked)
    parts = [chunk(frame) if chunked else frame for frame in frames] + ([LAST_CHUNK] if chunked else [])
    start = wire[: len(wire) - sum(map(len, parts))]
    return ReadBody(), Send(start), *(Send(part) for part in parts), *close


def sse_gated(gates: Sequence[asyncio.Event], frames: Sequence[bytes] = CHAT_FRAMES) -> Steps:
    """A chunked stream where frame n waits for `gates[n]` (the frames behind the last gate come at once).

    The head goes out at once. This is how a test decides, without a clock, how far a stream has come.
    """
    steps: list[Step] = [ReadBody(), Send(head(200, [*SSE_FIELDS, ("Transfer-Encoding", "chunked")]))]
    for number, frame in enumerate(frames):
        if number < len(gates):
            steps.append(Wait(gates[number]))
        steps.append(Send(chunk(frame)))
    return *steps, Send(LAST_CHUNK)


def http10_response(body: bytes = b'{"ok":true}') -> Steps:
    """An HTTP/1.0 response without a length, ended by the close."""
    start = head(200, [("Content-Type", "application/json")], version="HTTP/1.0")
    return ReadBody(), Send(start + body), Close()


# Truncated and damaged responses.


def cut(wire: bytes, at: int) -> Steps:
    """The first `at` bytes of a response, then FIN."""
    return ReadBody(), Send(wire[:at]), Close()


def reset_after(wire: bytes, at: int, *, once: asyncio.Event | None = None) -> Steps:
    """The first `at` bytes of a response, then RST; `once` is awaited before it, so they are read."""
    wait: Steps = (Wait(once),) if once is not None else ()
    return ReadBody(), Send(wire[:at]), *wait, Reset()


def cut_mid_chunk(frames: Sequence[bytes] = CHAT_FRAMES) -> Steps:
    """A stream that ends with FIN in the middle of its second last frame's chunk."""
    wire = sse_bytes(frames)
    tail = len(LAST_CHUNK) + len(chunk(frames[-1])) + len(chunk(frames[-2])) // 2
    return cut(wire, len(wire) - tail)


def error_mid_stream(frames: Sequence[bytes] = CHAT_FRAMES[:2], message: str = "overloaded") -> Steps:
    """A stream whose last frame is an error object, then a correct end of the body without `[DONE]`."""
    return sse_response([*frames, sse({"error": {"message": message, "type": "server_error"}})])


def garbage_head() -> Steps:
    """Bytes that are no HTTP at all, then FIN."""
    return ReadBody(), Send(b"\x16\x03\x01\x00\x00 this is not HTTP\r\n\r\n"), Close()


def oversized_head(size: int = 1_000_000) -> Steps:
    """A head with one field of `size` bytes, otherwise correct."""
    return ReadBody(), Send(response(b"{}", fields=[("X-Large", "a" * size)]))


def interim(*statuses: int, then: Sequence[Step]) -> Steps:
    """1xx responses (100, 103) before `then`, which must begin with ReadBody."""
    link = {103: (("Link", "</style.css>; rel=preload"),)}
    return *(Send(head(status, link.get(status, ()))) for status in statuses), *then


def early_response(status: int = 413, *, close: bool = True) -> Steps:
    """Respond while the request body still arrives; then FIN, or the rest is read and discarded."""
    wire = response(b'{"error":{"message":"too large"}}', status, [("Connection", "close")] if close else [])
    return (Send(wire), Close()) if close else (Send(wire), ReadBody())


# Silence.


def never_responds() -> Steps:
    """The request is read, and nothing comes back until the client leaves or `release()`."""
    return ReadBody(), Hold()


def stalls_after(wire: bytes, at: int) -> Steps:
    """The first `at` bytes of a response, then nothing more."""
    return ReadBody(), Send(wire[:at]), Hold()


def pings_only(pause: float = 0.05, times: int | None = None) -> Steps:
    """A stream of `: ping` comments and never an event; with `times`, silence after that many."""
    start = head(200, [*SSE_FIELDS, ("Transfer-Encoding", "chunked")])
    return ReadBody(), Send(start), Trickle(chunk(b": ping\n\n"), pause, times), Hold()
