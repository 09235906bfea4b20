"""One line a request, never content: when, who, what, how it went. Lines are gathered and written a few at a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from clawgate.relay.observe.record import RequestRecord

_PLAIN = re.compile(r"[A-Za-z0-9._:/@+-]{1,128}\Z")


def _quoted(value: str) -> str:
    """A value of the client's, so that it can neither end the line nor look like another field."""
    if _PLAIN.match(value):
        return value
    cleaned = "".join(char if char.isprintable() and char not in '"\\' else "?" for char in value[:128])
    return f'"{cleaned.encode("ascii", "backslashreplace").decode("ascii")}"'


def line(record: RequestRecord, when: float) -> str:
    """The line of one record; ``when`` is the UNIX time of its end."""
    first = "-" if record.first_byte is None else f"{record.first_byte * 1000:.1f}"
    return (
        f"{datetime.fromtimestamp(when, UTC).isoformat(timespec='milliseconds')} "
        f"method={_quoted(record.method.decode('latin-1'))} path={_quoted(record.path.decode('latin-1'))} "
        f"token={_quoted(record.caller)} model={_quoted(record.model or '-')} status={record.status} "
        f"error={record.code or '-'} bytes={record.sent} first_byte_ms={first} total_ms={record.total * 1000:.1f}\n"
    )


class AccessLog:
    """An observer that keeps lines until `flush` or until there are many."""

    def __init__(
        self, write: Callable[[str], object], clock: Callable[[], float], *, most: int = 256
    ) -> None:
        self._write = write
        self._clock = clock
        self._most = most
        self._waiting: list[tuple[RequestRecord, float]] = []

    def __call__(self, record: RequestRecord) -> None:
        self._waiting.append((record, self._clock()))
        if len(self._waiting) >= self._most:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._write("".join([line(record, when) for record, when in waiting]))
