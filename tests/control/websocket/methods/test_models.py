"""Models by what the config and the providers list, with whether each can be used now; agents with their models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.agents.agent_stand import serving_agents
from tests.control.websocket.socket_stand import connected
from tests.peers.faults import json_response
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import config_of, provider, serving_gateway

NOWHERE = "http://127.0.0.1:9"


async def test_every_model_is_listed_once_with_its_state(tmp_path: Path) -> None:
    models = [{"id": "m", "name": "Em", "reasoning": True, "contextWindow": 1000, "input": ["text", "image"]}]
    providers = {
        "up": provider(NOWHERE, models=models),
        "bare": {"api": "openai-completions", "models": [{"id": "x"}]},
    }
    config = config_of(providers, primary="up/m", aliases={"fast": "up/m"})
    async with serving_gateway(tmp_path, config) as stand, connected(stand.url) as client:
        found = (await client.call("models.list", {"view": "all", "includeDetails": True}))["models"]
    assert found == [
        {
            "id": "m", "name": "Em", "provider": "up", "available": True, "alias": "fast", "tags": ["default"],
            "reasoning": True, "input": ["text", "image"], "contextWindow": 1000,
        }
    ]  # fmt: skip


async def test_models_that_a_provider_lists_itself_are_there(tmp_path: Path) -> None:
    async with FakeUpstream(json_response({"data": [{"id": "found"}]})) as upstream:
        config = config_of({"up": provider(upstream.url)})
        async with serving_gateway(tmp_path, config) as stand, connected(stand.url) as client:
            (model,) = (await client.call("models.list"))["models"]
    assert (model["id"], model["provider"]) == ("found", "up")


async def test_refresh_and_prepared_only_exclude_each_other(tmp_path: Path) -> None:
    config = config_of({"up": provider(NOWHERE, models=[{"id": "m"}])})
    async with serving_gateway(tmp_path, config) as stand, connected(stand.url) as client:
        error = await client.error("models.list", {"refresh": True, "preparedOnly": True})
    assert (error["code"], "preparedOnly" in error["message"]) == ("INVALID_REQUEST", True)


async def test_agents_are_listed_with_their_default(tmp_path: Path) -> None:
    agents: dict[str, Any] = {
        "list": [{"id": "main", "default": True}, {"id": "helper", "name": "Helper", "model": "up/other"}]
    }
    async with serving_agents(tmp_path, **agents) as stand, connected(stand.gateway.url) as client:
        found = await client.call("agents.list", {})
    assert (found["defaultId"], found["mainKey"], found["scope"]) == ("main", "main", "per-sender")
    assert [agent["id"] for agent in found["agents"]] == ["main", "helper"]
    assert found["agents"][1] == {
        "id": "helper", "name": "Helper", "model": {"primary": "up/other", "fallbacks": []},
    }  # fmt: skip
