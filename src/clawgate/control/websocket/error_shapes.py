"""Renders errors for clients of the WebSocket protocol: the one table from an error's class to a code of the contract.

Pure. Codes: `ErrorCodes` of `@openclaw/gateway-protocol`. Which error it is, and what a program can do, is in
``details``, ``retryable`` and ``retryAfterMs``; the message is the one that HTTP sends.
"""

from __future__ import annotations

from typing import Any

from clawgate import errors
from clawgate.control.websocket.frames import ErrorShape
from clawgate.errors import GatewayError
from clawgate.relay.response.error_response import message_of

INVALID_REQUEST, UNAVAILABLE, FORBIDDEN, NOT_PAIRED = (
    "INVALID_REQUEST",
    "UNAVAILABLE",
    "FORBIDDEN",
    "NOT_PAIRED",
)

CODES: dict[type[GatewayError], str] = {
    errors.InvalidRequest: INVALID_REQUEST,
    errors.InvalidToken: INVALID_REQUEST,  # OpenClaw's code for it; details have the cause
    errors.PolicyDenied: FORBIDDEN,
    errors.GatewayError: UNAVAILABLE,
}
"""By the nearest class that an error has."""
_RETRYABLE = (
    errors.RateLimitExceeded,
    errors.GatewayUnavailable,
    errors.SessionConflict,
    errors.GatewayStopping,
)
_REASONS: dict[type[GatewayError], str] = {errors.IdempotencyMismatch: "chat-request-conflict"}
"""``details.reason``, where OpenClaw's clients look for one."""


def invalid(message: str, **details: Any) -> ErrorShape:
    return ErrorShape(INVALID_REQUEST, message, details or None)


def missing_scope(scope: str) -> ErrorShape:
    details = {"code": "MISSING_SCOPE", "missingScope": scope, "requiredScopes": [scope]}
    return ErrorShape(FORBIDDEN, f"missing scope: {scope}", details)


def shape_of(error: GatewayError) -> ErrorShape:
    code = next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)
    details: dict[str, Any] = {"code": error.code.upper()}
    if error.param is not None:
        details["param"] = error.param
    if (reason := _REASONS.get(type(error))) is not None:
        details["reason"] = reason
    retryable = isinstance(error, _RETRYABLE) and not isinstance(error, errors.ProviderNotConfigured)
    return ErrorShape(
        code,
        message_of(error),
        details,
        retryable=True if retryable or error.retry_after is not None else None,
        retry_after_ms=None if error.retry_after is None else error.retry_after * 1000,
    )
