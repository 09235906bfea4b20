"""A bridge within the gateway: the same as on its own, it says whose it is, and what keeps it from listening."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from clawgate.app.plugins.relay import serve_relay
from clawgate.plugins.api import BridgeSettings, PluginError, RelaySpec
from clawgate.relay.upstream.dial import Dialer
from tests.e2e.processes import is_listening
from tests.e2e.stand import BODY, PATIENCE, until
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.script import ReadBody, Send, Wait
from tests.peers.upstream import FakeUpstream

REMOTE_TOKEN = "rt-4Nw8QzXc6TkVb2LmYd9P"
LOCAL_TOKEN = "lt-R7yHq3vXn5JrTz9KwBd"


def plan(remote: str = "http://127.0.0.1:9", **more: Any) -> RelaySpec:
    settings = {"host": "127.0.0.1", "bridge_port": 0, "remote_url": remote, "proxy_token": REMOTE_TOKEN}
    spec = {name: more.pop(name) for name in ("header", "prefix") if name in more}
    given = BridgeSettings.model_validate(settings | more)
    return RelaySpec(name="sample", settings=given, **{"header": "X-Remote", **spec})


async def client(port: int) -> RawClient:
    return await RawClient.open(f"http://127.0.0.1:{port}", limit=PATIENCE)


async def test_what_comes_in_leaves_with_the_one_credential() -> None:
    """With its prefix; the client's own is not passed on, and health names the gateway's run, to whoever asks."""
    async with FakeUpstream(faults.json_response({"a": 1})) as upstream:
        relay = await serve_relay(
            plan(f"{upstream.url}/v1", prefix="Token"), Dialer(), instance="run-of-gateway"
        )
        assert relay.port > 0 and relay.host == "127.0.0.1"
        async with await client(relay.port) as caller:
            await caller.request("/v1/x", BODY, fields=(("X-Remote", "mine"), ("Authorization", "mine")))
            assert (await caller.response()).json() == {"a": 1}
            await caller.request("/health", None)
            health = (await caller.response()).json()
            assert (health["role"], health["instance"]) == ("bridge", "run-of-gateway")
        (request,) = upstream.requests
        assert request.target == "/v1/x" and request.header_all("x-remote") == [f"Token {REMOTE_TOKEN}"]
        assert request.header_all("authorization") == [] and upstream.anomalies == []
        assert relay.connections >= 1
        await relay.stop()


async def test_a_local_token_is_asked_for() -> None:
    async with FakeUpstream(faults.json_response({})) as upstream:
        relay = await serve_relay(plan(upstream.url, bridge_token=LOCAL_TOKEN), Dialer(), instance="i")
        async with await client(relay.port) as caller:
            await caller.request("/v1/x", BODY)
            assert (await caller.response()).status == 401
            await caller.request("/v1/x", BODY, fields=(("Authorization", f"Bearer {LOCAL_TOKEN}"),))
            assert (await caller.response()).status == 200
        assert len(upstream.requests) == 1
        await relay.stop()


async def test_stopping_lets_an_answer_end_and_takes_no_other() -> None:
    """The port is free at once; a second stop is harmless."""
    gate = asyncio.Event()
    whole = faults.response(b'{"late":1}')
    async with FakeUpstream((ReadBody(), Send(whole[:20]), Wait(gate), Send(whole[20:]))) as upstream:
        relay = await serve_relay(plan(upstream.url), Dialer(), instance="i")
        async with await client(relay.port) as caller:
            await caller.request("/v1/x", BODY)
            await upstream.saw_request(0)
            stopping = asyncio.ensure_future(relay.stop())
            await until(lambda: not is_listening(relay.port), "the listener to close")
            assert not stopping.done()
            gate.set()
            assert (await caller.response()).json() == {"late": 1}
            await stopping
        await relay.stop()


async def test_a_request_that_is_on_its_way_while_it_stops_is_answered() -> None:
    """Its client was idle, and its connection was kept."""
    async with FakeUpstream(faults.json_response({"a": 1})) as upstream:
        relay = await serve_relay(plan(upstream.url), Dialer(), instance="i")
        async with await client(relay.port) as caller:
            await caller.request("/v1/x", BODY)
            assert (await caller.response()).complete
            stopping = asyncio.ensure_future(relay.stop())
            await until(lambda: not is_listening(relay.port), "the listener to close")
            await caller.request("/v1/x", BODY)
            response = await caller.response()
            assert response.json() == {"a": 1} and response.header("connection") == "close"
            await stopping


async def test_a_port_that_is_taken_is_a_reason_with_its_holder() -> None:
    """Whoever holds it is named, and the cause is there for the service that waits for it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PluginError, match=rf"port {port}: Address already in use \(held by ") as caught:
            await serve_relay(plan(bridge_port=port), Dialer(), instance="i")
        assert isinstance(caught.value.__cause__, OSError) and caught.value.next_step


@pytest.mark.parametrize(
    "more",
    [
        {"host": "0.0.0.0"},
        {"remote_url": "https://h", "ca_file": "/no/such/file.pem"},
        {"header": "not a name"},
        {"prefix": "a\r\nb"},
    ],
)
async def test_what_cannot_be_set_up_listens_nowhere_and_tells_no_secret(more: dict[str, Any]) -> None:
    """Also an address that anybody reaches, where nobody is asked for a token."""
    with pytest.raises(PluginError) as caught:  # noqa: PT012  # the second ends what should not be
        relay = await serve_relay(plan(**more), Dialer(), instance="i")
        await relay.stop()  # or the loop would not end
    assert REMOTE_TOKEN not in str(caught.value)


async def test_limits_of_the_plan_are_those_of_the_bridge() -> None:
    async with FakeUpstream(faults.never_responds()) as upstream:
        relay = await serve_relay(
            plan(upstream.url, first_byte_timeout=0.2, max_body_mb=0.001),
            Dialer(),
            instance="i",
        )
        async with await client(relay.port) as caller:
            await caller.request("/v1/x", BODY)
            assert (await caller.response()).status == 504
        async with await client(relay.port) as caller:
            await caller.request("/v1/x", b"x" * 5000)
            assert (await caller.response()).status == 413
        await relay.stop()
