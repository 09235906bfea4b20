"""Bounds what an MCP server sends: the size of one message, and how much there is in it.

Pure. Law: no message may occupy the event loop for long, so each is checked before the SDK validates it, which takes
about 20 microseconds for each wrong element (measured with `mcp` 2.3.0: 0.45 s for 20 000 blocks that are none). What
it does not look into costs a tenth of a microsecond.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from clawgate.wire.json.surrogates import replace_lone_surrogates

MAX_FRAME = 4_194_304
"""Bytes of one message."""
_MAX_MARKS = 200_000
"""Commas and opening brackets of one message, those in texts included: what it takes to decode it at all."""
_MAX_VALUES = 20_000
_MAX_CHECKED = 4000
"""Of these, those that the SDK validates one by one: 256 tools or blocks have about 3000."""
_MAX_DEPTH = 100
"""The SDK writes 255 levels, and JSON of Python about 1000."""
_FREE = frozenset({"_meta", "data", "inputSchema", "outputSchema", "requestedSchema", "structuredContent"})
"""What is below them may be anything, and the SDK takes it as it is."""
_MAX_ESCAPES = 20_000
"""Of characters in one message that has halves of some repaired: each costs half a microsecond."""
_MAX_REQUESTS = 1000
"""Of the server, in one stream of events: each waits until its response was taken."""
_UNIT_BYTES = 16_384
_UNITS_AT_ONCE = 200
_PAUSE_SECONDS = 0.05
_SHORTEST_RETRY, _LONGEST_RETRY = 500, 60_000
_MAX_HEAD, _MAX_HEAD_LINES = 16_384, 128
_BLANK_LINE = re.compile(rb"\n\r?\n")  # as h11 finds the end of a head
_INFORMATIONAL = re.compile(rb"\s*HTTP/1\.[01] 1")
_MAX_LINES = 10_000
"""Of an event."""
_ENDPOINT = b"endpoint"
"""The event of the old transport whose data is a path."""
_MAX_ELEMENTS = 256
"""Of a list directly in a result: tools of a page, blocks of content."""


class FrameRejected(Exception):
    """A message that is not read. ``is_noise``: it is no JSON-RPC at all, as programs print it; the text says why."""

    def __init__(self, reason: str, *, is_noise: bool = False) -> None:
        super().__init__(reason)
        self.is_noise = is_noise


def decode(frame: bytes) -> dict[str, Any]:
    """Return one JSON-RPC message. Raises `FrameRejected`."""
    if len(frame) > MAX_FRAME:
        raise FrameRejected(f"a message of more than {MAX_FRAME} bytes")
    if frame.count(b",") + frame.count(b"[") + frame.count(b"{") > _MAX_MARKS:
        raise FrameRejected(f"a message with more than {_MAX_MARKS} commas and brackets")
    try:
        message = msgspec.json.decode(repaired(frame))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise FrameRejected("no JSON", is_noise=True) from None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise FrameRejected("no JSON-RPC message", is_noise=True)
    _check_amount(message)
    return message


def repaired(frame: bytes) -> bytes:
    """Return a message with U+FFFD for halves of characters, which JavaScript writes and neither reader accepts."""
    return replace_lone_surrogates(frame) if frame.count(rb"\u") <= _MAX_ESCAPES else frame


def _check_amount(message: dict[str, Any]) -> None:
    result = message.get("result")
    for name, value in result.items() if isinstance(result, dict) else ():
        if isinstance(value, list) and len(value) > _MAX_ELEMENTS:
            raise FrameRejected(f"a result with more than {_MAX_ELEMENTS} {name[:40]}")
    free: list[Any] = []
    if _amount([message], _MAX_CHECKED, free) > _MAX_CHECKED:
        raise FrameRejected(
            f"a message with more than {_MAX_CHECKED} values, without those that may be anything"
        )
    if amount_exceeds(free, _MAX_VALUES):
        raise FrameRejected(f"a message with more than {_MAX_VALUES} values")


def amount_exceeds(values: list[Any], most: int) -> bool:
    """Whether there are more than ``most`` values in these, at any depth. Raises `FrameRejected` for too deep a one."""
    return _amount(values, most, None) > most


def _amount(level: list[Any], most: int, free: list[Any] | None) -> int:
    """Return how many values there are, but for those that go to ``free``; it stops above ``most``.

    Raises `FrameRejected` for what is nested too deep.
    """
    values = depth = 0
    while level:
        values += len(level)
        depth += 1
        if values > most:
            break
        if depth > _MAX_DEPTH:
            raise FrameRejected(f"a message that is nested more than {_MAX_DEPTH} deep")
        below: list[Any] = []
        for one in level:
            if isinstance(one, list):
                below += one
            elif isinstance(one, dict) and (free is None or _FREE.isdisjoint(one)):
                below += one.values()
            elif isinstance(one, dict) and free is not None:
                for name, part in one.items():
                    (free if name in _FREE else below).append(part)
        level = below
    return values


class Pace:
    """Has a server that sends much wait, so that reading it takes a part of the loop's time, not all of it."""

    def __init__(self) -> None:
        self._units = 0

    def after(self, size: int, messages: int = 1) -> float:
        """Return the seconds until more is read, after ``messages`` of ``size`` bytes."""
        self._units += messages + size // _UNIT_BYTES
        pauses, self._units = divmod(self._units, _UNITS_AT_ONCE)
        return pauses * _PAUSE_SECONDS


