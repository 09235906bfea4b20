"""Builds the response and the record of a request that is rejected before it becomes an exchange."""

from __future__ import annotations

from clawgate.errors import GatewayError, GatewayUnavailable
from clawgate.relay.admission.admission import ANONYMOUS
from clawgate.relay.interfaces import RequestHead
from clawgate.relay.observe.record import RequestRecord
from clawgate.relay.response.error_response import encode_error_response, status_of
from clawgate.wire.dialect import Dialect, dialect_of
from clawgate.wire.http.message import path_of


def process_stops() -> GatewayUnavailable:
    """Return the error of a request that came too late for a process that drains."""
    return GatewayUnavailable("this process is stopping; try again", retry_after=1)


def encode_error(
    error: GatewayError, head: RequestHead | None, *, close: bool, attribution_headers: bytes = b""
) -> bytes:
    """Return the response to a request with ``head``, in its dialect; None where there was no readable head."""
    return encode_error_response(
        error,
        close=close,
        head_only=head is not None and head.method == b"HEAD",
        dialect=Dialect.CHAT if head is None else dialect_of(path_of(head.target), head.fields),
        attribution_headers=attribution_headers,
    )


def rejection_record(
    error: GatewayError, head: RequestHead | None, *, sent: int, seconds: float
) -> RequestRecord:
    """Return the record of a request that was rejected ``seconds`` after it began, with ``sent`` bytes."""
    return RequestRecord(
        method=head.method if head is not None else b"-",
        path=head.target.partition(b"?")[0] if head is not None else b"-",
        caller=error.caller or ANONYMOUS,
        model=None,
        status=status_of(error),
        code=error.code,
        sent=sent,
        first_byte=None,
        total=seconds,
        reason=error.message,
    )
