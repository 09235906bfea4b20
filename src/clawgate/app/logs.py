"""Where do log lines go, and who is told of finished requests?"""

from __future__ import annotations

import logging
import sys

from clawgate.policy.redaction import Redactor
from clawgate.relay.journal import Observer, Record

logger = logging.getLogger("clawgate")


def set_up_logging(redactor: Redactor, *, verbose: bool) -> None:
    """One handler on standard error, behind which no secret gets."""

    class Clean(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return redactor.clean(super().format(record))

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Clean("%(asctime)s [%(name)s] %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for noisy in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def print_out(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        logger.debug("the access log cannot be written")


def both(first: Observer, second: Observer) -> Observer:
    def observe(record: Record) -> None:
        first(record)
        second(record)

    return observe


def log_failures(record: Record) -> None:
    if record.code is not None and record.code != "client_left":  # clients come and go; --verbose shows them
        log_all(record)


def log_all(record: Record) -> None:
    logger.info(
        "%s %s: %d%s, %d bytes in %.0f ms",
        record.method.decode("ascii"),
        record.path.decode("ascii"),
        record.status,
        f" {record.code}" if record.code else "",
        record.sent,
        record.total * 1000,
    )
