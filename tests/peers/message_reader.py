"""Reads one HTTP/1.1 message strictly and records everything in it that is not correct.

A strict push reader for one message, with no I/O, clock or logging. It is written by hand on purpose: the
product parses with httptools, and a fake with the same parser would be blind to what that one lets through.
It never raises on bad input: it continues where the meaning is clear, and records each oddity in `anomalies`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["request", "response"]
Framing = Literal["none", "length", "chunked", "close", "upgrade"]

HEAD_LIMIT = 16 * 1024 * 1024
"""Bytes of head after which a reader calls the message broken."""

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) (HTTP/1\.[01])")
_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([1-9][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*)")
_BAD_IN_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})([\t ]*;[\t\x20-\x7e\x80-\xff]*)?")


@dataclass(frozen=True, slots=True)
class Head:
    """A start line and its fields, in the order and spelling in which they came.

    `start` is (method, target, version) or (version, status, reason), empty if the line made no sense.
    """

    start: tuple[str, str, str]
    fields: tuple[tuple[str, str], ...]
    raw: bytes

    def all(self, name: str) -> list[str]:
        """Every value of the field, in order; the name is compared without case."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None


class WithFields:
    """A message whose head may not be here yet."""

    __slots__ = ()
    head: Head | None

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """(name, value) in the order and spelling that arrived."""
        return self.head.fields if self.head else ()

    def header(self, name: str) -> str | None:
        """The first value of the field, or None."""
        return self.head.get(name) if self.head else None

    def header_all(self, name: str) -> list[str]:
        """Every value of the field: two of a kind is often the fault one looks for."""
        return self.head.all(name) if self.head else []


def parse_head(raw: bytes, kind: Kind) -> tuple[Head, list[str]]:
    """The head in `raw` (start line to empty line, both included) and what is wrong with it."""
    anomalies: list[str] = []
    body = raw
    while body.startswith((b"\r\n", b"\n")):
        body = body[body.index(b"\n") + 1 :]
        anomalies.append("empty line before the start line")
    if re.search(rb"(?<!\r)\n", body):
        anomalies.append("bare LF in the head")
    lines = [line.removesuffix(b"\r") for line in body.split(b"\n")]
    match = (_REQUEST_LINE if kind == "request" else _STATUS_LINE).fullmatch(lines[0])
    if match is None:
        anomalies.append(f"malformed start line {lines[0][:80]!r}")
        return Head(("", "", ""), (), raw), anomalies
    start = tuple(part.decode("latin-1") for part in match.groups())
    fields: list[tuple[str, str]] = []
    for line in lines[1:]:
        if not line:
            continue
        name, colon, value = line.partition(b":")
        if line[:1] in b" \t":
            anomalies.append("folded field line")
        elif not colon or not _TOKEN.fullmatch(name):
            anomalies.append(f"malformed field line {line[:80]!r}")
        if _BAD_IN_VALUE.search(value):
            anomalies.append(f"control character in field {name[:40]!r}")
        fields.append((name.decode("latin-1"), value.strip(b" \t").decode("latin-1")))
    return Head((start[0], start[1], start[2]), tuple(fields), raw), anomalies


