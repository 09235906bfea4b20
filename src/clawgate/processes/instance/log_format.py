"""Formats log records as lines of text or JSON.

Invariant: every line on stderr and in the log file passes `_SafeFormatter`: secrets are redacted, characters that steer
a terminal or end a line are escaped, and the length is bounded, whatever wrote the record. All times are UTC, with the
offset, as in the access log.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from clawgate.policy.printable import escape_controls
from clawgate.policy.redaction import Redactor

MAX_LENGTH = 16_384
"""Characters of a message, and of a traceback."""
_MARGIN = 4_096
"""Of characters before the end of a cut text that are not shown: a secret that crosses the cut is not recognized."""


def subsystem_of(logger_name: str, role: str) -> str:
    """Return ``workers`` for ``clawgate.workers``, ``role`` for ``clawgate``; other names stay."""
    if logger_name in ("clawgate", "root"):
        return role
    return logger_name.removeprefix("clawgate.")


class _SafeFormatter(logging.Formatter):
    def __init__(self, redactor: Redactor, role: str = "gateway") -> None:
        super().__init__()
        self._redactor = redactor
        self._role = role

    def head(self, record: logging.LogRecord) -> dict[str, str]:
        """Return time, level and subsystem, with which every line begins."""
        return {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "subsystem": escape_controls(subsystem_of(record.name, self._role)),
        }

    def message(self, record: logging.LogRecord) -> str:
        return escape_controls(self._bounded(record.getMessage()))

    def traceback_lines(self, record: logging.LogRecord) -> list[str]:
        if not record.exc_info or record.exc_info[0] is None:
            return []
        return [
            escape_controls(line) for line in self._bounded(self.formatException(record.exc_info)).split("\n")
        ]

    def _bounded(self, text: str) -> str:
        if len(text) <= MAX_LENGTH:
            return self._redactor.redact(text)
        shown = self._redactor.redact(text[:MAX_LENGTH])[:-_MARGIN]
        return f"{shown}… (cut, {len(text)} characters)"


class TextFormatter(_SafeFormatter):
    """For people, as ``clawgate logs`` prints it: the message on one line, a traceback indented below it."""

    def format(self, record: logging.LogRecord) -> str:
        line = " ".join((*self.head(record).values(), self.message(record)))
        return "\n    ".join([line, *self.traceback_lines(record)])


class JsonFormatter(_SafeFormatter):
    """For the log file: one JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        fields = self.head(record) | {"message": self.message(record)}
        if lines := self.traceback_lines(record):
            fields["traceback"] = "\n".join(lines)
        return json.dumps(fields, ensure_ascii=False)
