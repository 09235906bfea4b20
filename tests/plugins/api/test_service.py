"""Values that services hand over and get."""

from __future__ import annotations

from pydantic import SecretStr

from clawgate.plugins.api import BridgeSettings
from clawgate.plugins.api.service import (
    ChildSpec,
    FetchFailed,
    FetchRequest,
    FetchResponse,
    RelaySpec,
    Service,
)
from clawgate.testing.plugins.fake_host import FakeHost


def test_a_body_that_is_no_json_is_none() -> None:
    assert FetchResponse(status=200, body=b'{"a": 1}').json() == {"a": 1}
    assert FetchResponse(status=200, body=b"<html>").json() is None
    assert FetchResponse(status=200, body=b"\xff").json() is None


def test_plans_do_not_show_secrets_or_environments() -> None:
    secret = SecretStr("canary-secret")
    settings = BridgeSettings.model_validate({"remote_url": "http://x.test", "proxy_token": secret})
    plans = (
        FetchRequest(url="http://x", header="Authorization", secret=secret),
        RelaySpec(name="r", settings=settings),
        ChildSpec(name="c", argv=("c",), port=1, environment={"TOKEN": "canary-secret"}),
    )
    assert "canary" not in repr(plans)


def test_a_failure_has_a_cause_for_programs_and_words_for_people() -> None:
    error = FetchFailed("blocked", "10.0.0.1 is private")
    assert (error.cause, error.message, str(error)) == (
        "blocked",
        "10.0.0.1 is private",
        "10.0.0.1 is private",
    )


def test_something_that_lacks_a_method_is_no_service() -> None:
    assert not isinstance(FakeHost, Service)
