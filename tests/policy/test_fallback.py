"""The next model may be tried where another provider could do better, and nowhere else."""

from __future__ import annotations

import pytest

from clawgate import errors
from clawgate.policy.fallback import should_fall_back
from tests.error_classes import all_errors

YES = (401, 402, 403, 404, 408, 409, 410, 425, 429, 500, 501, 502, 503, 504, 529, 599)


@pytest.mark.parametrize("status", YES)
def test_a_providers_own_trouble_lets_the_next_one_try(status: int) -> None:
    assert should_fall_back(status, None) == f"status {status}"


def test_every_other_status_ends_the_request() -> None:
    """The request's own faults among them: 400, 405, 413, 415, 422."""
    assert not [status for status in range(100, 700) if status not in range(500, 600) and status not in YES
                and should_fall_back(status, None)]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.UpstreamUnreachable("x"), "unreachable"),
        (errors.UpstreamClosed("x"), "closed early"),
        (errors.UpstreamMalformed("x"), "malformed response"),
        (errors.UpstreamRedirected("x"), "redirect"),
        (errors.UpstreamTimedOut("x", limit="connect", seconds=1), "timed out (connect)"),
        (errors.UpstreamTimedOut("x", limit="first_byte", seconds=1), "timed out (first_byte)"),
        (errors.UpstreamTimedOut("x", limit="idle", seconds=1), "timed out (idle)"),
        (errors.ProviderNotConfigured("x"), "not configured"),
        (errors.ProviderUnavailable("x"), "not available"),
        (errors.UpstreamPoolExhausted("x"), "connection limit"),
        (errors.EgressLimitExceeded("x"), "connection limit"),
        (errors.EgressDenied("x"), "address not allowed"),
        (errors.PrivateNetworkBlocked("x"), "address not allowed"),
        (errors.UpstreamFailed("x"), "failed"),
        (errors.UpstreamFailed("x", status=529), "status 529"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_befell_the_provider_lets_the_next_one_try(error: errors.GatewayError, reason: str) -> None:
    assert should_fall_back(None, error) == reason


def test_a_failure_whose_status_is_known_counts_as_that_status() -> None:
    assert should_fall_back(None, errors.UpstreamFailed("x", status=400)) is None


def test_no_other_error_does() -> None:
    """The client left, the request is at fault, this process is stopping: for every class that there is."""
    allowed = (
        errors.UpstreamFailed, errors.ProviderNotConfigured, errors.ProviderUnavailable,
        errors.UpstreamPoolExhausted, errors.EgressDenied, errors.EgressLimitExceeded,
    )  # fmt: skip
    others: list[type[errors.GatewayError]] = [kind for kind in all_errors() if not issubclass(kind, allowed)]
    assert errors.ClientLeft in others and errors.ModelNotFound in others and errors.Overloaded in others
    for kind in [*others, errors.GatewayStopping]:
        made: errors.GatewayError = Exception.__new__(kind)
        assert should_fall_back(None, made) is None, kind


def test_a_request_whose_time_is_used_up_is_not_tried_again() -> None:
    assert should_fall_back(None, errors.UpstreamTimedOut("x", limit="total", seconds=1)) is None


def test_our_finding_counts_before_the_status() -> None:
    assert should_fall_back(503, errors.ClientLeft("x")) is None
    assert should_fall_back(None, None) is None
