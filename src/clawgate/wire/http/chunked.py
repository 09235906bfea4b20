"""Decodes the chunked body of a request strictly, in any pieces, and exactly to its end.

RFC 9112 section 7.1, without the leniency that it allows: no white space around sizes, no bare LF, no size of more than
64 bits. Extensions and trailers are checked for their form and dropped.
"""

from __future__ import annotations

import re

from clawgate.errors import BodyTooLarge, MalformedRequest

_NAME = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VALUE = rb"[\t\x20-\x7e\x80-\xff]*"
_QUOTED = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
_EXTENSIONS = rb"(?:;" + _NAME + rb"(?:=(?:" + _NAME + rb"|" + _QUOTED + rb"))?)*"
_size_line = re.compile(rb"([0-9A-Fa-f]{1,16})" + _EXTENSIONS + rb"\r\n").match
_size_begun = re.compile(rb"(?:[0-9A-Fa-f]{1,16}(?:;" + _VALUE + rb")?\r?)?\Z").match
_trailer_line = re.compile(rb"(?:(" + _NAME + rb"):" + _VALUE + rb")?\r\n").match
_trailer_begun = re.compile(rb"(?:" + _NAME + rb"(?::" + _VALUE + rb")?)?\r?\Z").match
_NO_TRAILERS = frozenset(
    {b"content-length", b"transfer-encoding"}
)  # RFC 9110 section 6.5.1: too late for framing
_LONGEST_LINE = 4096
_FRAMING_A_BYTE = 6  # a chunk of one byte takes five bytes of framing
_CRLF = b"\r\n"


class ChunkedBody:
    """One body of at most ``limit`` bytes; ``framing_limit`` is how many bytes its framing may be out of proportion."""

    def __init__(self, limit: int, framing_limit: int) -> None:
        self.ended = False
        """Whether the last chunk and its trailers arrived."""
        self._limit = limit
        self._framing_limit = framing_limit
        self._line = b""  # the beginning of a line whose end has not arrived
        self._left = 0  # of the present chunk
        self._closing = False  # the present chunk arrived, but for its CRLF
        self._in_trailers = False
        self._announced = 0
        self._framing = 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the content in ``data``, and what follows the end of the body.

        Raises `MalformedRequest`, or `BodyTooLarge` for a body whose sizes exceed the limit.
        """
        size = len(data)
        if self._line:
            data, self._line = self._line + data, b""
        at = 0
        pieces = []
        while at < len(data) and not self.ended:
            if self._left:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._closing = not self._left
            else:
                at = self._read_line(data, at)
        content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        rest = data[at:]
        self._framing = max(self._framing + size - len(rest) - _FRAMING_A_BYTE * len(content), 0)
        if self._framing > self._framing_limit:
            raise MalformedRequest("the chunked body has more framing than content")
        return content, rest

    def _read_line(self, data: bytes, at: int) -> int:
        """Read one line of the framing from ``at``, or keep its beginning; return where to continue."""
        if self._closing:
            end = data[at : at + 2]
            if not _CRLF.startswith(end):
                raise MalformedRequest("a chunk does not end where its size says")
            if end == _CRLF:
                self._closing = False
                return at + 2
            return self._keep(data, at)
        line = (_trailer_line if self._in_trailers else _size_line)(data, at)
        if line is None:
            if not (_trailer_begun if self._in_trailers else _size_begun)(data, at):
                part = "trailer" if self._in_trailers else "chunk size"
                raise MalformedRequest(f"the chunked body contains a malformed {part}")
            return self._keep(data, at)
        if self._in_trailers:
            if line[1] is not None and line[1].lower() in _NO_TRAILERS:
                raise MalformedRequest(f"trailer field not allowed: {line[1].decode('ascii')}")
            self.ended = line[1] is None
        else:
            self._left = int(line[1], 16)
            self._in_trailers = not self._left
            self._announced += self._left
            if self._announced > self._limit:
                raise BodyTooLarge(f"the body is over the limit of {self._limit} bytes")
        return line.end()

    def _keep(self, data: bytes, at: int) -> int:
        self._line = data[at:]
        if len(self._line) > _LONGEST_LINE:
            raise MalformedRequest(
                f"the chunked body contains a line of over {_LONGEST_LINE} bytes of framing"
            )
        return len(data)
