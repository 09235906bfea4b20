"""Maps an error response to its real status, for a provider whose plugin knows what its errors are.

Some servers wrap the failures of the program behind them: a 500 that contains a 404. What the plugin does not know
passes unchanged. A 401 of any upstream becomes one that no client takes for the gateway's own, and a provider's error
without words (a web page, as a proxy in front of a model server sends it, or nothing) one with its likely cause.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clawgate.errors import InvalidToken, MissingToken, UpstreamFailed, UpstreamUnauthorized
from clawgate.relay.interfaces import ResponseHead
from clawgate.relay.response.buffered import MadeResponse
from clawgate.relay.response.head import OWN_PREFIX, ResponseOptions, header_lines, relayed_lines
from clawgate.relay.response.operator_error import shuts, starred
from clawgate.relay.response.redact import masked_error, masked_fully
from clawgate.relay.response.translated import RENAMED
from clawgate.wire.anthropic import errors as anthropic_errors
from clawgate.wire.dialect import Dialect
from clawgate.wire.http.message import STATUS_LINE
from clawgate.wire.openai import errors as openai_errors
from clawgate.wire.translate import errors as upstream_errors

if TYPE_CHECKING:  # bridge and server have no plugins
    from clawgate.plugins.api import MappedError

MAX_MAPPED_BYTES = 65_536
"""How much of an error body the plugin gets."""
UNAUTHORIZED = 401
UNPAID = 402
NOT_RETRIED = frozenset(range(400, 500)) - {UNAUTHORIZED, 408, 429}
"""What a client takes for final, and may take for more."""
_OURS = frozenset(kind.code for kind in (InvalidToken, MissingToken, UpstreamUnauthorized))
_FORBIDDEN = 403
_BAD_GATEWAY = 502
_OWN_BODY = (b"content-type", b"content-encoding")
_LIKELY_CAUSES = {
    400: "for a page of a proxy about HTTP and HTTPS: check how the address begins",
    404: "check the path of the address: most servers have theirs below /v1",
    405: "check the path of the address: most servers have theirs below /v1",
    413: "the request is larger than a proxy in front of the model server lets through (nginx: client_max_body_size)",
    502: "if a proxy sent it: it does not reach the model server behind it",
    503: "if a proxy sent it: it does not reach the model server behind it",
    504: "the model server took longer than a proxy in front of it waits (nginx: proxy_read_timeout)",
}
"""Of an error without words, by status; a proxy's rejection has the advice for credentials."""
_FINAL = {
    UNPAID: "wants to be paid before it serves more; settle that there",
    _FORBIDDEN: "does not serve this to the credential that is configured for it here; {}",
    404: "has no such model, or nothing at this path; check the model's name, and the URL of the remote",
    410: "has it no more; check the model's name, and the URL of the remote",
}
"""What the operator has to fix, by the status after which a client may send nothing more; {} is what to do."""


MapError = Callable[[int, bytes], "MappedError | None"]
"""Maps status and body of an error; None if it does not know better."""


def map_response(
    head: ResponseHead,
    options: ResponseOptions,
    map_error: MapError,
    unmapped: Callable[[bytes], MadeResponse],
) -> Callable[[bytes], MadeResponse]:
    """Return what makes the client's response of the body: ``unmapped`` where there is no mapping."""

    def make(body: bytes) -> MadeResponse:
        mapped = map_error(head.status, body[:MAX_MAPPED_BYTES])
        if mapped is None:
            return unmapped(body)
        status = mapped.status if mapped.status in STATUS_LINE else _BAD_GATEWAY
        return own_response(head, options, upstream_failure(status, mapped.message, mapped.retry_after))

    return make


