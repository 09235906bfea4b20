"""Detects that one of several files has changed, appeared or gone, by its status alone.

Must not read a file. A change of the mode or the owner counts: it decides whether a file may be used.
"""

from __future__ import annotations

from pathlib import Path

_Stamp = tuple[int, ...] | None


class FileWatch:
    """Watches ``paths`` from the moment that it is made; `changed` is called at intervals."""

    def __init__(self, *paths: Path) -> None:
        self._paths = paths
        self._stamps = self._read()
        self._is_doubtful = False

    def changed(self) -> bool:
        """Return whether a file changed since the last call, or that call's caller was `in_doubt`."""
        stamps = self._read()
        if stamps == self._stamps and not self._is_doubtful:
            return False
        self._stamps = stamps
        return True

    def in_doubt(self) -> bool:
        """Return whether a file that turned out to be unusable may be one that is just being written.

        True once; the next call of `changed` returns True then, and what is still unusable is so for good.
        """
        self._is_doubtful = not self._is_doubtful
        return self._is_doubtful

    def settle(self) -> None:
        """The files were usable: the next unusable one is in doubt again."""
        self._is_doubtful = False

    def _read(self) -> tuple[_Stamp, ...]:
        return tuple(map(_stamp_of, self._paths))


def _stamp_of(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    # The time of the last change of status as well: a copy can keep the time of the content, and its size.
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev
