"""A name is resolved once for each config, and to what the config says."""

from __future__ import annotations

import pytest

from clawgate.errors import ModelNotFound
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.provider import Model
from clawgate.routing import table as tables
from clawgate.routing.table import RoutingTable, attribution_headers
from tests.routing.test_router import catalog, make_provider


def test_a_route_holds_its_targets_in_order() -> None:
    listed = Model("m", "m", max_tokens=7)
    table = RoutingTable(
        catalog(make_provider("a", models=(listed,)), make_provider("b"), primary="a/m", fallbacks=("b/n",))
    )
    first, second = table.route("default").targets
    assert (first.name, first.ref, first.provider.id, first.model) == ("a/m", ModelRef("a", "m"), "a", listed)
    assert (second.name, second.model) == ("b/n", None)
    assert first.attribution == b"x-clawgate-provider: a\r\nx-clawgate-model: m\r\n"
    assert first.problem is second.problem is None


def test_a_problem_of_the_model_is_not_one_of_its_provider() -> None:
    """A provider that is not ready says so itself, with its own next step."""
    elsewhere = (Model("m", "m", unsupported_setting="baseUrl"),)
    table = RoutingTable(
        catalog(make_provider("a", models=elsewhere), make_provider("b", models=elsewhere, problem="no key"))
    )
    problem = table.route("a/m").targets[0].problem
    assert problem is not None and "its own baseUrl" in problem.message
    assert table.route("b/m").targets[0].problem is None


def test_a_name_is_resolved_once() -> None:
    table = RoutingTable(catalog(make_provider("a"), primary="a/m"))
    assert table.route("a/x") is table.route("a/x") is not table.route("a/y")


def test_an_unknown_name_is_rejected_each_time() -> None:
    table = RoutingTable(catalog(make_provider("a")))
    for _ in range(2):
        with pytest.raises(ModelNotFound):
            table.route("nowhere/m")
    assert table._routes == {}


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are the clients' to choose: neither many nor long ones are kept, and all are served."""
    monkeypatch.setattr(tables, "_MAX_NAMES", 3)
    table = RoutingTable(catalog(make_provider("a")))
    for number in range(10):
        assert table.route(f"a/{number}").targets[0].ref == ModelRef("a", str(number))
    assert len(table._routes) == 3
    table = RoutingTable(catalog(make_provider("a")))
    assert table.route("a/" + "x" * 500).targets[0].ref.model == "x" * 500
    assert table._routes == {}


def test_attribution_names_the_attempts_before() -> None:
    lines = attribution_headers(ModelRef("a", "m\r\nx: y"), ("b/n 503",))
    assert lines.count(b"\r\n") == 3
    assert b"x-clawgate-attempts: b/n 503; a/m%0D%0Ax: y\r\n" in lines
