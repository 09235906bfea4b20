"""Where do log lines go, and who is told of finished requests?"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable

from clawgate.policy.redaction import Redactor
from clawgate.relay.observe.record import Observer, RequestRecord

logger = logging.getLogger("clawgate")

_FAILED = 400
_UNAUTHORIZED = 401
_SAY_AGAIN_SECONDS = 60.0


def set_up_logging(redactor: Redactor, *, verbose: bool) -> None:
    """One handler on standard error, behind which no secret gets."""

    class Clean(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return redactor.redact(super().format(record))

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Clean("%(asctime)s [%(name)s] %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for noisy in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def write_line(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        logger.debug("the access log cannot be written")


def tee_observers(first: Observer, second: Observer) -> Observer:
    def observe(record: RequestRecord) -> None:
        first(record)
        second(record)

    return observe


def log_failures(record: RequestRecord) -> None:
    """Log what failed through us or in front of us; clients that leave are shown by ``--verbose`` alone."""
    if record.code is not None and record.code != "client_left":
        log_all(record)


def log_trouble(record: RequestRecord) -> None:
    """Log what failed, also at a provider: for the operator of several, which one it was.

    A response that broke behind its head has status 200 and an error code.
    """
    if (record.status >= _FAILED or record.code is not None) and record.code != "client_left":
        log_all(record)


def log_all(record: RequestRecord) -> None:
    """Log a request, failed or not."""
    failed = record.code is not None and record.code != "client_left"
    logger.log(
        logging.WARNING if failed else logging.INFO,
        "%s %s%s: %d%s, %d bytes in %.0f ms%s",
        record.method.decode("latin-1"),
        ascii(record.path.decode("latin-1"))[1:-1],
        f" by {ascii(record.served)[1:-1]}" if record.served else "",
        record.status,
        f" {record.code}" if record.code else "",
        record.sent,
        record.total * 1000,
        f": {record.reason}" if record.reason else "",
    )


class AuthFailureMonitor:
    """An observer that says, at most once a minute, that the upstream refuses our credential."""

    def __init__(self, advice: str, clock: Callable[[], float]) -> None:
        self._advice = advice
        self._clock = clock
        self._said_at = -math.inf

    def __call__(self, record: RequestRecord) -> None:
        now = self._clock()
        if (
            record.status == _UNAUTHORIZED
            and record.code is None
            and now - self._said_at >= _SAY_AGAIN_SECONDS
        ):
            self._said_at = now
            logger.warning("%s", self._advice)
