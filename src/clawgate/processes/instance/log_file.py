"""What stands in a log file, and how does it stay small? One JSON object a line, in a few files of a bounded size.

Secrets are blotted out here, at the sink, whatever wrote the line. A full disk costs log lines, nothing else.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from clawgate.policy.redaction import Redactor

BYTES_A_FILE = 10 * 1024 * 1024
OLDER_FILES = 5


def file_handler(
    path: Path, redactor: Redactor, *, bytes_a_file: int = BYTES_A_FILE, older_files: int = OLDER_FILES
) -> logging.Handler:
    """A handler that appends to ``path``; its folder is made. Files are 0600, the folder 0700. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler = _BoundedFile(path, bytes_a_file, older_files)
    handler.setFormatter(_JsonLine(redactor))
    return handler


def subsystem_of(logger_name: str) -> str:
    """``clawgate.workers`` is ``workers``, ``clawgate`` itself the gateway; others keep their names."""
    if logger_name in ("clawgate", "root"):
        return "gateway"
    return logger_name.removeprefix("clawgate.")


class _JsonLine(logging.Formatter):
    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        said = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "subsystem": subsystem_of(record.name),
            "message": self._redactor.redact(record.getMessage()),
        }
        if record.exc_info and record.exc_info[0] is not None:
            said["traceback"] = self._redactor.redact(self.formatException(record.exc_info))
        return json.dumps(said, ensure_ascii=False)


class _BoundedFile(RotatingFileHandler):
    """Rotates by size; begins a new file when somebody took the present one away."""

    def __init__(self, path: Path, bytes_a_file: int, older_files: int) -> None:
        self._said_so = False
        super().__init__(
            path, maxBytes=bytes_a_file, backupCount=older_files, encoding="utf-8", errors="replace"
        )

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(self.baseFilename, flags, 0o600)
        return open(fd, "a", encoding=self.encoding, errors=self.errors)  # noqa: PTH123  # kept open

    def emit(self, record: logging.LogRecord) -> None:
        if self.stream is not None and self._is_another_file(self.stream):
            self.stream.close()
            self.stream = None  # the base class opens it again
        super().emit(record)

    def _is_another_file(self, stream: TextIOWrapper) -> bool:
        held = os.fstat(stream.fileno())
        try:
            there = os.stat(self.baseFilename)  # noqa: PTH116  # for each line: without building a Path
        except OSError:
            return True
        return (held.st_dev, held.st_ino) != (there.st_dev, there.st_ino)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name is logging's
        """The first time it is said, where there is somebody to hear it."""
        if not self._said_so:
            self._said_so = True
            error = sys.exc_info()[1]
            print(f"clawgate: the log file cannot be written: {error}", file=sys.stderr)  # noqa: T201
