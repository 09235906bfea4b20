"""Whether a request is sent is decided once: by provider, model and chain."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from clawgate.errors import (
    EgressDenied,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    PrivateNetworkBlocked,
    ProviderNotConfigured,
    ProviderUnavailable,
    UpstreamTimedOut,
)
from clawgate.policy.egress.policy import NetworkRules
from clawgate.policy.egress.rules import Rule
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.availability import (
    Availability,
    chain_error,
    encode,
    model_error,
    provider_error,
    reported,
)
from clawgate.providers.catalog import Catalog
from clawgate.providers.provider import Model, Provider
from clawgate.wire.http.url import Origin

DOWN = ProviderUnavailable("down", retry_after=7)
DENIED = EgressDenied("denied")
AT_FAULT = InvalidRequest("at fault")

NOT_TENS = NetworkRules(deny=(Rule.parse("10.0.0.0/8"),))


def make(name: str, host: str = "x.test", *, built_in: bool = False, **more: object) -> Provider:
    origin = Origin("http", host, 80)
    return Provider(id=name, api="openai-completions", origin=origin, built_in=built_in, **more)  # type: ignore[arg-type]  # by name


def availability(
    errors: Mapping[str, GatewayError | None],
    primary: str | None = None,
    fallbacks: tuple[str, ...] = (),
    built_in: tuple[str, ...] = (),
) -> Availability:
    providers = {name: make(name, built_in=name in built_in) for name in errors}
    chosen = ModelRef.parse(primary) if primary else None
    refs = tuple(ref for name in fallbacks if (ref := ModelRef.parse(name)) is not None)
    return Availability(Catalog(providers, {}, chosen, refs), lambda provider: errors[provider.id])


@pytest.mark.parametrize(
    ("provider", "error", "says"),
    [
        (make("a", problem="no key"), ProviderNotConfigured, "the provider 'a' is not configured: no key"),
        (make("a", "10.0.0.1", allow_private_setting="k"), PrivateNetworkBlocked, "set k to true"),
        (make("a", "localhost", allow_private_setting="k"), PrivateNetworkBlocked, "loopback address"),
        (make("a", "10.0.0.1"), PrivateNetworkBlocked, "set gateway.allowPrivateNetwork to true"),
        (make("a", "10.0.0.1", network=NOT_TENS), EgressDenied, "network.deny 10.0.0.0/8"),
        (
            make("a", "10.0.0.1", network=NOT_TENS, proxy="http://p:1"),
            EgressDenied,
            "network.deny 10.0.0.0/8",
        ),
    ],
)
def test_a_config_shows_that_no_request_is_sent(
    provider: Provider, error: type[GatewayError], says: str
) -> None:
    found = provider_error(provider)
    assert type(found) is error and says in found.message


@pytest.mark.parametrize(
    "provider",
    [
        make("a"),
        make("a", "10.0.0.1", allow_private=True),
        make("a", "10.0.0.1", proxy="http://p:1"),
        make("a", "10.0.0.1", network=NetworkRules(private=True)),
        make("a", "127.0.0.1", trusts_loopback=True),
        make("a", "localhost", trusts_loopback=True),
        make("a", "8.8.8.8"),
    ],
)
def test_a_config_shows_that_requests_are_sent(provider: Provider) -> None:
    assert provider_error(provider) is None


def test_a_problem_of_one_model_is_not_one_of_its_provider() -> None:
    models = (Model("m", "m", unsupported_setting="baseUrl"), Model("n", "n"))
    assert "its own baseUrl" in str(model_error(make("a", models=models), "m"))
    assert model_error(make("a", models=models), "n") is None
    assert model_error(make("a", models=models, problem="no key"), "m") is None


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        ([None], None),
        ([DOWN, None], None),
        ([DOWN], "down"),
        ([DOWN, DENIED], "denied (also: 0/m not available)"),
        ([AT_FAULT, None], "at fault"),
        ([DOWN, AT_FAULT, None], "at fault (also: 0/m not available)"),
    ],
)
def test_a_chain_fails_with_its_last_error_and_at_once_where_no_other_provider_could_do_better(
    errors: list[GatewayError | None], message: str | None
) -> None:
    found = chain_error((f"{number}/m", error) for number, error in enumerate(errors))
    assert (found and found.message) == message


def test_a_request_for_the_default_has_its_fallbacks_and_one_by_name_has_none() -> None:
    known = availability({"a": DOWN, "b": None}, "a/m", ("b/m",))
    assert known.request_error() is None and known.serving_error() is None
    assert known.request_error("a/m") is DOWN
    assert known.model_error(ModelRef("c", "m")) is not None
    assert isinstance(known.request_error("c/m"), ModelNotFound)


def test_without_a_default_one_provider_is_enough_and_a_built_in_the_last_reason() -> None:
    assert availability({"a": DOWN, "b": None}).serving_error() is None
    assert availability({"a": DOWN, "b": DENIED}).serving_error() is DOWN
    assert availability({"a": DOWN, "b": DENIED}, built_in=("a",)).serving_error() is DENIED
    assert availability({"a": DOWN}, built_in=("a",)).serving_error() is DOWN
    assert availability({"a": DOWN, "b": None}, built_in=("b",)).serving_error() is None


def test_what_fails_is_named_but_for_unused_built_ins() -> None:
    known = availability({"a": DOWN, "b": DENIED, "c": None, "d": DOWN}, "d/m", built_in=("b", "d"))
    assert known.failing() == {"a": DOWN, "d": DOWN}


def test_a_report_is_read_as_it_was_written() -> None:
    late = UpstreamTimedOut("late", limit="connect", seconds=5)
    known = availability({"a": DOWN, "b": None, "c": DENIED, "d": late})
    error_of = reported(json.loads(json.dumps(encode(known))))
    found = error_of(make("a"))
    assert isinstance(found, ProviderUnavailable) and (found.message, found.retry_after) == ("down", 7)
    assert error_of(make("b", problem="only in this shell")) is None
    assert type(error_of(make("c"))) is EgressDenied
    timeout = error_of(make("d"))
    assert isinstance(timeout, UpstreamTimedOut) and (timeout.message, timeout.limit) == ("late", "connect")
    assert isinstance(error_of(make("new")), ModelNotFound)
