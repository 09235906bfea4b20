"""Defines every deliberate error of clawgate, by cause.

Invariant: one class per decision that a caller takes (fix the request, contact the operator, wait, retry). Each has a
stable ``code`` for programs, the snake case of its name, and a ``message`` for people that is safe to show. Must not
know HTTP: ``relay/response/error_response.py`` holds the one table from class to status.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self


class GatewayError(Exception):
    """The root of all errors. Raise a subclass.

    ``message`` states the place, the fault and the fix; ``retry_after`` is in whole seconds; ``param`` is the request
    parameter at fault, as in the OpenAI error object.
    """

    code: ClassVar[str]

    def __init__(self, message: str, *, retry_after: int | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        self.param = param
        self.caller: str | None = None
        """The authenticated caller, for logs; None if not known."""

    def with_message(self, message: str) -> Self:
        """Return a copy with another message. One error may be shared by several requests, so it is not changed."""
        twin = type(self).__new__(type(self), message)
        twin.__dict__.update(self.__dict__, message=message)
        return twin


class InternalError(GatewayError):
    """A defect of clawgate."""

    code = "internal_error"


class InvalidRequest(GatewayError):
    """The request itself is at fault; a retry without a change cannot succeed."""

    code = "invalid_request"


class ThreadUnsupported(InvalidRequest):
    """The request continues, or creates, a conversation that its provider would have to keep.

    The SDKs of Anthropic send the whole conversation again for it, by the ``details`` in the error object.
    """

    code = "thread_unsupported"


class MalformedRequest(InvalidRequest):
    """The bytes are not an HTTP/1.1 request, or parsers may read them differently."""

    code = "malformed_request"


class UnclearFraming(MalformedRequest):
    """Request framing is ambiguous (RFC 9112 11.2). The connection must be closed."""

    code = "unclear_framing"


class HeadTooLarge(InvalidRequest):
    code = "head_too_large"


class TargetTooLong(InvalidRequest):
    code = "target_too_long"


class BodyTooLarge(InvalidRequest):
    code = "body_too_large"


class RequestTimedOut(InvalidRequest):
    """The client began a request and did not complete it in time."""

    code = "request_timed_out"


class HttpVersionUnsupported(InvalidRequest):
    code = "http_version_unsupported"


class ExpectationUnknown(InvalidRequest):
    code = "expectation_unknown"


class MethodNotAllowed(InvalidRequest):
    """``allow`` lists the methods that the path supports."""

    code = "method_not_allowed"

    def __init__(self, message: str, *, allow: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allow = allow


class UnknownRoute(InvalidRequest):
    code = "unknown_route"


class ModelNotFound(InvalidRequest):
    code = "model_not_found"

    def __init__(self, message: str) -> None:
        super().__init__(message, param="model")


class UnsupportedContentType(InvalidRequest):
    code = "unsupported_content_type"


class UpgradeRefused(InvalidRequest):
    """The client requested a WebSocket on a route without one; plain HTTP works."""

    code = "upgrade_refused"


class LoopDetected(InvalidRequest):
    """A request returned to the process that had forwarded it."""

    code = "loop_detected"


class ClientLeft(GatewayError):
    """The client disconnected first. Logged, never sent."""

    code = "client_left"


class PolicyDenied(GatewayError):
    """A rule of this installation forbids it; the message names the rule and the setting."""

    code = "policy_denied"


class HostNotAllowed(PolicyDenied):
    code = "host_not_allowed"


class OriginNotAllowed(PolicyDenied):
    code = "origin_not_allowed"


class EgressDenied(PolicyDenied):
    """An upstream's address must not be dialled."""

    code = "egress_denied"


class PrivateNetworkBlocked(EgressDenied):
    """An upstream's address is private or loopback, and its provider has no permission for that."""

    code = "private_network_blocked"


class InvalidToken(GatewayError):
    """The token is not valid here. The only error, with its subclass, that becomes a 401."""

    code = "invalid_token"


class MissingToken(InvalidToken):
    code = "missing_token"


class RateLimitExceeded(GatewayError):
    """Too many requests; ``retry_after`` is when the next one may pass."""

    code = "rate_limit_exceeded"


class AuthLocked(RateLimitExceeded):
    """Too many wrong tokens from one address; it is locked out for a while."""

    code = "auth_locked"


class ConcurrencyLimitExceeded(RateLimitExceeded):
    code = "concurrency_limit_exceeded"


class GatewayUnavailable(GatewayError):
    """This process cannot take the request now; a retry, or another process, can."""

    code = "gateway_unavailable"


class Overloaded(GatewayUnavailable):
    code = "overloaded"


class ProviderNotConfigured(GatewayUnavailable):
    """A provider lacks a setting that only the operator can supply; waiting does not help."""

    code = "provider_not_configured"


class ProviderUnavailable(GatewayUnavailable):
    """A provider is configured but cannot be reached now."""

    code = "provider_unavailable"


class UpstreamPoolExhausted(GatewayUnavailable):
    """Every connection that an upstream may have is in use. Nothing of the request was sent."""

    code = "upstream_pool_exhausted"


class UpstreamFailed(GatewayError):
    """The upstream misbehaved. ``status`` is the one that it sent or meant; None if not known."""

    code = "upstream_failed"

    def __init__(
        self,
        message: str,
        *,
        retry_after: int | None = None,
        param: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message, retry_after=retry_after, param=param)
        self.status = status


class UpstreamUnreachable(UpstreamFailed):
    """No connection: DNS, route, port, proxy or TLS failed. Nothing of the request was sent."""

    code = "upstream_unreachable"


class UpstreamClosed(UpstreamFailed):
    """The connection closed before the response was complete."""

    code = "upstream_closed"


class UpstreamMalformed(UpstreamFailed):
    """The response is not HTTP/1.1 that can be forwarded safely."""

    code = "upstream_malformed"


class UpstreamRedirected(UpstreamFailed):
    """The upstream redirected the request; credentials do not follow redirects."""

    code = "upstream_redirected"


class UpstreamTimedOut(UpstreamFailed):
    """``limit`` names the expired timeout (connect, first_byte, idle, total), ``seconds`` is its length."""

    code = "upstream_timed_out"

    def __init__(self, message: str, *, limit: str, seconds: float, retry_after: int | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.limit = limit
        self.seconds = seconds


class GatewayStopping(UpstreamFailed):
    """This process is stopping and the response was not complete within the drain limit."""

    code = "gateway_stopping"


def all_errors() -> Iterator[type[GatewayError]]:
    """Yield every class with a code, parents first; the table of statuses is checked against it."""
    queue = GatewayError.__subclasses__()
    while queue:
        error = queue.pop(0)
        yield error
        queue.extend(error.__subclasses__())
