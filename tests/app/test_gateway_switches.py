"""The switches for agents and for models: each way without a restart, and what is off is not there at all."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from clawgate.app import gateway
from clawgate.errors import Overloaded
from clawgate.policy.path_routing import AGENT_PATHS
from clawgate.processes.instance.run_records import read_report
from clawgate.relay.admission.plan import AdmittedHead, RoutePlan
from clawgate.settings.openclaw.config_file import ConfigFile
from tests.e2e.stand import until
from tests.peers import faults
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import (
    CHAT,
    MESSAGES,
    GatewayStand,
    agents_on,
    config_of,
    own_config,
    provider,
    question,
    serving_gateway,
)

GOOD = faults.json_response({"next": "fine"})
EMBEDDINGS = "/v1/embeddings"
INPUT_TOKENS = "/v1/responses/input_tokens"
POSTS = (CHAT, MESSAGES, "/v1/messages/count_tokens", "/v1/responses", INPUT_TOKENS, EMBEDDINGS)
AGENTS_SWITCH = "gateway.http.endpoints.chatCompletions.enabled"
MODELS_SWITCH = "plugins.entries.clawgate.config.directModels"


class Agents:
    """A router of agents that takes every request."""

    def __init__(self, file: ConfigFile) -> None:
        self.file = file

    def route(self, head: AdmittedHead, body: bytes) -> RoutePlan:
        raise Overloaded(f"an agent would serve this: {dict(head.agent_headers)}")


def config(upstream: FakeUpstream, *, agents: bool, models: bool | None) -> dict[str, Any]:
    made = agents_on(config_of({"x": provider(upstream.url, models=[{"id": "m"}])}), on=agents)
    return made if models is None else own_config(made, directModels=models)


async def kind(stand: GatewayStand, model: str, target: str = CHAT) -> tuple[int, str]:
    """Status and code of a request; ("overloaded" where an agent got it)."""
    response = await stand.ask(question(model), target=target)
    return response.status, "" if response.status == 200 else response.json()["error"]["code"]


async def listed(stand: GatewayStand) -> list[str]:
    return [one["id"] for one in (await stand.ask(None, target="/v1/models")).json()["data"]]


AGENT = (503, "overloaded")
LISTED_AGENTS = ["openclaw", "openclaw/default", "openclaw/main"]


async def test_both_switches_work_both_ways_without_a_restart(tmp_path: Path) -> None:
    async with FakeUpstream(GOOD) as upstream:
        start = config(upstream, agents=False, models=None)
        async with serving_gateway(tmp_path, start, make_agents=Agents) as stand:
            for agents, models in ((0, 1), (1, 1), (1, 0), (0, 0), (1, 0), (1, 1), (0, 0), (0, 1)):
                stand.rewrite(config(upstream, agents=bool(agents), models=bool(models)))
                if not agents and not models:
                    for target in (*POSTS, "/v1/models", "/v1/models/x/m", "/v1/other", "/v1/"):
                        post = target in POSTS
                        response = await stand.ask(question("x/m") if post else None, target=target)
                        error = response.json()["error"]
                        assert (response.status, error["code"]) == (404, "unknown_route"), target
                        switch = AGENT_PATHS.get(target.encode(), AGENTS_SWITCH)
                        assert switch in error["message"] and MODELS_SWITCH in error["message"]
                    continue
                assert await kind(stand, "openclaw") == (AGENT if agents else (404, "model_not_found"))
                assert await kind(stand, "x/m") == ((200, "") if models else (400, "invalid_request"))
                expected = [*(LISTED_AGENTS if agents else []), *(["x/m"] if models else [])]
                assert await listed(stand) == expected
                for target in (MESSAGES, "/v1/messages/count_tokens", "/v1/responses"):
                    response = await stand.ask(question("x/m"), target=target)
                    if not models and target != "/v1/responses":
                        assert response.status == 400 and MODELS_SWITCH in response.json()["error"]["message"]
                    elif not models:
                        assert response.status == 404 and MODELS_SWITCH in response.json()["error"]["message"]
                    else:
                        assert response.status != 404


async def test_the_embeddings_of_an_agent_are_those_of_its_memory(tmp_path: Path) -> None:
    """Also where models are off: the operator has chosen this one."""
    async with FakeUpstream(GOOD) as upstream:
        start = config(upstream, agents=True, models=False) | {
            "memory": {"search": {"provider": "x", "model": "e"}}
        }
        async with serving_gateway(tmp_path, start, make_agents=Agents) as stand:
            assert await kind(stand, "openclaw", EMBEDDINGS) == (200, "")
            assert await kind(stand, "x/e", EMBEDDINGS) == (400, "invalid_request")
            assert b'"model":"e"' in upstream.requests[0].body.replace(b" ", b"")
            stand.rewrite(config(upstream, agents=True, models=False))
            assert await kind(stand, "openclaw", EMBEDDINGS) == (503, "provider_not_configured")


async def test_a_kept_connection_follows_a_switch(tmp_path: Path) -> None:
    """A head that was admitted before is not served by the old switches."""
    async with FakeUpstream(GOOD) as upstream:
        start = config(upstream, agents=True, models=True)
        async with (
            serving_gateway(tmp_path, start, make_agents=Agents) as stand,
            await stand.client() as client,
        ):
            assert (await stand.ask(question("x/m"), client=client)).status == 200
            assert (await stand.ask(question("openclaw"), client=client)).status == 503
            stand.rewrite(config(upstream, agents=False, models=False))
            for model in ("x/m", "openclaw"):
                assert (await stand.ask(question(model), client=client)).status == 404


async def test_agents_are_made_anew_by_each_config_and_get_their_headers(tmp_path: Path) -> None:
    made: list[Agents] = []

    def make(file: ConfigFile) -> Agents:
        made.append(Agents(file))
        return made[-1]

    async with FakeUpstream(GOOD) as upstream:
        start = config(upstream, agents=False, models=True)
        async with serving_gateway(tmp_path, start, make_agents=make) as stand:
            assert made == []
            stand.rewrite(config(upstream, agents=True, models=True))
            assert len(made) == 1 and made[0].file.config.gateway.http.endpoints.chat_completions.enabled
            lines = (("X-OpenClaw-Session-Key", "s"), ("Idempotency-Key", "k"), ("x-openclaw-agent-id", ""))
            response = await stand.ask(question("openclaw"), *lines)
            assert (
                "'x-openclaw-session-key': 's', 'idempotency-key': 'k'" in response.json()["error"]["message"]
            )
            assert "agent-id" not in response.json()["error"]["message"]
            twice = await stand.ask(
                question("openclaw"), ("x-openclaw-model", "a"), ("x-openclaw-model", "b")
            )
            assert (twice.status, twice.json()["error"]["code"]) == (400, "malformed_request")


@pytest.mark.parametrize("agents", [True, False])
async def test_headers_of_agents_never_reach_a_provider(agents: bool, tmp_path: Path) -> None:
    lines = (("x-clawgate-disconnect", "cancel"), ("x-openwebui-chat-id", "c"), ("last-event-id", "7"))
    async with FakeUpstream(GOOD) as upstream:
        start = config(upstream, agents=agents, models=True)
        async with serving_gateway(tmp_path, start, make_agents=Agents) as stand:
            assert (await stand.ask(question("x/m"), *lines)).status == 200
            assert (await stand.ask(question("x/m"), ("x-openclaw-session-key", "s"))).status == 400
        (request,) = upstream.requests
        assert not [name for name, _ in lines if request.header(name) is not None]


async def test_a_change_is_reported_once_agents_are_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a request which follows `config set` meets them, however long their import takes."""
    gate = threading.Event()
    monkeypatch.setattr(gateway, "load_agents", gate.wait)
    (tmp_path / "clawgate").mkdir()

    def reported() -> str:
        report = read_report(tmp_path / "clawgate", "test-instance")
        return report.digest if report is not None else ""

    async with (
        FakeUpstream(GOOD) as upstream,
        serving_gateway(tmp_path, config(upstream, agents=False, models=None)) as stand,
    ):
        before = reported()
        try:
            stand.rewrite(config(upstream, agents=True, models=None))
            assert (await kind(stand, "openclaw"))[0] == 404, "they are off still"
            assert reported() == before != ""
        finally:
            gate.set()
        await until(lambda: reported() != before, "the report")
        assert "openclaw" in await listed(stand)
