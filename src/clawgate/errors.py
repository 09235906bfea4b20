"""Every deliberate error of clawgate, by cause.

The law of this file: one class per decision that somebody makes about the failure (mend the request, ask the
operator, wait, retry), a stable ``code`` for programs and a ``message`` for people that is safe to show. It knows
no HTTP: ``relay/response/error_response.py`` holds the one table from class to status, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self


class GatewayError(Exception):
    """Something that clawgate decided to refuse or could not do.

    ``message`` names the thing, the place and the way out; ``retry_after`` is in whole seconds; ``param`` is the
    request field at fault, in the words of the OpenAI error object.
    """

    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, retry_after: int | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        self.param = param
        self.caller: str | None = None
        """Whose request it was, for logs; set where that is known."""

    def saying(self, message: str) -> Self:
        """The same failure in other words. This one stays as it is: it may be the failure of many requests."""
        twin = type(self).__new__(type(self), message)
        twin.__dict__.update(self.__dict__, message=message)
        return twin


class RequestRejected(GatewayError):
    """The request itself is at fault; sending it again unchanged cannot help."""

    code = "invalid_request"


class MalformedRequest(RequestRejected):
    """The bytes are not an HTTP/1.1 request that every reader would understand alike."""

    code = "malformed_request"


class UnclearFraming(MalformedRequest):
    """Where the request ends is a matter of opinion: nothing behind it may be read."""

    code = "unclear_framing"


class HeadTooLarge(RequestRejected):
    code = "head_too_large"


class TargetTooLong(RequestRejected):
    code = "target_too_long"


class BodyTooLarge(RequestRejected):
    code = "body_too_large"


class RequestTimedOut(RequestRejected):
    """The client began a request and did not go on with it in time."""

    code = "request_timed_out"


class HttpVersionUnsupported(RequestRejected):
    code = "http_version_unsupported"


class ExpectationUnknown(RequestRejected):
    code = "expectation_unknown"


class MethodNotAllowed(RequestRejected):
    """``allow`` lists the methods that the path does know."""

    code = "method_not_allowed"

    def __init__(self, message: str, *, allow: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allow = allow


class UnknownRoute(RequestRejected):
    code = "unknown_route"


class ModelNotFound(RequestRejected):
    code = "model_not_found"

    def __init__(self, message: str) -> None:
        super().__init__(message, param="model")


class UnsupportedContentType(RequestRejected):
    code = "unsupported_content_type"


class UpgradeRefused(RequestRejected):
    """The client asked for a WebSocket where there is none; it should go on with plain HTTP."""

    code = "upgrade_refused"


class LoopDetected(RequestRejected):
    """A request came back to the process that had sent it on."""

    code = "loop_detected"


class ClientLeft(GatewayError):
    """The client went away first. Logged, never sent."""

    code = "client_left"


class PolicyDenied(GatewayError):
    """A rule of this installation forbids it; the message names the rule and the setting."""

    code = "policy_denied"


class HostNotAllowed(PolicyDenied):
    code = "host_not_allowed"


class OriginNotAllowed(PolicyDenied):
    code = "origin_not_allowed"


class EgressDenied(PolicyDenied):
    """An upstream's address may not be dialled."""

    code = "egress_denied"


class PrivateNetworkBlocked(EgressDenied):
    """An upstream's address is private or loopback, and its provider is not allowed to be there."""

    code = "private_network_blocked"


class InvalidToken(GatewayError):
    """No credential, or not one of ours. Only this error is ever shown as 401."""

    code = "invalid_token"


class MissingToken(InvalidToken):
    code = "missing_token"


class RateLimitExceeded(GatewayError):
    """Too much, too soon; ``retry_after`` says when to come back."""

    code = "rate_limit_exceeded"


class AuthLocked(RateLimitExceeded):
    """An address that kept presenting wrong tokens is locked out for a while."""

    code = "auth_locked"


class ConcurrencyLimitExceeded(RateLimitExceeded):
    code = "concurrency_limit_exceeded"


class GatewayUnavailable(GatewayError):
    """This process cannot take the request now; another try, or another process, can."""

    code = "gateway_unavailable"


class Overloaded(GatewayUnavailable):
    code = "overloaded"


class ProviderNotConfigured(GatewayUnavailable):
    """A provider lacks something that only the operator can give it; waiting does not help."""

    code = "provider_not_configured"


class ProviderUnavailable(GatewayUnavailable):
    """A provider is known and configured, and cannot be asked now."""

    code = "provider_unavailable"


class UpstreamFailed(GatewayError):
    """The other side of the gateway misbehaved. ``status`` is the one that it named or meant, where that is known."""

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
    """No connection: name, route, port, proxy or TLS. Nothing of the request was sent."""

    code = "upstream_unreachable"


class UpstreamClosed(UpstreamFailed):
    """The connection ended before the answer did."""

    code = "upstream_closed"


class UpstreamMalformed(UpstreamFailed):
    """The answer is not HTTP/1.1 that can be passed on safely."""

    code = "upstream_malformed"


class UpstreamRedirected(UpstreamFailed):
    """The upstream pointed elsewhere; credentials do not follow redirects."""

    code = "upstream_redirected"


class UpstreamTimedOut(UpstreamFailed):
    """``limit`` is the name of the expired limit (connect, first_byte, idle, total), ``seconds`` its length."""

    code = "upstream_timed_out"

    def __init__(self, message: str, *, limit: str, seconds: float, retry_after: int | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.limit = limit
        self.seconds = seconds


class GatewayStopping(UpstreamFailed):
    """This process is stopping and the answer could not be finished within the drain limit."""

    code = "gateway_stopping"


def all_errors() -> Iterator[type[GatewayError]]:
    """Every class of this file, the root first; the error table is checked against it."""
    queue: list[type[GatewayError]] = [GatewayError]
    while queue:
        found = queue.pop(0)
        yield found
        queue.extend(found.__subclasses__())
