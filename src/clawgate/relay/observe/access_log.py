"""Writes one access log line for each request: when, who, what and how it ended, never content.

Invariant: a value that a client chose can neither end its line nor look like another field.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from clawgate.relay.observe.record import RequestRecord

_PLAIN = re.compile(r"[A-Za-z0-9._:/@+-]{1,128}\Z")


def line(record: RequestRecord, when: float) -> str:
    """Return the line of one record; ``when`` is the UNIX time of its end."""
    second = int(when)
    microseconds = min(round((when - second) * 1_000_000), 999_999)
    first = "-" if record.first_byte is None else f"{record.first_byte * 1000:.1f}"
    return (
        f"{_timestamp(second)}.{microseconds // 1000:03d}+00:00 "
        f"method={_quoted(record.method.decode('latin-1'))} path={_quoted(record.path.decode('latin-1'))} "
        f"token={_quoted(record.caller)} model={_quoted(record.model or '-')} status={record.status} "
        f"error={record.code or '-'} bytes={record.sent} first_byte_ms={first} total_ms={record.total * 1000:.1f}\n"
    )


@lru_cache(16)
def _timestamp(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat(timespec="seconds").removesuffix("+00:00")


def _quoted(value: str) -> str:
    """Return ``value``, in quotes and with '?' for what does not print where it is not plain."""
    if _PLAIN.match(value):
        return value
    cleaned = "".join(char if char.isprintable() and char not in '"\\' else "?" for char in value[:128])
    return f'"{cleaned.encode("ascii", "backslashreplace").decode("ascii")}"'


class AccessLog:
    """An observer that writes lines in batches of ``batch``, and at `flush`."""

    def __init__(
        self, write: Callable[[str], object], clock: Callable[[], float], *, batch: int = 256
    ) -> None:
        self._write = write
        self._clock = clock
        self._batch = batch
        self._pending: list[tuple[RequestRecord, float]] = []

    def __call__(self, record: RequestRecord) -> None:
        self._pending.append((record, self._clock()))
        if len(self._pending) >= self._batch:
            self.flush()

    def flush(self) -> None:
        if self._pending:
            pending, self._pending = self._pending, []
            self._write("".join([line(record, when) for record, when in pending]))
