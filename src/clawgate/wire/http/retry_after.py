"""Reads from a response when its request may be sent again, in the forms that providers use.

Must not read a clock: a date counts from the ``Date`` of the same response (RFC 9110 10.2.3).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

_MILLISECONDS = re.compile(rb"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_SECONDS = re.compile(rb"[0-9]{1,9}(?:\.[0-9]{1,9})?")


def seconds_to_wait(headers: Mapping[bytes, bytes]) -> int | None:
    """Return whole seconds, rounded up, of ``retry-after-ms`` (OpenAI) or ``Retry-After``; None if none is usable."""
    if _MILLISECONDS.fullmatch(exact := headers.get(b"retry-after-ms", b"").strip()):
        return math.ceil(float(exact) / 1000)
    value = headers.get(b"retry-after", b"").strip()
    if _SECONDS.fullmatch(value):
        return math.ceil(float(value))
    until, sent = _date(value), _date(headers.get(b"date", b""))
    return (
        max(0, math.ceil((until - sent).total_seconds())) if until is not None and sent is not None else None
    )


def _date(value: bytes) -> datetime | None:
    try:
        found = parsedate_to_datetime(value.decode("ascii"))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
