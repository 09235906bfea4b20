"""Maps an error response to its real status, for a provider whose plugin knows what its errors are.

Some servers wrap the failures of the program behind them: a 500 that contains a 404. What the plugin does not know
passes unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clawgate.errors import UpstreamFailed
from clawgate.relay.interfaces import ResponseHead
from clawgate.relay.response.buffered import MadeResponse
from clawgate.relay.response.head import ResponseOptions, header_lines
from clawgate.relay.response.redact import masked_error, masked_fully
from clawgate.wire.anthropic import errors as anthropic_errors
from clawgate.wire.dialect import Dialect
from clawgate.wire.http.message import STATUS_LINE
from clawgate.wire.openai import errors as openai_errors
from clawgate.wire.translate import errors as upstream_errors

if TYPE_CHECKING:  # bridge and server have no plugins
    from clawgate.plugins.api import MappedError

MAX_MAPPED_BYTES = 65_536
"""How much of an error body the plugin gets."""
_BAD_GATEWAY = 502
_OWN_BODY = (b"content-type", b"content-encoding")


MapError = Callable[[int, bytes], "MappedError | None"]
"""Maps status and body of an error; None if it does not know better."""


def map_response(
    head: ResponseHead,
    options: ResponseOptions,
    map_error: MapError,
    unmapped: Callable[[bytes], bytes],
) -> Callable[[bytes], MadeResponse]:
    """Return what makes the client's response of the body; ``unmapped`` makes the body where there is no mapping."""

    def make(body: bytes) -> MadeResponse:
        mapped = map_error(head.status, body[:MAX_MAPPED_BYTES])
        if mapped is None:
            return MadeResponse(
                head.status, header_lines(head, options), masked_fully(unmapped(body), options.secrets)
            )
        status = mapped.status if mapped.status in STATUS_LINE else _BAD_GATEWAY
        without = (*_OWN_BODY, b"retry-after") if mapped.retry_after else _OWN_BODY
        lines = header_lines(head, options, without=without) + b"content-type: application/json\r\n"
        if mapped.retry_after is not None:
            lines += b"retry-after: %d\r\n" % mapped.retry_after
        render = anthropic_errors if options.dialect is Dialect.MESSAGES else openai_errors
        error = render.error_body(
            message=mapped.message,
            kind=upstream_errors.kind_of(status, options.dialect) or "upstream_error",
            code=UpstreamFailed.code,
        )
        failure = UpstreamFailed(mapped.message, retry_after=mapped.retry_after, status=status)
        return MadeResponse(
            status,
            lines,
            masked_fully(error, options.secrets),
            failure=masked_error(failure, options.secrets),
        )

    return make
