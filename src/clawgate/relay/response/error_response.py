"""Encodes clawgate's own errors for the client. The only place that maps errors to HTTP.

Three forms from one table: before a response has started, a status and a JSON body; in an event stream, one event; on a
WebSocket handshake, a plain HTTP response. Each in the client's dialect.
"""

from __future__ import annotations

from typing import Any

from clawgate import errors
from clawgate.errors import GatewayError, UpstreamFailed
from clawgate.wire.anthropic import errors as anthropic_errors
from clawgate.wire.dialect import Dialect
from clawgate.wire.http.message import STATUS_LINE
from clawgate.wire.openai import errors as openai_errors
from clawgate.wire.responses import errors as responses_errors
from clawgate.wire.responses.stream_end import next_number
from clawgate.wire.sse.reader import Event
from clawgate.wire.translate import errors as upstream_errors

TABLE: dict[type[GatewayError], tuple[int, str]] = {
    errors.InternalError: (500, "api_error"),
    errors.InvalidRequest: (400, "invalid_request_error"),
    errors.ThreadUnsupported: (400, "invalid_request_error"),
    errors.MalformedRequest: (400, "invalid_request_error"),
    errors.UnclearFraming: (400, "invalid_request_error"),
    errors.HeadTooLarge: (431, "invalid_request_error"),
    errors.TargetTooLong: (414, "invalid_request_error"),
    errors.BodyTooLarge: (413, "invalid_request_error"),
    errors.RequestTimedOut: (408, "invalid_request_error"),
    errors.HttpVersionUnsupported: (505, "invalid_request_error"),
    errors.ExpectationUnknown: (417, "invalid_request_error"),
    errors.MethodNotAllowed: (405, "invalid_request_error"),
    errors.UnknownRoute: (404, "invalid_request_error"),
    errors.ModelNotFound: (404, "invalid_request_error"),
    errors.RunNotFound: (404, "invalid_request_error"),
    errors.ResponseNotFound: (404, "invalid_request_error"),
    errors.ConversationNotFound: (404, "invalid_request_error"),
    errors.UnsupportedContentType: (415, "invalid_request_error"),
    errors.ApprovalInvalid: (400, "invalid_request_error"),
    errors.UpgradeRefused: (426, "invalid_request_error"),
    errors.IdempotencyMismatch: (409, "invalid_request_error"),
    errors.LoopDetected: (508, "invalid_request_error"),
    errors.ClientLeft: (499, "client_left"),  # nginx's number, for logs; it is never sent
    errors.SessionConflict: (409, "conflict_error"),
    errors.PolicyDenied: (403, "policy_error"),
    errors.HostNotAllowed: (421, "policy_error"),
    errors.OriginNotAllowed: (403, "policy_error"),
    errors.ProxyAttributionRequired: (403, "policy_error"),
    errors.MissingScope: (403, "policy_error"),
    errors.EgressDenied: (403, "policy_error"),
    errors.PrivateNetworkBlocked: (403, "policy_error"),
    errors.InvalidToken: (401, "authentication_error"),
    errors.MissingToken: (401, "authentication_error"),
    errors.RateLimitExceeded: (429, "rate_limit_error"),
    errors.AuthLocked: (429, "rate_limit_error"),
    errors.ConcurrencyLimitExceeded: (429, "rate_limit_error"),
    errors.SessionBusy: (429, "rate_limit_error"),
    errors.RunLimitExceeded: (422, "invalid_request_error"),
    errors.ToolChoiceUnsatisfied: (502, "api_error"),
    errors.GatewayUnavailable: (503, "service_unavailable"),
    errors.Overloaded: (503, "service_unavailable"),
    errors.TokensUnreadable: (503, "service_unavailable"),
    errors.StoreUnavailable: (503, "service_unavailable"),
    errors.ProviderNotConfigured: (503, "service_unavailable"),
    errors.ProviderUnavailable: (503, "service_unavailable"),
    errors.UpstreamPoolExhausted: (503, "service_unavailable"),
    errors.EgressLimitExceeded: (503, "service_unavailable"),
    errors.UpstreamFailed: (502, "upstream_error"),
    errors.UpstreamUnreachable: (502, "upstream_error"),
    errors.UpstreamClosed: (502, "upstream_error"),
    errors.UpstreamMalformed: (502, "upstream_error"),
    errors.UpstreamRedirected: (502, "upstream_error"),
    errors.UpstreamUnauthorized: (401, "authentication_error"),
    errors.UpstreamTimedOut: (504, "upstream_error"),
    errors.GatewayStopping: (503, "service_unavailable"),
}

