"""The agents of a gateway: nothing of them where they are off, and a database that comes when it is needed."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from clawgate.app import agents
from clawgate.app.agents import AgentHost
from clawgate.app.egress_recorder import EgressRecorder
from clawgate.control.websocket.clients import Clients
from clawgate.errors import StoreUnavailable
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.openclaw.config_file import read_config
from clawgate.state import store
from clawgate.state.store import Store, open_store
from tests.agents.agent_stand import agent_config, says, serving_agents, user
from tests.agents.model_stand import DONE, call_of, chunk_of
from tests.e2e.stand import until
from tests.peers import faults
from tests.peers.faults import sse_response
from tests.plugins.host.test_discovery import installed
from tests.plugins.samples import docs_tool_plugin, imports_undone
from tests.relay.response.streams import MESSAGES_FRAMES
from tests.routing.gateway_server import ANTHROPIC, provider
from tests.state.runs import run


@pytest.mark.parametrize("at_start", ["on", "off"])
def test_no_request_waits_for_an_import_of_agents(at_start: str) -> None:
    """Neither the first one for an agent, nor others while agents are switched on: a thread imports."""
    subprocess.run([sys.executable, "-m", "tests.app.imports_on_loop", at_start], check=True)


async def test_the_database_is_made_by_the_first_run(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand:
        database = tmp_path / "clawgate" / "state.db"
        assert not database.exists()
        await stand.text(user("hi"))
        assert database.stat().st_mode & 0o777 == 0o600


async def test_without_its_database_no_agent_runs_and_models_are_served(tmp_path: Path) -> None:
    """And a database that can be used again is, without a restart."""
    blocker = tmp_path / "clawgate"
    async with serving_agents(tmp_path) as stand:
        blocker.write_text("not a folder")
        response = await stand.ask(user("hi"))
        assert response.status == 503 and response.json()["error"]["code"] == "store_unavailable"
        assert not stand.model.requests
        assert (await stand.ask(user("hi", model="up/m"))).status == 200
        blocker.unlink()
        assert (await stand.ask(user("hi"))).status == 200


async def test_the_database_is_where_the_config_says(tmp_path: Path) -> None:
    chosen = tmp_path / "elsewhere" / "agents.db"
    config = {"plugins": {"entries": {"clawgate": {"config": {"database": str(chosen)}}}}}
    async with serving_agents(tmp_path, config=config) as stand:
        await stand.text(user("hi"))
    assert chosen.exists() and not (tmp_path / "clawgate" / "state.db").exists()


async def test_embeddings_of_an_agent_are_those_of_its_memorys_model(tmp_path: Path) -> None:
    config = {"memory": {"search": {"provider": "up", "model": "vectors"}}}
    body = json.dumps({"model": "openclaw/main", "input": "hi"}).encode()
    async with serving_agents(tmp_path, faults.json_response({"data": []}), config=config) as stand:
        response = await stand.gateway.ask(body, target="/v1/embeddings")
        (sent,) = stand.model.requests
    assert response.status == 200 and sent.target == "/v1/embeddings"
    assert json.loads(sent.body) == {"model": "vectors", "input": "hi"}


async def test_an_agent_uses_the_tool_of_a_plugin(tmp_path: Path) -> None:
    """The one of the docs, from a client's request to its response."""
    arguments = '{"first": "2024-02-28", "last": "2024-03-01"}'
    asks = sse_response([call_of("days_between", arguments), chunk_of(reason="tool_calls"), DONE])
    with imports_undone():
        installed(tmp_path, docs_tool_plugin(tmp_path))
        config = {"plugins": {"entries": {"house-calendar": {"enabled": True}}}}
        async with serving_agents(tmp_path, asks, says("2 days"), config=config) as stand:
            host = stand.gateway.role.plugins
            await until(lambda: bool(host.tools), host.statuses)
            assert await stand.text(user("how long?")) == "2 days"
            first, second = (json.loads(request.body) for request in stand.model.requests)
    assert [tool["function"]["name"] for tool in first["tools"]] == ["days_between"]
    assert second["messages"][-1]["content"] == "2"


async def test_the_calls_of_a_run_mark_what_an_anthropic_provider_is_to_cache(tmp_path: Path) -> None:
    """The end of the system prompt and of the last two turns; nothing where a provider of another kind may serve."""
    async with serving_agents(tmp_path, sse_response([*MESSAGES_FRAMES])) as stand:
        config = agent_config(stand.model.url)
        claude = provider(stand.model.url, api=ANTHROPIC, models=[{"id": "m"}])
        config["models"]["providers"] |= {"claude": claude}
        for chain in (["claude/m"], ["claude/m", "up/m"]):
            config["agents"]["defaults"]["model"] = {"primary": chain[0], "fallbacks": chain[1:]}
            stand.gateway.rewrite(config)
            past = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
            messages = [
                {"role": "system", "content": "be brief"},
                *past,
                {"role": "user", "content": "three"},
            ]
            body = json.dumps({"model": "openclaw", "messages": messages}).encode()
            assert (await stand.ask(body)).status == 200
    marked, plain = (json.loads(request.body) for request in stand.model.requests)
    turns = [one["content"][-1] for one in marked["messages"] if one["role"] == "user"]
    assert all(one["cache_control"] == {"type": "ephemeral"} for one in (marked["system"][-1], *turns))
    assert "prompt_cache_key" not in marked and "cache_control" not in json.dumps(plain)


async def test_what_is_too_old_is_deleted_by_the_config_of_now(tmp_path: Path) -> None:
    nothing, recorder = cast(Any, None), EgressRecorder("gw", time.time)
    host = AgentHost(nothing, nothing, tmp_path, tuple, Clients(lambda: 0), recorder, Dialer())
    await host.prune()  # nothing was opened, so nothing is
    assert not (tmp_path / "clawgate").exists()
    path = tmp_path / "openclaw.json"
    path.write_text("{plugins: {entries: {clawgate: {config: {sessions: {maxAgeDays: 1}}}}}}")
    path.chmod(0o600)
    host._file = read_config(path, {}, required=True)
    opened = host._store = await open_store(tmp_path / "state.db", clock=lambda: run().finished_at + 86_402)
    await opened.commit(run())
    await host.prune()
    assert await opened.sessions() == []
    await opened.close()


async def test_requests_that_wait_for_the_database_share_one_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does not respond makes each of them wait once, not for all before it."""
    attempts, gate = 0, asyncio.Event()

    async def unreachable(url: str, *, clock: Callable[[], float]) -> Store:
        nonlocal attempts
        attempts += 1
        await gate.wait()
        raise StoreUnavailable("state database: no response")

    monkeypatch.setattr(store, "open_store", unreachable)
    async with serving_agents(tmp_path) as stand:
        async with await stand.client() as client:
            await stand.gateway.send(client, user("hi"))
            await until(lambda: attempts == 1, "the first attempt")
        waiting = [asyncio.create_task(stand.ask(user("hi"))) for _ in range(10)]
        await until(lambda: stand.gateway.role.connections.busy_count == 10, "all requests")
        gate.set()
        responses = await asyncio.gather(*waiting)
    assert {response.status for response in responses} == {503}
    assert attempts == 1


async def test_a_defect_beside_the_runs_ends_none_of_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []

    async def work() -> None:
        tries.append(1)
        if len(tries) == 2:
            raise asyncio.CancelledError
        raise ValueError("a defect")

    monkeypatch.setattr(agents, "PRUNE_SECONDS", 0)
    with caplog.at_level(logging.CRITICAL, "clawgate.agents"), pytest.raises(asyncio.CancelledError):
        await agents._survive(work)
    assert len(tries) == 2
