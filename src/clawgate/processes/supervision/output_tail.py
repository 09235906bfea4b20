"""What did a child say last? Its last lines, whatever it writes: bounded in lines, in bytes, and in time to find out.

Knows no process and no descriptor: bytes go in, printable text comes out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

_MOST_LINES = 40
_LONGEST_LINE = 500


class OutputTail:
    """The last lines of a stream of bytes that may never end, without the signs that steer a terminal.

    ``clean`` is given each line that is shown, and may blot out secrets in it.
    """

    def __init__(
        self,
        clean: Callable[[str], str] = lambda line: line,
        *,
        most_lines: int = _MOST_LINES,
        longest_line: int = _LONGEST_LINE,
    ) -> None:
        self._clean = clean
        self._most = most_lines
        self._longest = longest_line
        self._kept = longest_line * 4  # so that a secret at the cut is still known for one
        self._lines: deque[bytes] = deque(maxlen=most_lines)
        self._part = b""

    def feed(self, data: bytes) -> None:
        """Take what was written. Of a longer line the beginning is kept."""
        pieces = data.rsplit(b"\n", self._most + 1)
        if len(pieces) <= self._most + 1:
            pieces[0] = self._part + pieces[0][: self._kept]
        else:
            pieces[0] = b""  # older than all that is kept
        for piece in pieces[:-1]:
            self._keep(piece)
        self._part = pieces[-1][: self._kept]

    def _keep(self, line: bytes) -> None:
        if stripped := line[: self._kept].strip():
            self._lines.append(stripped)

    def clear(self) -> None:
        """Forget: what follows is said by another child."""
        self._lines.clear()
        self._part = b""

    def lines(self) -> tuple[str, ...]:
        """The oldest first; an unfinished one is the last."""
        kept = [*self._lines, *([self._part.strip()] if self._part.strip() else [])][-self._most :]
        return tuple(filter(None, map(self._shown, kept)))

    def _shown(self, line: bytes) -> str:
        text = _plain(line.decode("utf-8", "replace"))
        shown = self._clean("".join(sign if sign.isprintable() else " " for sign in text).strip())
        return shown if len(shown) <= self._longest else f"{shown[: self._longest]}…"


def _plain(text: str) -> str:
    """Without colours and other sequences of a terminal (ECMA-48: ESC [ … final sign)."""
    head, *rest = text.split("\x1b[")
    return head + "".join(part.lstrip("0123456789:;<=>?!\"#$%&'()*+,-./ ")[1:] for part in rest)
