"""What the gateway says of itself: liveness to everybody, its models to callers, in the shapes of both vendors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clawgate import __version__
from clawgate.control.api import list_models
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.catalog import Catalog
from clawgate.providers.provider import Model, Provider
from clawgate.relay.upstream.dial import Dialer
from clawgate.testing.http.response import Response
from tests.routing.gateway_server import ANTHROPIC, GatewayStand, config_of, provider, serving_gateway

NOWHERE = "http://127.0.0.1:9"
CONFIG = config_of(
    {
        "oa": provider(NOWHERE, models=[{"id": "m"}, {"id": "deep/er"}]),
        "an": provider(NOWHERE, ANTHROPIC, models=[{"id": "claude"}]),
        "bare": {"api": "openai-completions", "models": [{"id": "hidden"}]},
    },
    aliases={"Fast": "oa/m", "Lost": "bare/hidden"},
)
VERSION = ("anthropic-version", "2023-06-01")


def ready(name: str, *models: str, why: str | None = None) -> Provider:
    return Provider(
        id=name,
        api="openai-completions",
        origin=None,
        models=tuple(Model(one, one) for one in models),
        problem=why,
    )


def test_every_model_that_would_be_served_is_listed_and_no_other() -> None:
    """In full, then by alias; an alias never stands in a full name's place."""
    providers = {"a": ready("a", "x", "y/z"), "b": ready("b", "w", why="no key")}
    aliases = {"short": ModelRef("a", "x"), "dead": ModelRef("b", "w"), "gone": ModelRef("c", "v")}
    found = list_models(Catalog(providers, aliases, None, ()))
    assert {name: model.full_name for name, model in found.items()} == {
        "a/x": "a/x",
        "a/y/z": "a/y/z",
        "short": "a/x",
    }


async def _get(stand: GatewayStand, target: str, *fields: tuple[str, str], token: bool = True) -> Response:
    if token:
        return await stand.ask(None, *fields, target=target)
    return await stand.ask(None, *fields, target=target, token=None)


async def test_models_in_the_shape_of_each_vendor(tmp_path: Path) -> None:
    """Nobody is asked for them."""
    dialer = Dialer()
    async with serving_gateway(tmp_path, CONFIG, dialer=dialer) as stand:
        listed = (await _get(stand, "/v1/models")).json()
        assert set(listed) == {"object", "data"} and listed["object"] == "list"
        names = [model["id"] for model in listed["data"]]
        assert names == ["oa/m", "oa/deep/er", "an/claude", "Fast"]
        assert [model["owned_by"] for model in listed["data"]] == ["oa", "oa", "an", "oa"]
        assert all(set(model) == {"id", "object", "created", "owned_by"} for model in listed["data"])
        theirs = (await _get(stand, "/v1/models", VERSION)).json()
        assert [model["id"] for model in theirs["data"]] == names
        assert (theirs["first_id"], theirs["last_id"], theirs["has_more"]) == ("oa/m", "Fast", False)
        assert all(model["type"] == "model" for model in theirs["data"])
        assert not dialer.ledger


@pytest.mark.parametrize("fields", [(), (VERSION,)], ids=["openai", "anthropic"])
async def test_a_list_can_be_empty(fields: tuple[tuple[str, str], ...], tmp_path: Path) -> None:
    async with serving_gateway(tmp_path, config_of({})) as stand:
        answer = await _get(stand, "/v1/models", *fields)
        assert answer.status == 200 and answer.json()["data"] == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("oa/m", "oa/m"),
        ("oa%2Fm", "oa/m"),
        ("oa/deep/er", "oa/deep/er"),
        ("Fast", "Fast"),
        ("oa/unlisted", None),
        ("nobody/m", None),
        ("bare/hidden", "bare/hidden"),
        ("%0d%0aX-Evil%3a%201", None),
    ],
)
async def test_one_model(name: str, found: str | None, tmp_path: Path) -> None:
    """As it is listed; otherwise 404 in the shape that the client reads."""
    async with serving_gateway(tmp_path, CONFIG) as stand:
        for fields in ((), (VERSION,)):
            answer = await _get(stand, f"/v1/models/{name}", *fields)
            if name.startswith("%0d"):
                assert answer.status == 400
            elif found is None:
                assert answer.status == 404 and answer.json()["error"]["code"] == "model_not_found"
                assert (answer.json().get("type") == "error") is bool(fields)
            else:
                assert answer.status == 200 and answer.json()["id"] == found
                assert answer.json().get("object", "") == ("" if fields else "model")


@pytest.mark.parametrize("path", ["/health", "/healthz", "/ready", "/readyz"])
async def test_health_is_for_everybody_and_tells_nothing(path: str, tmp_path: Path) -> None:
    """No model, no provider, no secret, also not to somebody with a token."""
    async with serving_gateway(tmp_path, CONFIG) as stand:
        for token in (True, False):
            answer = await _get(stand, path, token=token)
            assert answer.status == 200 and answer.header("cache-control") == "no-store"
            assert b"oa" not in answer.body and b"SECRET" not in answer.body
            assert (await stand.ask(None, target=path, token="wrong")).status == 401


async def test_health_says_which_process_it_is(tmp_path: Path) -> None:
    async with serving_gateway(tmp_path, CONFIG) as stand:
        said: dict[str, Any] = (await _get(stand, "/health")).json()
        assert said == {
            "ok": True,
            "status": "live",
            "version": __version__,
            "role": "gateway",
            "instance": "test-instance",
        }


async def test_ready_says_when_it_is_not(tmp_path: Path) -> None:
    """While answers are being finished, nothing new should be sent here; it lives all the same."""
    async with serving_gateway(tmp_path, CONFIG) as stand:
        assert (await _get(stand, "/ready", token=False)).json()["failing"] == []
        stand.role.connections.draining = True
        answer = await _get(stand, "/ready", token=False)
        assert answer.status == 503 and answer.json()["failing"] == ["gateway-draining"]
        assert answer.json()["ready"] is False and (await _get(stand, "/health", token=False)).status == 200


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/oa/m"])
async def test_models_are_for_callers(path: str, tmp_path: Path) -> None:
    async with serving_gateway(tmp_path, CONFIG) as stand:
        assert (await _get(stand, path, token=False)).json()["error"]["code"] == "missing_token"
        assert (await stand.ask(None, target=path, token="wrong")).status == 401


async def test_models_follow_the_config(tmp_path: Path) -> None:
    async with serving_gateway(tmp_path, CONFIG) as stand:
        stand.rewrite(config_of({"new": provider(NOWHERE, models=[{"id": "n"}])}))
        assert [one["id"] for one in (await _get(stand, "/v1/models")).json()["data"]] == ["new/n"]
