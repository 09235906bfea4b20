"""Sets up logging, and provides the observers that log finished requests."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable

from clawgate.errors import UpstreamUnauthorized
from clawgate.policy.redaction import Redactor
from clawgate.processes.instance.log_format import TextFormatter
from clawgate.relay.admission.admission import ANONYMOUS
from clawgate.relay.observe.record import Observer, RequestRecord

logger = logging.getLogger("clawgate")

_FAILED = 400
_MAX_PATH = 200
_MAX_REASON = 500
_MINUTE = 60.0
ANONYMOUS_ERRORS_PER_MINUTE = 30
"""Lines for failed requests without a valid token: strangers must not be able to push all else out of the log."""


def set_up_logging(redactor: Redactor, *, verbose: bool, role: str = "gateway") -> None:
    """Install one handler, on standard error, whose lines pass ``redactor``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter(redactor, role))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    logging.captureWarnings(True)
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


def has_own_error(record: RequestRecord) -> bool:
    """Whether the request failed with an error of ours; a client that disconnects is no failure.

    A credential that the upstream rejects is not logged for each request: see `AuthFailureMonitor`.
    """
    return record.code not in (None, "client_left", UpstreamUnauthorized.code)


def has_failed(record: RequestRecord) -> bool:
    """Whether the request failed, also with a provider's own error.

    A response that broke behind its head has status 200 and an error code.
    """
    return (record.status >= _FAILED or record.code is not None) and record.code != "client_left"


class RequestLog:
    """An observer that logs the requests that ``selects`` chooses; ``clock`` is monotonic, in seconds."""

    def __init__(
        self, clock: Callable[[], float], selects: Callable[[RequestRecord], bool] = lambda record: True
    ) -> None:
        self._clock = clock
        self._selects = selects
        self._minute_began_at = -math.inf
        self._anonymous_errors = 0

    def __call__(self, record: RequestRecord) -> None:
        if self._selects(record) and (record.caller != ANONYMOUS or not record.code or self._may_log()):
            _log(record)

    def _may_log(self) -> bool:
        """Count one error of a caller without a token, and report when the rest of a minute is only counted."""
        now = self._clock()
        if now - self._minute_began_at >= _MINUTE:
            if (dropped := self._anonymous_errors - ANONYMOUS_ERRORS_PER_MINUTE) > 0:
                logger.warning("%d failed requests without a token were not logged", dropped)
            self._minute_began_at, self._anonymous_errors = now, 0
        self._anonymous_errors += 1
        if self._anonymous_errors == ANONYMOUS_ERRORS_PER_MINUTE + 1:
            logger.warning(
                "too many failed requests without a token: the rest of this minute is only counted"
            )
        return self._anonymous_errors <= ANONYMOUS_ERRORS_PER_MINUTE


def _log(record: RequestRecord) -> None:
    logger.log(
        logging.WARNING if has_own_error(record) else logging.INFO,
        "%s %s%s: %d%s, %d bytes in %.0f ms%s",
        record.method.decode("latin-1"),
        _cut(record.path.decode("latin-1"), _MAX_PATH),
        f" by {record.served}" if record.served else "",
        record.status,
        f" {record.code}" if record.code else "",
        record.sent,
        record.total * 1000,
        f": {_cut(record.reason, _MAX_REASON)}" if record.reason else "",
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"


class AuthFailureMonitor:
    """An observer that warns, at most once a minute, that the upstream rejects our credential."""

    def __init__(self, advice: str, clock: Callable[[], float]) -> None:
        self._advice = advice
        self._clock = clock
        self._warned_at = -math.inf

    def __call__(self, record: RequestRecord) -> None:
        now = self._clock()
        if record.code == UpstreamUnauthorized.code and now - self._warned_at >= _MINUTE:
            self._warned_at = now
            logger.warning("%s", self._advice)
