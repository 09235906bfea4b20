"""An error is shown with the status and the code that a client gets."""

from __future__ import annotations

from clawgate.cli.outcome import failure_text, outcome_json
from clawgate.errors import ProviderUnavailable


def test_an_error_is_shown_as_a_request_gets_it() -> None:
    error = ProviderUnavailable("the provider 'a' is not available")
    assert failure_text(error) == "status 503 (provider_unavailable): the provider 'a' is not available"
    assert outcome_json(error) == {
        "ok": False,
        "status": 503,
        "code": "provider_unavailable",
        "reason": "the provider 'a' is not available",
    }


def test_without_an_error_nothing_but_ok_is_known() -> None:
    assert outcome_json(None) == {"ok": True, "status": None, "code": None, "reason": None}
