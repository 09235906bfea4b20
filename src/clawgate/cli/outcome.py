"""Shows the error that a request gets, as text and as JSON, with its status and code."""

from __future__ import annotations

from clawgate.errors import GatewayError
from clawgate.relay.response.error_response import status_of


def failure_text(error: GatewayError) -> str:
    return f"status {status_of(error)} ({error.code}): {error.message}"


def outcome_json(error: GatewayError | None) -> dict[str, object]:
    """Return whether a request would be sent to a provider, and if not, its error."""
    return {
        "ok": error is None,
        "status": error and status_of(error),
        "code": error and error.code,
        "reason": error and error.message,
    }