_CAUSES: dict[type[GatewayError], str] = {
    errors.GatewayUnavailable: "service unavailable",
    errors.Overloaded: "overloaded",
    errors.TokensUnreadable: "service unavailable",
    errors.StoreUnavailable: "service unavailable",
    errors.ProviderUnavailable: "service unavailable",
    errors.UpstreamFailed: "upstream error",
    errors.UpstreamUnreachable: "service unavailable",
    errors.UpstreamClosed: "connection reset",
    errors.UpstreamMalformed: "upstream error",
    errors.UpstreamTimedOut: "upstream timed out",
    errors.GatewayStopping: "service unavailable",
}
_CAUSES_BY_STATUS = {
    408: "upstream timed out",
    429: "rate limit",
    503: "overloaded",
    504: "upstream timed out",
    529: "overloaded",
}
"""How a message begins where another try may help, in words that clients look for. OpenClaw decides by the text of an
error in a stream alone whether it retries (read in openclaw 2026.9.6); a direct connection would have been reset."""


def message_of(error: GatewayError) -> str:
    cause = _CAUSES.get(type(error))
    if error.status is not None:
        cause = _CAUSES_BY_STATUS.get(error.status, "upstream error" if error.status >= 500 else None)
    if cause is None or error.message.lower().startswith(cause):
        return error.message
    return f"{cause}: {error.message}"


def status_of(error: GatewayError) -> int:
    if error.status is not None:
        return error.status if error.status in STATUS_LINE else TABLE[UpstreamFailed][0]
    return TABLE[type(error)][0]


def _kind_of(error: GatewayError, dialect: Dialect) -> str:
    kind = TABLE[type(error)][1]
    if error.status is not None:
        return upstream_errors.kind_of(error.status, dialect) or kind
    return kind


def encode_error_response(
    error: GatewayError,
    *,
    close: bool,
    head_only: bool = False,
    dialect: Dialect = Dialect.CHAT,
    attribution_headers: bytes = b"",
) -> bytes:
    """Return a complete HTTP/1.1 response; ``close`` announces that the connection ends with it."""
    status, kind = status_of(error), _kind_of(error, dialect)
    render = anthropic_errors.error_body if dialect is Dialect.MESSAGES else openai_errors.error_body
    body = render(message=message_of(error), kind=kind, code=error.code, param=error.param)
    lines = [
        STATUS_LINE[status],
        b"content-type: application/json\r\n",
        b"content-length: %d\r\n" % len(body),
        b"cache-control: no-store\r\n",
        attribution_headers,
    ]
    if error.retry_after is not None:
        lines.append(b"retry-after: %d\r\n" % error.retry_after)
    if isinstance(error, errors.InvalidToken) and error.status is None:
        lines.append(b'www-authenticate: Bearer realm="clawgate"\r\n')
    elif isinstance(error, errors.MethodNotAllowed):
        lines.append(b"allow: " + ", ".join(error.allow).encode("ascii") + b"\r\n")
    elif isinstance(error, errors.UpgradeRefused):
        to_socket = b"upgrade: websocket\r\nsec-websocket-version: 13\r\n"  # RFC 6455 section 4.4
        lines.append(to_socket if error.to_socket else b"upgrade: HTTP/1.1\r\n")
    if close:
        lines.append(b"connection: close\r\n")
    lines.append(b"\r\n")
    if not head_only:
        lines.append(body)
    return b"".join(lines)


def error_members(error: GatewayError, dialect: Dialect) -> dict[str, Any]:
    """Return what an error event says, in words of the client's dialect."""
    return {
        "message": message_of(error),
        "kind": _kind_of(error, dialect),
        "code": error.code,
        "param": error.param,
    }


def encode_error_event(
    error: GatewayError, dialect: Dialect = Dialect.CHAT, last: Event | None = None
) -> bytes:
    """Return the event that ends a stream which cannot be completed; ``last`` is the one in front of it."""
    members = error_members(error, dialect)
    if dialect is Dialect.RESPONSES:
        return responses_errors.error_event(**members, sequence_number=next_number(last))
    render = anthropic_errors.error_event if dialect is Dialect.MESSAGES else openai_errors.error_event
    return render(**members)