class Heads:
    """Bounds what a server sends over HTTP before a body: a parser takes it at once, informational ones without end."""

    def __init__(self) -> None:
        self._head: bytearray | None = None
        self._before = 0

    def begin(self) -> None:
        """A request was sent."""
        self._head, self._before = bytearray(), 0

    def feed(self, data: bytes) -> None:
        """Raises `FrameRejected`."""
        while self._head is not None:
            self._head += data
            end = _BLANK_LINE.search(self._head)
            head = self._head if end is None else self._head[: end.end()]
            if self._before + len(head) > _MAX_HEAD or head.count(b"\n") > _MAX_HEAD_LINES:
                raise FrameRejected(f"a head of more than {_MAX_HEAD} bytes or {_MAX_HEAD_LINES} lines")
            if end is None:
                return
            data = bytes(self._head[end.end() :])
            self._before += len(head)
            self._head = bytearray() if _INFORMATIONAL.match(head) else None


class Lines:
    """Splits a stream into its lines."""

    def __init__(self) -> None:
        self._partial = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each line that is complete, without its end. Raises `FrameRejected` for one that is too long."""
        *lines, rest = data.split(b"\n")
        for line in lines:
            whole = bytes(self._partial) + line
            self._partial.clear()
            if whole.strip():
                yield whole
        self._partial += rest
        if len(self._partial) > MAX_FRAME:
            raise FrameRejected(f"a message of more than {MAX_FRAME} bytes")


class Events:
    """Passes on a stream of server-sent events, each when it is complete and was checked.

    What the SDK could read in another way is rejected: lines that end with CR alone, and data that is no JSON here.
    """

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._size = self._requests = 0
        self.count = 0
        """Events that were passed on."""
        self._partial = bytearray()

    def feed(self, data: bytes) -> bytes:
        """Return the events that are complete now. Raises `FrameRejected`."""
        complete: list[bytes] = []
        *lines, rest = data.split(b"\n")
        for end in lines:
            line = bytes(self._partial) + end
            self._partial.clear()
            self._add(line)
            if not line.strip(b"\r"):
                self._check()
                complete += map(repaired, self._lines)
                self.count += 1
                self._lines, self._size = [], 0
        self._partial += rest
        if self._size + len(self._partial) > MAX_FRAME or len(self._lines) > _MAX_LINES:
            raise FrameRejected(f"an event of more than {MAX_FRAME} bytes or {_MAX_LINES} lines")
        return b"".join(line + b"\n" for line in complete)

    def close(self) -> None:
        """Reject lines that end with CR alone; an event without its end is none. Raises `FrameRejected`."""
        self._add(bytes(self._partial))

    def _add(self, line: bytes) -> None:
        if b"\r" in line[:-1]:
            raise FrameRejected("an event with a line that ends with CR alone")
        if not _hurries(line):
            self._lines.append(line)
        self._size += len(line) + 1

    def _check(self) -> None:
        kind, parts = b"", []
        for line in self._lines:
            name, _, value = line.rstrip(b"\r").partition(b":")
            if name == b"event":
                kind = value.strip()
            elif name == b"data":
                parts.append(value.removeprefix(b" "))
        data = b"\n".join(parts)
        if data and kind != _ENDPOINT:
            message = decode(data)
            self._requests += "method" in message and "id" in message
            if self._requests > _MAX_REQUESTS:
                raise FrameRejected(f"more than {_MAX_REQUESTS} requests in one stream")


def _hurries(line: bytes) -> bool:
    """Whether a line has the SDK reconnect at once, which it does for as long as streams end: it counts failures."""
    name, _, value = line.rstrip(b"\r").partition(b":")
    if not name.endswith(b"retry"):
        return False
    text = value.removeprefix(b" ")
    return not (text.isdigit() and len(text) < 7 and _SHORTEST_RETRY <= int(text) <= _LONGEST_RETRY)
