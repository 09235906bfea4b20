"""Private connections of a real gateway with agents, after it was killed and after it was stopped."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clawgate.policy.egress_ledger import LedgerQuery
from tests.agents.agent_stand import agent_config
from tests.agents.model_stand import DONE, chunk_of
from tests.cli.gateway_home import Home
from tests.e2e.agent_load import WHO, database_of, gateway_process, said
from tests.e2e.stand import PATIENCE, until
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import CHAT, config_of, own_config, question, serving_gateway

ANSWER = faults.sse_response([chunk_of({"content": "hello"}), chunk_of(reason="stop") + DONE])


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.close()


def rows(database: Path) -> list[tuple[object, ...]]:
    """Return requester, verdict, status and URL of each, and whether its bytes are known."""
    if not database.exists():
        return []
    with contextlib.closing(sqlite3.connect(database)) as connection:
        query = (
            "SELECT requester, verdict, status, url, bytes_sent > 0 AND bytes_received > 0 FROM egress"
            " ORDER BY opened_at"
        )
        try:
            return [tuple(row) for row in connection.execute(query)]
        except sqlite3.OperationalError:  # the gateway is about to create it
            return []


async def test_a_connection_is_in_the_database_before_and_after_its_gateway_is_killed(tmp_path: Path) -> None:
    async with FakeUpstream(ANSWER) as model:
        async with gateway_process(tmp_path, agent_config(model.url)) as process:
            async with await RawClient.open(process.url, limit=PATIENCE) as client:
                await client.request(CHAT, said("hi", stream=True), fields=WHO)
                assert (await client.response()).status == 200
            await until(lambda: rows(database_of(tmp_path)) != [], "the row")
            process.popen.kill()
        url = f"{model.url}{CHAT}"
        assert rows(database_of(tmp_path)) == [("provider:up", "allowed", "open", url, None)]
        async with gateway_process(tmp_path, agent_config(model.url)) as process:
            async with await RawClient.open(process.url, limit=PATIENCE) as client:
                await client.request(CHAT, said("hi", stream=True), fields=WHO)
                assert (await client.response()).status == 200
            process.send()
            assert await process.ended() == 0
    assert rows(database_of(tmp_path)) == [
        ("provider:up", "allowed", "open", url, None),
        ("provider:up", "allowed", "closed", url, 1),
    ]


async def test_the_first_connection_opens_the_database_without_a_run_of_an_agent(tmp_path: Path) -> None:
    async with FakeUpstream(ANSWER) as model, gateway_process(tmp_path, agent_config(model.url)) as process:
        async with await RawClient.open(process.url, limit=PATIENCE) as client:
            body = {"model": "up/m", "messages": [{"role": "user", "content": "hi"}]}
            await client.request(CHAT, json.dumps(body).encode(), fields=WHO)
            assert (await client.response()).status == 200
        await until(lambda: rows(database_of(tmp_path)) != [], "the row")


def reporting(url: str) -> dict[str, Any]:
    """A config of which the policy refuses both providers, and only reports."""
    config = config_of(
        {
            "near": {"baseUrl": f"{url}/v1", "api": "openai-completions", "apiKey": "k"},
            "never": {"baseUrl": "http://169.254.169.254/v1", "api": "openai-completions", "apiKey": "k"},
        }
    )
    return own_config(config, network={"mode": "report"})


async def test_report_only_lets_a_refused_connection_through_and_never_one_to_metadata(
    tmp_path: Path,
) -> None:
    async with (
        FakeUpstream(faults.json_response({"id": "x"})) as upstream,
        serving_gateway(tmp_path, reporting(upstream.url)) as stand,
    ):
        assert (await stand.ask(question("near/m"))).status == 200
        assert (await stand.ask(question("never/m"))).status in (403, 503)
        listing = await stand.role.recorder.find(LedgerQuery(requester="provider:near"))
    assert [(row.verdict, row.rule) for row in listing.rows] == [("reported", "no setting allows it")]


def test_that_it_only_reports_is_said_at_the_start_by_doctor_and_by_status(home: Home) -> None:
    home.write(json.dumps(reporting("http://127.0.0.1:9")))
    note = "connections to private addresses that the egress policy refuses are recorded"
    stopped = home.gateway("status").stdout
    assert home.gateway("start").returncode == 0
    for text in (stopped, home.gateway("status").stdout, home.run("doctor").stdout, home.log.read_text()):
        assert note in text and "clawgate config set" in text
    assert (
        home.run("config", "set", "plugins.entries.clawgate.config.network.mode", "enforce").returncode == 0
    )
    assert note not in home.run("doctor").stdout