class MessageReader:
    """Reads one request or one response from bytes in any slices.

    `to_method` is the request's method when reading a response (a response to HEAD has no body).
    After `complete`, what came behind the message is in `unread`. When `broken`, the framing cannot be
    known any more, everything from there on is in `unread`, and the message never becomes complete.
    """

    def __init__(self, kind: Kind, *, to_method: str = "GET") -> None:
        self.kind = kind
        self.head: Head | None = None
        self.interim: list[Head] = []
        self.body = bytearray()
        self.chunks: list[bytes] = []
        self.trailers: list[bytes] = []
        self.anomalies: list[str] = []
        self.framing: Framing = "none"
        self.complete = False
        self.broken = False
        self.consumed = 0
        self._to_method = to_method
        self._buffer = bytearray()
        self._step = self._read_head
        self._left = 0

    @property
    def unread(self) -> bytes:
        """The bytes that are not part of this message, as far as it has been read."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the connection."""
        self._buffer += data
        while not (self.complete or self.broken) and self._step():
            pass

    def feed_eof(self, *, reset: bool = False) -> None:
        """The connection has ended: with a FIN, or with a reset (which completes no message)."""
        if self.complete or self.broken:
            return
        if self.framing == "close" and not reset:
            self.complete = True
            return
        where = "in the head" if self._buffer or self.interim else "before any byte"
        if self.head is not None:
            where = f"in the body ({self.framing}, {len(self.body)} bytes read)"
        self.anomalies.append(f"{'reset' if reset else 'end of the connection'} {where}")

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self.consumed += size
        return data

    def _break(self, why: str) -> bool:
        self.anomalies.append(why)
        self.broken = True
        return False

    def _read_head(self) -> bool:
        start = re.match(rb"(?:\r?\n)*", self._buffer)
        end = re.compile(rb"\n\r?\n").search(self._buffer, start.end() if start else 0)
        if end is None:
            return self._break("head without end") if len(self._buffer) > HEAD_LIMIT else False
        head, anomalies = parse_head(self._take(end.end()), self.kind)
        self.anomalies += anomalies
        if not head.start[0]:
            return self._break("no message to read after that start line")
        if self.kind == "response" and head.start[1].startswith("1") and head.start[1] != "101":
            self.interim.append(head)
            return True
        self.head = head
        return self._begin_body(head)

    def _begin_body(self, head: Head) -> bool:
        response = self.kind == "response"
        version = head.start[0] if response else head.start[2]
        codings, lengths = head.all("transfer-encoding"), head.all("content-length")
        if not response and version == "HTTP/1.1" and len(head.all("host")) != 1:
            self.anomalies.append(f"{len(head.all('host'))} Host fields")
        if codings and lengths:
            self.anomalies.append("both Transfer-Encoding and Content-Length")
        if codings and version == "HTTP/1.0":
            self.anomalies.append("Transfer-Encoding in HTTP/1.0")
        if len(lengths) > 1:
            self.anomalies.append("more than one Content-Length")
        if response and head.start[1] == "101":
            self.framing, self.complete = "upgrade", True
            return False
        if response and (self._to_method == "HEAD" or head.start[1] in {"204", "304"}):
            if head.start[1] == "204" and (codings or lengths):
                self.anomalies.append("body framing on a 204")
            self.complete = True
            return False
        if codings:
            if [coding.lower() for coding in codings] != ["chunked"]:
                return self._break(f"Transfer-Encoding {codings!r}")
            self.framing, self._step = "chunked", self._read_chunk_line
            return True
        if lengths:
            if not re.fullmatch(r"[0-9]{1,18}", lengths[0], re.ASCII) or len(set(lengths)) > 1:
                return self._break(f"Content-Length {lengths!r}")
            self.framing, self._left, self._step = "length", int(lengths[0]), self._read_counted
            return True
        if response:
            self.framing, self._step = "close", self._read_to_close
            return True
        self.complete = True
        return False

    def _read_counted(self) -> bool:
        data = self._take(min(self._left, len(self._buffer)))
        self.body += data
        self._left -= len(data)
        self.complete = self._left == 0
        return False

    def _read_to_close(self) -> bool:
        self.body += self._take(len(self._buffer))
        return False

    def _line(self) -> bytes | None:
        """The next line without its end, or None while it has not arrived."""
        end = self._buffer.find(b"\n")
        if end < 0:
            return None
        line = self._take(end + 1)
        if not line.endswith(b"\r\n"):
            self.anomalies.append("bare LF in the chunk framing")
        return line.removesuffix(b"\n").removesuffix(b"\r")

    def _read_chunk_line(self) -> bool:
        if (line := self._line()) is None:
            return self._break("chunk size line without end") if len(self._buffer) > 65536 else False
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            return self._break(f"malformed chunk size line {line[:80]!r}")
        self._left = int(match[1], 16)
        self._step = self._read_chunk_data if self._left else self._read_trailer
        return True

    def _read_chunk_data(self) -> bool:
        # Waits for the whole chunk and its CRLF: `body` then holds only what was framed correctly.
        if len(self._buffer) < self._left + 2:
            return False
        data = self._take(self._left)
        self.body += data
        self.chunks.append(data)
        if (end := self._take(2)) != b"\r\n":
            return self._break(f"{end!r} where the chunk should end")
        self._step = self._read_chunk_line
        return True

    def _read_trailer(self) -> bool:
        if (line := self._line()) is None:
            return False
        if not line:
            self.complete = True
            return False
        if not _TOKEN.fullmatch(line.partition(b":")[0]) or b":" not in line:
            self.anomalies.append(f"malformed trailer {line[:80]!r}")
        self.trailers.append(line)
        return True
