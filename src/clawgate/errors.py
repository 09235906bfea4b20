"""Defines every deliberate error of clawgate, by cause.

Invariant: one class per decision that a caller takes (fix the request, contact the operator, wait, retry). Each has a
stable ``code`` for programs, the snake case of its name, and a ``message`` for people that is safe to show. Must not
know HTTP: ``relay/response/error_response.py`` holds the one table from class to status.
"""

from __future__ import annotations

import re
from typing import ClassVar, Self

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


class GatewayError(Exception):
    """The root of all errors. Raise a subclass.

    ``message`` states the place, the fault and the fix; ``retry_after`` is in whole seconds; ``param`` is the request
    parameter at fault, as in the OpenAI error object.
    """

    code: ClassVar[str]
    status: int | None = None
    """The status in place of the one of its class."""

    def __init_subclass__(cls) -> None:
        cls.code = _CAPITAL.sub("_", cls.__name__).lower()

    def __init__(self, message: str, *, retry_after: int | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        self.param = param
        self.caller: str | None = None
        """The authenticated caller, for logs; None if not known."""

    @property
    def log_text(self) -> str:
        """The message for logs: without words of an upstream, which may repeat the prompt."""
        return self.message

    def with_message(self, message: str) -> Self:
        """Return a copy with another message. One error may be shared by several requests, so it is not changed."""
        twin = type(self).__new__(type(self), message)
        twin.__dict__.update(self.__dict__, message=message)
        return twin


class InternalError(GatewayError):
    """A defect of clawgate."""


class InvalidRequest(GatewayError):
    """The request itself is at fault; a retry without a change cannot succeed."""


class ThreadUnsupported(InvalidRequest):
    """The request continues, or creates, a conversation that its provider would have to keep.

    The SDKs of Anthropic send the whole conversation again for it, by the ``details`` in the error object.
    """


class MalformedRequest(InvalidRequest):
    """The bytes are not an HTTP/1.1 request, or parsers may read them differently."""


class UnclearFraming(MalformedRequest):
    """Request framing is ambiguous (RFC 9112 11.2). The connection must be closed."""


class HeadTooLarge(InvalidRequest): ...


class TargetTooLong(InvalidRequest): ...


class BodyTooLarge(InvalidRequest): ...


class RequestTimedOut(InvalidRequest):
    """The client began a request and did not complete it in time."""


class HttpVersionUnsupported(InvalidRequest): ...


class ExpectationUnknown(InvalidRequest): ...


class MethodNotAllowed(InvalidRequest):
    """``allow`` lists the methods that the path supports."""

    def __init__(self, message: str, *, allow: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allow = allow


class UnknownRoute(InvalidRequest): ...


class ModelNotFound(InvalidRequest):
    def __init__(self, message: str) -> None:
        super().__init__(message, param="model")


class RunNotFound(InvalidRequest):
    """No run of this caller has that id, or it ended too long ago."""


class ResponseNotFound(InvalidRequest):
    """No stored response of this caller has that id."""


class ConversationNotFound(InvalidRequest):
    """No conversation of this caller has that id."""


class UnsupportedContentType(InvalidRequest): ...


class IdempotencyMismatch(InvalidRequest):
    """An Idempotency-Key was used with another request."""


class ApprovalInvalid(InvalidRequest):
    """What a client sent for a call of a tool decides nothing: it is not the client's to decide, or not any more."""


class UpgradeRefused(InvalidRequest):
    """The client requested a WebSocket where plain HTTP works; or, with ``to_socket``, in a version that none has."""

    def __init__(self, message: str, *, to_socket: bool = False) -> None:
        super().__init__(message)
        self.to_socket = to_socket


class LoopDetected(InvalidRequest):
    """A request returned to the process that had forwarded it."""


class ClientLeft(GatewayError):
    """The client disconnected first. Logged, never sent."""


class SessionConflict(GatewayError):
    """Another run changed the session, or took the request over; nothing was stored, and a retry can succeed."""


class PolicyDenied(GatewayError):
    """A rule of this installation forbids it; the message names the rule and the setting."""


class HostNotAllowed(PolicyDenied): ...


class OriginNotAllowed(PolicyDenied): ...


class ProxyAttributionRequired(PolicyDenied):
    """The request names a client that it comes for, and its peer is no proxy that may do so."""


class MissingScope(PolicyDenied):
    """The request gave up a right that it needs."""


class EgressDenied(PolicyDenied):
    """A rule of the operator denies an upstream's address, or its name has none."""


class PrivateNetworkBlocked(EgressDenied):
    """No setting allows an upstream's address: it is private or loopback, or one that is never dialled."""


class InvalidToken(GatewayError):
    """The token is not valid here. The only error of ours, with its subclass, that becomes a 401."""

    delay_seconds = 0.0
    """How long the response is held back, since the token is a guess."""


class MissingToken(InvalidToken): ...


class RateLimitExceeded(GatewayError):
    """Too many requests; ``retry_after`` is when the next one may pass."""


class AuthLocked(RateLimitExceeded):
    """Too many wrong tokens from one address; it is locked out for a while."""


class ConcurrencyLimitExceeded(RateLimitExceeded): ...


class SessionBusy(RateLimitExceeded):
    """Other runs use the session, one at a time."""


class GatewayUnavailable(GatewayError):
    """This process cannot take the request now; a retry, or another process, can."""


class Overloaded(GatewayUnavailable): ...


class TokensUnreadable(GatewayUnavailable):
    """No token can be right: the file that has the tokens cannot be used. It is no fault of the caller."""


class StoreUnavailable(GatewayUnavailable):
    """The database with the state of agents cannot be used now."""


class RunLimitExceeded(GatewayError):
    """An agent's run was stopped: it would have used more than the operator allows. A retry would end likewise."""


class ProviderNotConfigured(GatewayUnavailable):
    """A provider lacks a setting that only the operator can supply; waiting does not help."""


class ProviderUnavailable(GatewayUnavailable):
    """A provider is configured but cannot be reached now."""


class UpstreamPoolExhausted(GatewayUnavailable):
    """Every connection that an upstream may have is in use. Nothing of the request was sent."""


class EgressLimitExceeded(GatewayUnavailable):
    """Too many connections to one private destination within a minute. Nothing of the request was sent."""


class UpstreamFailed(GatewayError):
    """The upstream misbehaved. ``status`` is the one that it sent or meant; None if not known.

    ``quote`` is what it says itself, the end of the message.
    """

    def __init__(
        self,
        message: str,
        *,
        quote: str = "",
        retry_after: int | None = None,
        param: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message + quote, retry_after=retry_after, param=param)
        self.status = status
        self._own = (
            f"{message or 'the upstream reports an error '}(its text is not logged)" if quote else None
        )

    @property
    def log_text(self) -> str:
        return self._own or self.message


class UpstreamUnreachable(UpstreamFailed):
    """No connection: DNS, route, port, proxy or TLS failed. Nothing of the request was sent."""


class UpstreamClosed(UpstreamFailed):
    """The connection closed before the response was complete."""


class UpstreamMalformed(UpstreamFailed):
    """The response is not HTTP/1.1 that can be forwarded safely."""


class UpstreamRedirected(UpstreamFailed):
    """The upstream redirected the request; credentials do not follow redirects."""


class UpstreamUnauthorized(UpstreamFailed):
    """The upstream, or one behind it, rejects the credential that is configured for it; the client's own is valid."""

    code = "upstream_unauthorized"


class UpstreamTimedOut(UpstreamFailed):
    """``limit`` names the expired timeout (connect, first_byte, idle, total), ``seconds`` is its length."""

    def __init__(self, message: str, *, limit: str, seconds: float, retry_after: int | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.limit = limit
        self.seconds = seconds


class ToolChoiceUnsatisfied(UpstreamFailed):
    """The client required a call of one of its tools, and the model made none."""


class GatewayStopping(UpstreamFailed):
    """This process is stopping and the response was not complete within the drain limit."""
