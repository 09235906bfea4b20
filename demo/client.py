"""A plain streaming client for either dialect that measures time: to the first byte, and to the end.

Stdlib only and one connection at a time. Must not know what serves it: a model, a gateway or OpenAI.
"""

from __future__ import annotations

import http.client
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Hop:
    """Where to send: `base_url` with `/v1`, the fields that let one in, and what stands before a model's name."""

    name: str
    base_url: str
    headers: Mapping[str, str]
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A streamed response. `error` is empty if it is complete: correct framing, the reason and the mark of its end.

    `first_byte` and `total` are seconds from just before the request was written to the first line of the
    body, and to its end.
    """

    text: str
    error: str
    first_byte: float
    total: float


@dataclass(frozen=True, slots=True)
class Timing:
    """Over `rounds` requests, in seconds: the medians, and the fastest first byte (what noise cannot add to)."""

    hop: Hop
    rounds: int
    first_byte: float
    total: float
    fastest: float


class _Refused(Exception):
    """A response that reports an error."""


class Sender:
    """A keep-alive connection to one hop that sends chat completion requests."""

    path = "/chat/completions"
    more: ClassVar[Mapping[str, object]] = {}

    def __init__(self, hop: Hop, timeout: float = 60.0) -> None:
        self.hop = hop
        url = urlsplit(hop.base_url)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(url.hostname or "", url.port, timeout=timeout)
        self._path = url.path.rstrip("/") + self.path

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def ask(self, model: str, prompt: str, show: Callable[[str], None] = lambda _: None) -> Reply:
        """Send one streamed request; each piece of text goes to `show` as it arrives. Raises nothing."""
        messages = [{"role": "user", "content": prompt}]
        body = {"model": self.hop.prefix + model, "stream": True, "messages": messages, **self.more}
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream", **self.hop.headers}
        texts: list[str] = []
        began = first = time.perf_counter()
        error = ""
        try:
            self._connection.request("POST", self._path, json.dumps(body).encode(), headers)
            response = self._connection.getresponse()
            if response.status != 200:
                raise _Refused(f"status {response.status}: {response.read(2000).decode(errors='replace')}")
            finished = done = False
            lines = _lines(response)
            data = next(lines, b"")
            first = time.perf_counter()
            while data:
                if data.startswith(b"data:"):
                    text, finish, end = self.read(data[5:].strip())
                    finished, done = finished or finish, done or end
                    texts.append(text)
                    show(text)
                data = next(lines, b"")
            if not (finished and done):
                error = "the stream ended without a finish reason and its last event"
        except _Refused as refused:
            error = str(refused)
            self._connection.close()
        except (OSError, http.client.HTTPException, ValueError) as problem:
            error = f"{type(problem).__name__}: {problem}"
            self._connection.close()
        return Reply("".join(texts), error, first - began, time.perf_counter() - began)

    def read(self, data: bytes) -> tuple[str, bool, bool]:
        """Of one event: its text, whether it has the reason of the end, whether it is the last one."""
        if data == b"[DONE]":
            return "", False, True
        return (*_delta(json.loads(data)), False)


class MessagesSender(Sender):
    """The same for Anthropic's Messages."""

    path = "/messages"
    more: ClassVar[Mapping[str, object]] = {"max_tokens": 1000}

    def read(self, data: bytes) -> tuple[str, bool, bool]:
        event = json.loads(data)
        kind = event.get("type") if isinstance(event, dict) else None
        if kind in (None, "error"):
            raise _Refused(f"an error in the stream: {json.dumps(event)[:500]}")
        delta = event.get("delta") or {}
        return delta.get("text") or "", bool(delta.get("stop_reason")), kind == "message_stop"


def time_hops(
    hops: Sequence[Hop], model: str, prompt: str, rounds: int = 30, warm_up: int = 5
) -> list[Timing]:
    """Send the same streamed request to each hop in turn, `rounds` times, over one connection each.

    In turn, each round from another one on, so that whatever else the machine does falls on all of them
    alike. RuntimeError if one fails.
    """
    senders = [Sender(hop) for hop in hops]
    taken: list[list[Reply]] = [[] for _ in hops]
    try:
        for number in range(warm_up + rounds):
            for place in range(len(hops)):
                which = (number + place) % len(hops)
                reply = senders[which].ask(model, prompt)
                if reply.error:
                    raise RuntimeError(f"{hops[which].name}: {reply.error}")
                if number >= warm_up:
                    taken[which].append(reply)
    finally:
        for sender in senders:
            sender.close()
    return [
        Timing(
            hop,
            rounds,
            statistics.median(reply.first_byte for reply in replies),
            statistics.median(reply.total for reply in replies),
            min(reply.first_byte for reply in replies),
        )
        for hop, replies in zip(hops, taken, strict=True)
    ]


def _lines(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body's lines, each as soon as it is here, with its end; a last one without end is not a line."""
    buffer = b""
    while piece := response.read1(65536):
        *whole, buffer = (buffer + piece).split(b"\n")
        yield from (line + b"\n" for line in whole)


def _delta(event: Any) -> tuple[str, bool]:
    """The text of a stream event, and whether it has a finish reason. _Refused for an error event."""
    if not isinstance(event, dict) or "error" in event:
        raise _Refused(f"an error in the stream: {json.dumps(event)[:500]}")
    choices = event.get("choices") or [{}]
    return (choices[0].get("delta") or {}).get("content") or "", bool(choices[0].get("finish_reason"))
