"""Keeps the last lines of a child's output, bounded in lines, bytes and time.

Must not know processes or descriptors: bytes go in, printable text comes out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

_MAX_LINES = 40
_MAX_LINE_LENGTH = 500


class OutputTail:
    """The last lines of an endless byte stream, without terminal control sequences.

    ``redact`` is applied to each line before it is shown; ``on_line`` is called with each complete line that is kept.
    """

    def __init__(
        self,
        redact: Callable[[str], str] = lambda line: line,
        *,
        on_line: Callable[[str], None] = lambda line: None,
        max_lines: int = _MAX_LINES,
        max_line_length: int = _MAX_LINE_LENGTH,
    ) -> None:
        self._redact = redact
        self._on_line = on_line
        self._max_lines = max_lines
        self._max_line_length = max_line_length
        self._max_bytes = max_line_length * 4
        self._lines: deque[bytes] = deque(maxlen=max_lines)
        self._partial = b""

    def feed(self, data: bytes) -> None:
        """Add output. Of an overlong line only the beginning is kept."""
        pieces = data.rsplit(b"\n", self._max_lines + 1)
        if len(pieces) <= self._max_lines + 1:
            pieces[0] = self._partial + pieces[0][: self._max_bytes]
        else:
            pieces[0] = b""  # older than all lines that are kept
        for piece in pieces[:-1]:
            self._append(piece)
        self._partial = pieces[-1][: self._max_bytes]

    def _append(self, line: bytes) -> None:
        if stripped := line[: self._max_bytes].strip():
            self._lines.append(stripped)
            self._on_line(self._printable(stripped))

    def clear(self) -> None:
        """Drop all lines: another child's output follows."""
        self._lines.clear()
        self._partial = b""

    def lines(self) -> tuple[str, ...]:
        """Return the lines, oldest first; an incomplete one is the last."""
        partial = self._partial.strip()
        lines = [*self._lines, *([partial] if partial else [])][-self._max_lines :]
        return tuple(filter(None, map(self._printable, lines)))

    def _printable(self, line: bytes) -> str:
        text = _without_escapes(line.decode("utf-8", "replace"))
        text = self._redact("".join(char if char.isprintable() else " " for char in text).strip())
        if len(line) >= self._max_bytes:  # a secret that crosses the cut is not recognized: not shown
            text = f"{text[: -self._max_line_length]}…"
        return text if len(text) <= self._max_line_length else f"{text[: self._max_line_length]}…"


def _without_escapes(text: str) -> str:
    """Remove terminal control sequences (ECMA-48: ESC [ … final character)."""
    head, *rest = text.split("\x1b[")
    return head + "".join(part.lstrip("0123456789:;<=>?!\"#$%&'()*+,-./ ")[1:] for part in rest)
