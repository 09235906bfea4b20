"""What the gateway says of itself: liveness to everybody, its models to callers, in the shapes of both vendors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clawgate import __version__
from clawgate.control.api import list_models
from clawgate.policy.model_routing import ModelRef
from clawgate.processes.instance.health_client import KEY_HEADER
from clawgate.providers.catalog import Catalog
from clawgate.providers.provider import Model, Provider
from tests.peers import faults
from tests.peers.response import Response
from tests.peers.upstream import FakeUpstream
from tests.relay.recording_dialer import RecordingDialer
from tests.routing.gateway_server import (
    ANTHROPIC,
    CLIENT_TOKEN,
    COMMAND_KEY,
    GatewayStand,
    config_of,
    provider,
    question,
    serving_gateway,
)

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


def test_discovered_models_count_where_the_config_lists_none() -> None:
    providers = {"a": ready("a", "x"), "b": ready("b"), "c": ready("c", why="no key")}
    discovered = {"a": ("other",), "b": ("m", "org/n"), "c": ("m",)}
    found = list_models(Catalog(providers, {}, None, ()), discovered)
    assert {name: model.provider.id for name, model in found.items()} == {
        "a/x": "a",
        "b/m": "b",
        "b/org/n": "b",
    }


async def _get(stand: GatewayStand, target: str, *fields: tuple[str, str], token: bool = True) -> Response:
    if token:
        return await stand.ask(None, *fields, target=target)
    return await stand.ask(None, *fields, target=target, token=None)


async def test_models_in_the_shape_of_each_vendor(tmp_path: Path) -> None:
    """Nobody is asked for them."""
    dialer = RecordingDialer()
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


@pytest.mark.parametrize(
    ("target", "meant"),
    [("/models", "/v1/models"), ("/v1/v1/models", "/v1/models"), ("/models/oa/m", "/v1/models/oa/m"), ("/x", None)],
)  # fmt: skip
async def test_a_base_url_with_or_without_v1_is_named(target: str, meant: str | None, tmp_path: Path) -> None:
    """For the routes of the gateway itself as for those that it forwards."""
    async with serving_gateway(tmp_path, CONFIG) as stand:
        answer = await _get(stand, target)
        message = answer.json()["error"]["message"]
        hint = f"did you mean {meant} (see /v1 in the base URL)? " if meant else ""
        assert answer.status == 404 and message.startswith(f"unknown route '{target}'; {hint}routes: ")
        assert "/v1/messages, " in message and message.endswith("/v1/models, /v1/models/...")


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


async def test_ready_gives_the_reason_to_callers_and_on_this_machine_alone(tmp_path: Path) -> None:
    """While no request for the default model is sent anywhere; one for another provider may be."""
    config = {**CONFIG, "agents": {"defaults": {"model": {"primary": "bare/hidden"}}}}
    async with serving_gateway(tmp_path, config) as stand:
        request = await stand.ask(b'{"model": "default"}')
        error = request.json()["error"]
        forwarded = ("X-Forwarded-For", "192.0.2.1")
        for fields, token, is_given in (
            ((), False, True),
            ((forwarded,), False, False),
            ((forwarded,), True, True),
        ):
            response = await _get(stand, "/ready", *fields, token=token)
            assert (response.status, response.json()["failing"]) == (503, ["models"])
            assert response.json()["code"] == error["code"] == "provider_not_configured"
            reason = response.json().get("reason")
            assert reason is None if not is_given else error["message"].endswith(reason)


async def test_health_has_the_state_of_each_provider_for_commands_alone(tmp_path: Path) -> None:
    config = config_of(
        {
            "oa": provider("https://far.test"),
            "an": provider(NOWHERE, ANTHROPIC),
            "bare": {"api": "openai-completions"},
        }
    )
    async with serving_gateway(tmp_path, config) as stand:
        found = (await _get(stand, "/health", (KEY_HEADER, COMMAND_KEY), token=False)).json()
        assert found["serving"] is None and found["failing"] == ["an", "bare"]
        assert {name: error and error["code"] for name, error in found["providers"].items()} == {
            "oa": None,
            "an": "provider_unavailable",
            "bare": "provider_not_configured",
        }
        for key in ("", "wrong", "ümlaut"):
            assert "providers" not in (await _get(stand, "/health", (KEY_HEADER, key), token=False)).json()


async def test_a_provider_that_could_not_be_reached_is_tried_again_for_commands_alone(tmp_path: Path) -> None:
    async with FakeUpstream() as upstream:
        address = ["127.0.0.2"]  # where nothing listens

        async def resolve(host: str, port: int) -> list[str]:
            return list(address)

        dialer = RecordingDialer(resolve)
        url = upstream.url.replace("127.0.0.1", "oa.test")
        async with serving_gateway(tmp_path, config_of({"oa": provider(url)}), dialer=dialer) as stand:
            assert (await stand.ask(question("oa/m"))).status == 503
            address[0] = "127.0.0.1"
            for path in ("/health", "/ready"):
                await _get(stand, path)
            assert len(dialer.ledger) == 1
            found = (await _get(stand, "/health", (KEY_HEADER, COMMAND_KEY))).json()
            assert found["providers"]["oa"] is None and found["failing"] == []
            assert len(dialer.ledger) == 2 and upstream.requests == []


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/oa/m"])
async def test_models_are_for_callers(path: str, tmp_path: Path) -> None:
    async with serving_gateway(tmp_path, CONFIG) as stand:
        assert (await _get(stand, path, token=False)).json()["error"]["code"] == "missing_token"
        assert (await stand.ask(None, target=path, token="wrong")).status == 401


async def test_models_follow_the_config(tmp_path: Path) -> None:
    async with serving_gateway(tmp_path, CONFIG) as stand:
        stand.rewrite(config_of({"new": provider(NOWHERE, models=[{"id": "n"}])}))
        assert [one["id"] for one in (await _get(stand, "/v1/models")).json()["data"]] == ["new/n"]


LISTING = faults.json_response({"object": "list", "data": [{"id": "gpt-x"}, {"id": "org/deep"}]})
CLAUDE_LISTING = faults.json_response({"data": [{"type": "model", "id": "claude-x"}], "has_more": False})


async def test_models_that_the_config_does_not_list_come_from_their_providers(tmp_path: Path) -> None:
    """In both dialects, each marked with its provider; the providers are contacted once."""
    async with FakeUpstream(LISTING) as oa, FakeUpstream(CLAUDE_LISTING) as an:
        blocks = {
            "oa": provider(oa.url),
            "an": provider(an.url, ANTHROPIC),
            "set": provider(NOWHERE, models=[{"id": "m"}]),
            "bare": {"api": "openai-completions"},
        }
        async with serving_gateway(tmp_path, config_of(blocks, aliases={"fast": "oa/gpt-x"})) as stand:
            names = ["oa/gpt-x", "oa/org/deep", "an/claude-x", "set/m", "fast"]
            listed = (await _get(stand, "/v1/models")).json()["data"]
            assert [one["id"] for one in listed] == names
            assert [one["owned_by"] for one in listed] == ["oa", "oa", "an", "set", "oa"]
            theirs = (await _get(stand, "/v1/models", VERSION)).json()
            assert [one["id"] for one in theirs["data"]] == names and theirs["last_id"] == "fast"
            for name in names[:3]:
                assert (await _get(stand, f"/v1/models/{name}")).json()["id"] == name
                assert (await _get(stand, f"/v1/models/{name}", VERSION)).json()["id"] == name
            missing = await _get(stand, "/v1/models/oa/gpt-y")
            assert (
                missing.status == 404
                and "requests for it are forwarded" in missing.json()["error"]["message"]
            )
            assert len(oa.requests) == len(an.requests) == 1


async def test_one_model_can_be_requested_before_the_list(tmp_path: Path) -> None:
    async with (
        FakeUpstream(LISTING) as oa,
        serving_gateway(tmp_path, config_of({"oa": provider(oa.url)})) as stand,
    ):
        assert (await _get(stand, "/v1/models/oa/gpt-x")).json()["owned_by"] == "oa"


@pytest.mark.parametrize(
    "own", [{"discoverModels": False}, {"providers": {"oa": {"discoverModels": False}}}], ids=str
)
async def test_discovery_can_be_turned_off(own: dict[str, Any], tmp_path: Path) -> None:
    config = config_of({"oa": provider(NOWHERE)}) | {"plugins": {"entries": {"clawgate": {"config": own}}}}
    dialer = RecordingDialer()
    async with serving_gateway(tmp_path, config, dialer=dialer) as stand:
        assert (await _get(stand, "/v1/models")).json()["data"] == [] and not dialer.ledger


async def test_a_provider_that_fails_does_not_hide_the_others(tmp_path: Path) -> None:
    async with FakeUpstream(LISTING) as oa:
        blocks = {
            "down": provider(NOWHERE),
            "oa": provider(oa.url),
            "set": provider(NOWHERE, models=[{"id": "m"}]),
        }
        async with serving_gateway(tmp_path, config_of(blocks)) as stand:
            names = [one["id"] for one in (await _get(stand, "/v1/models")).json()["data"]]
            assert names == ["oa/gpt-x", "oa/org/deep", "set/m"]


async def test_a_provider_that_leads_back_is_a_failure_and_no_loop(tmp_path: Path) -> None:
    async with serving_gateway(tmp_path, config_of({})) as stand:
        back = provider(stand.url) | {"apiKey": CLIENT_TOKEN}
        stand.rewrite(config_of({"back": back}))
        response = await _get(stand, "/v1/models")
        assert response.status == 200 and response.json()["data"] == []


async def test_an_address_that_is_not_allowed_is_not_dialled_for_models(tmp_path: Path) -> None:
    dialer = RecordingDialer()
    block = provider("http://10.1.2.3:9", request={"allowPrivateNetwork": False})
    async with serving_gateway(tmp_path, config_of({"x": block}), dialer=dialer) as stand:
        assert (await _get(stand, "/v1/models")).json()["data"] == []
        assert not dialer.ledger


async def test_models_are_listed_for_clients_of_ollama_where_that_is_on(tmp_path: Path) -> None:
    """The same ones, to the same callers, without a restart."""
    on = {"plugins": {"entries": {"clawgate": {"config": {"ollamaTags": True}}}}}
    async with serving_gateway(tmp_path, CONFIG) as gateway:
        for path in ("/api/tags", "/api/version"):
            off = await gateway.ask(None, target=path)
            assert off.status == 404
            assert "plugins.entries.clawgate.config.ollamaTags" in off.json()["error"]["message"]
        gateway.rewrite(CONFIG | on)
        listed = (await gateway.ask(None, target="/v1/models")).json()["data"]
        tags = (await gateway.ask(None, target="/api/tags")).json()["models"]
        assert [model["name"] for model in tags] == [model["id"] for model in listed] != []
        assert all(model["model"] == model["name"] and model["size"] == 0 for model in tags)
        assert (await gateway.ask(None, target="/api/version")).json() == {"version": __version__}
        assert (await gateway.ask(None, target="/api/tags", token=None)).status == 401
        gateway.rewrite(CONFIG)
        assert (await gateway.ask(None, target="/api/tags")).status == 404
