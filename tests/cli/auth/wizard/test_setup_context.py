"""What a provider gets while it is set up: a GET through the dialer with distinct failures, the state of a port."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from clawgate.cli.auth.wizard.setup_context import Ports, Setup
from clawgate.plugins.api.questions import Answers, Question
from clawgate.plugins.api.service import FetchFailed, FetchRequest, FetchResponse, SetupContext
from clawgate.settings.problems import SettingsInvalid
from tests.peers import faults
from tests.peers.upstream import FakeUpstream

PLAN = FetchRequest(
    url="",
    header="X-Proxy-Token",
    secret=SecretStr("canary-setup"),
    allow_private=True,
    headers={"X-Team": "a"},
)

PORT = Question(name="port", text="Port", kind="port")


def fetched(*answers: Any, path: str = "/v1/models", **changes: Any) -> tuple[FetchResponse, list[Any]]:
    async def work() -> tuple[FetchResponse, list[Any]]:
        context: SetupContext = Setup({}, {})
        async with FakeUpstream(*answers) as upstream:
            plan = replace(PLAN, url=upstream.url + path, **changes)
            return await context.fetch(plan), upstream.requests

    return asyncio.run(work())


def test_the_credential_goes_where_the_plan_says() -> None:
    found, (request,) = fetched(faults.json_response({"ok": 1}))
    headers = {name.lower(): value for name, value in request.headers}
    assert (request.method, request.target) == ("GET", "/v1/models") and found.json() == {"ok": 1}
    assert (
        headers["x-proxy-token"] == "canary-setup"
        and headers["x-team"] == "a"
        and "authorization" not in headers
    )
    _, (request,) = fetched(faults.json_response({}), path="", header="Authorization", prefix="Bearer")
    assert request.target == "/" and ("authorization", "Bearer canary-setup") in [
        (name.lower(), value) for name, value in request.headers
    ]


def test_an_error_is_an_answer_too() -> None:
    assert fetched(faults.error_response(401))[0].status == 401


def test_a_private_address_has_to_be_named_so() -> None:
    with pytest.raises(FetchFailed) as caught:
        fetched(faults.json_response({}), allow_private=False)
    assert caught.value.cause == "blocked"


@pytest.mark.parametrize(("url", "cause"), [("http://127.0.0.1:1/x", "unreachable"), ("nonsense", "bad_url")])
def test_no_answer_has_a_cause(url: str, cause: str) -> None:
    with pytest.raises(FetchFailed) as caught:
        asyncio.run(Setup({}, {}).fetch(replace(PLAN, url=url)))
    assert caught.value.cause == cause and "canary" not in caught.value.message


RULES = [
    ({}, False, "gateway.allowPrivateNetwork"),
    ({"allow": ["127.0.0.0/8"]}, False, ""),
    ({"deny": ["127.0.0.1"]}, True, "network.deny 127.0.0.1"),
    ({"allow": ["127.0.0.1"], "deny": ["127.0.0.0/8"]}, True, "network.deny 127.0.0.0/8"),
]


def test_the_rules_of_the_network_are_those_of_the_config() -> None:
    async def refusal(network: dict[str, Any], may_be_private: bool) -> str:
        config = {"plugins": {"entries": {"clawgate": {"config": {"network": network}}}}}
        async with FakeUpstream(faults.json_response({})) as upstream:
            plan = replace(PLAN, url=upstream.url, allow_private=may_be_private)
            try:
                await Setup({}, config).fetch(plan)
            except FetchFailed as failed:
                return f"{failed.cause}, {len(upstream.connections)} connections: {failed.message}"
            return ""

    for network, may_be_private, says in RULES:
        found = asyncio.run(refusal(network, may_be_private))
        assert says in found and found.startswith("blocked, 0 connections" if says else ""), network


def test_what_is_never_dialed_is_not_dialed_in_the_wizard_either() -> None:
    context = Setup({}, {"gateway": {"allowPrivateNetwork": True}})
    for host in ("0.0.0.0", "169.254.169.254", "metadata.google.internal", "[fe80::1]"):
        with pytest.raises(FetchFailed, match="are never dialled"):
            asyncio.run(context.fetch(replace(PLAN, url=f"http://{host}:9/v1")))


def test_a_port_that_is_free_or_ours_is_nothing_to_speak_of() -> None:
    here = Answers({"host": "127.0.0.1"})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ports = Ports(owner=lambda port: "node (pid 7)")
        assert ports.note(PORT, port, here) == f"port {port} is already in use by node (pid 7)"
        assert "another process" in (Ports(owner=lambda port: None).note(PORT, port, Answers()) or "")
        assert replace(ports, gateway_pid=7).note(PORT, port, here) is None
        assert replace(ports, configured=frozenset({port})).note(PORT, port, here) is None
        assert ports.note(replace(PORT, may_listen=True), port, here) is None
        assert ports.note(PORT, port, Answers({"host": "192.0.2.1"})) is None
        assert ports.note(PORT, port, Answers({"host": "no address"})) is None
    assert ports.note(PORT, port, here) is None


def test_the_gateways_own_port_is_warned_of() -> None:
    meant = replace(PORT, may_listen=True)
    assert Ports(gateway_port=18789).note(meant, 18789, Answers()) == "port 18789 is the gateway's own"
    assert Ports(gateway_port=18789).note(PORT, 18789, Answers()) == "port 18789 is the gateway's own"


async def test_nothing_is_dialled_where_the_rules_of_the_network_are_not_valid() -> None:
    network = {"deny": ["127.0.0.1"], "allows": []}
    config = {"plugins": {"entries": {"clawgate": {"config": {"network": network}}}}}
    async with FakeUpstream(faults.json_response({})) as upstream:
        with pytest.raises(SettingsInvalid, match=r"network\.allows: is not a setting"):
            await Setup({}, config).fetch(replace(PLAN, url=upstream.url))
        assert upstream.requests == []


def test_a_port_to_which_openclaw_does_not_connect_is_warned_of() -> None:
    assert "do not connect to port 6000" in (Ports().note(PORT, 6000, Answers()) or "")
