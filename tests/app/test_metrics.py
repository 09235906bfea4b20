"""A gateway has a listener of metrics where its config names a port."""

from __future__ import annotations

from pathlib import Path

from starlette.testclient import TestClient

from tests.peers import faults
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import config_of, own_config, provider, question, serving_gateway


async def test_a_gateway_counts_its_requests_and_connections(tmp_path: Path) -> None:
    async with FakeUpstream(faults.json_response({"id": "x"})) as upstream:
        config = own_config(config_of({"up": provider(upstream.url)}), metricsPort=0)
        async with serving_gateway(tmp_path, config) as stand:
            assert stand.role.metrics is not None
            port, build = stand.role.metrics
            assert (await stand.ask(question("up/m"))).status == 200
            await stand.quiet()
            connections, app = build()
            assert connections.admission.control_paths == {b"/metrics"}
            with TestClient(app) as client:
                text = client.get("/metrics").text
    assert port == 0
    assert 'clawgate_requests_total{error="",status="200"} 1.0' in text
    connection = 'address="loopback",requester="provider",verdict="allowed"'
    assert f"clawgate_egress_connections_total{{{connection}}} 1.0" in text


async def test_without_a_port_there_is_none_and_nothing_more_is_observed(tmp_path: Path) -> None:
    async with serving_gateway(tmp_path, config_of({})) as stand:
        assert stand.role.metrics is None and not stand.role.connections.context.observes_all