def unauthorized_response(
    head: ResponseHead, options: ResponseOptions, *, origin: str
) -> Callable[[bytes], MadeResponse]:
    """Return what makes the response of a 401: a client must not take it for a rejection of its own token.

    Bridge and server pass one that differs from theirs as it came.
    """

    def make(body: bytes) -> MadeResponse:
        text = b"(compressed, which was not requested)" if head.encoded else body[:MAX_MAPPED_BYTES]
        found = upstream_errors.parse_error(text, head.status)
        if found.code == UpstreamUnauthorized.code:  # another clawgate, which names the one that rejects
            message = f"{origin} responded: "
        else:
            message = (
                f"{origin} rejects the credential that is configured for it here; the token of this request is not "
                f"at fault; {options.credential_advice}. It responded: "
            )
        status = options.operator_status or head.status
        failure = UpstreamUnauthorized(message, quote=found.message, status=status)
        if options.operator_status or options.attribution_headers or head.encoded or found.code in _OURS:
            return own_response(head, options, failure)
        lines, _ = relayed_lines(head, options)
        return MadeResponse(
            head.status,
            lines,
            masked_fully(body, options.secrets),
            failure=masked_error(failure, options.secrets),
        )

    return make


def operator_response(
    head: ResponseHead, options: ResponseOptions, *, origin: str
) -> Callable[[bytes], MadeResponse]:
    """Return what makes the response of a 4xx for a client that may send nothing more to the provider after it."""

    def make(body: bytes) -> MadeResponse:
        found = upstream_errors.parse_error(b"" if head.encoded else body[:MAX_MAPPED_BYTES], head.status)
        final = _FINAL.get(head.status)
        is_harmless = not head.encoded and not shuts(f"{found.message} {body.decode('utf-8', 'replace')}")
        if final is None and is_harmless:
            lines, _ = relayed_lines(head, options)
            return MadeResponse(head.status, lines, masked_fully(body, options.secrets))
        wrong = f" {final.replace('{}', options.credential_advice)}. It" if final else ""
        message = f"{origin}{wrong} responded: "
        status = options.operator_status if final else head.status
        return own_response(head, options, UpstreamFailed(message, quote=found.message, status=status))

    return make


def may_lack_words(head: ResponseHead) -> bool:
    """Whether the body of an error has to be seen: of a web page, or of nothing, clients show nothing."""
    return head.content_type[:9].lower() == b"text/html" or head.length == 0


def wordless_response(
    head: ResponseHead, options: ResponseOptions, body: bytes, *, origin: str
) -> MadeResponse | None:
    """Return the response, of the same status, in place of an error that is a web page or empty; otherwise None."""
    if upstream_errors.has_words(body) and not (head.encoded and may_lack_words(head)):
        return None
    advice = options.credential_advice if head.status == _FORBIDDEN else _LIKELY_CAUSES.get(head.status, "")
    form = "a web page" if body else "an empty body"
    message = f"{origin} responded with status {head.status} and {form} instead of an error message"
    failure = UpstreamFailed(f"{message}; {advice}" if advice else message, status=head.status)
    return own_response(head, options, failure)


def upstream_failure(
    status: int, message: str, retry_after: int | None = None, named: str = ""
) -> UpstreamFailed:
    """Return the failure that an upstream reports with ``status``; ``named`` says who does, in front of its words."""
    kind = UpstreamUnauthorized if status == UNAUTHORIZED else UpstreamFailed
    return kind(named, quote=message, retry_after=retry_after, status=status)


def own_response(head: ResponseHead, options: ResponseOptions, failure: UpstreamFailed) -> MadeResponse:
    """Return a response with our own body. ``failure`` has a status."""
    status = failure.status or _BAD_GATEWAY
    without = (*_OWN_BODY, b"retry-after") if failure.retry_after else _OWN_BODY
    lines = header_lines(head, options, without=without, renamed=RENAMED.get(options.dialect))
    lines += b"content-type: application/json\r\n"
    if not options.attribution_headers:
        lines += b"%bprovider: %b\r\n" % (OWN_PREFIX, options.served_by)
    if failure.retry_after is not None:
        lines += b"retry-after: %d\r\n" % failure.retry_after
    render = anthropic_errors if options.dialect is Dialect.MESSAGES else openai_errors
    kind = upstream_errors.kind_of(status, options.dialect) or "upstream_error"
    message, code = failure.message, failure.code
    if options.operator_status is not None:
        message, code = starred(message), UpstreamFailed.code
    body = render.error_body(message=message, kind=kind, code=code)
    masked_failure = masked_error(failure, options.secrets)
    return MadeResponse(status, lines, masked_fully(body, options.secrets), failure=masked_failure)
