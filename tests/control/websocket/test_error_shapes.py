"""Every error has a code of the contract, and says by its class whether another try may help."""

from __future__ import annotations

import pytest

from clawgate import errors
from clawgate.control.websocket.error_shapes import missing_scope, shape_of
from clawgate.errors import GatewayError
from clawgate.relay.response.error_response import message_of
from tests.error_classes import all_errors
from tests.test_errors import make

CODES = {"INVALID_REQUEST", "UNAVAILABLE", "FORBIDDEN"}


@pytest.mark.parametrize("kind", list(all_errors()), ids=lambda kind: kind.code)
def test_every_error_has_a_code_its_own_name_and_its_message(kind: type[GatewayError]) -> None:
    shape = shape_of(make(kind))
    assert shape.code in CODES
    assert shape.message == message_of(make(kind)) and shape.message.endswith("where: what; fix")
    assert shape.details is not None and shape.details["code"] == kind.code.upper()


@pytest.mark.parametrize(
    ("kind", "code", "retryable"),
    [
        (errors.ModelNotFound, "INVALID_REQUEST", None),
        (errors.InvalidToken, "INVALID_REQUEST", None),
        (errors.PolicyDenied, "FORBIDDEN", None),
        (errors.SessionBusy, "UNAVAILABLE", True),
        (errors.SessionConflict, "UNAVAILABLE", True),
        (errors.Overloaded, "UNAVAILABLE", True),
        (errors.StoreUnavailable, "UNAVAILABLE", True),
        (errors.ProviderNotConfigured, "UNAVAILABLE", None),
        (errors.UpstreamFailed, "UNAVAILABLE", None),
        (errors.InternalError, "UNAVAILABLE", None),
    ],
)
def test_the_code_is_that_of_the_nearest_class(
    kind: type[GatewayError], code: str, retryable: bool | None
) -> None:
    shape = shape_of(make(kind))
    assert (shape.code, shape.retryable) == (code, retryable)


def test_a_wait_is_in_milliseconds_and_makes_any_error_one_to_try_again() -> None:
    shape = shape_of(errors.UpstreamFailed("limited", retry_after=7))
    assert (shape.retryable, shape.retry_after_ms) == (True, 7000)


def test_the_error_of_a_provider_is_not_taken_for_the_gateways_own() -> None:
    assert shape_of(errors.UpstreamFailed("boom")).message == "upstream error: boom"


def test_the_field_at_fault_is_named() -> None:
    shape = shape_of(errors.InvalidRequest("wrong", param="model"))
    assert shape.details == {"code": "INVALID_REQUEST", "param": "model"}


def test_a_key_of_another_request_has_the_reason_that_clients_look_for() -> None:
    shape = shape_of(errors.IdempotencyMismatch("used"))
    assert shape.details == {"code": "IDEMPOTENCY_MISMATCH", "reason": "chat-request-conflict"}


def test_a_missing_right_is_named_for_programs_and_in_the_old_text() -> None:
    shape = missing_scope("operator.write")
    assert (shape.code, shape.message) == ("FORBIDDEN", "missing scope: operator.write")
    assert shape.details == {
        "code": "MISSING_SCOPE", "missingScope": "operator.write", "requiredScopes": ["operator.write"],
    }  # fmt: skip
