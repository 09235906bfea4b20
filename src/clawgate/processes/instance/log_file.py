"""Writes the log file: one JSON object per line, rotated by size.

A full disk costs log lines and nothing else.
"""

from __future__ import annotations

import logging
import os
import sys
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from clawgate.policy.redaction import Redactor
from clawgate.processes.instance.log_format import JsonFormatter
from clawgate.settings.private_folder import make_private_folder

MAX_FILE_BYTES = 10 * 1024 * 1024
OLDER_FILES = 5


def file_handler(
    path: Path, redactor: Redactor, *, max_file_bytes: int = MAX_FILE_BYTES, older_files: int = OLDER_FILES
) -> logging.Handler:
    """Return a handler that appends to ``path``. Files are 0600, a new folder 0700. Raises OSError."""
    make_private_folder(path.parent)
    handler = _PrivateRotatingFile(path, max_file_bytes, older_files)
    handler.setFormatter(JsonFormatter(redactor))
    return handler


class _PrivateRotatingFile(RotatingFileHandler):
    """Rotates by size; creates a new file when the current one was moved or deleted."""

    def __init__(self, path: Path, max_file_bytes: int, older_files: int) -> None:
        self._error_reported = False
        super().__init__(
            path, maxBytes=max_file_bytes, backupCount=older_files, encoding="utf-8", errors="replace"
        )

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(self.baseFilename, flags, 0o600)
        return open(fd, "a", encoding=self.encoding, errors=self.errors)  # noqa: PTH123  # stays open

    def emit(self, record: logging.LogRecord) -> None:
        if self.stream is not None and self._is_another_file(self.stream):
            self.stream.close()
            self.stream = None  # the base class opens it again
        super().emit(record)

    def _is_another_file(self, stream: TextIOWrapper) -> bool:
        held = os.fstat(stream.fileno())
        try:
            current = os.stat(self.baseFilename)  # noqa: PTH116  # for each line: without building a Path
        except OSError:
            return True
        return (held.st_dev, held.st_ino) != (current.st_dev, current.st_ino)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name is logging's
        """Report the first failure on stderr; further ones are silent."""
        if not self._error_reported:
            self._error_reported = True
            error = sys.exc_info()[1]
            print(f"clawgate: {self.baseFilename}: the log file cannot be written: {error}", file=sys.stderr)  # noqa: T201
