"""Health, status, log, config and restart: what is shown has no secret, and nothing needs a database."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, cast

import pytest

from clawgate import __version__
from clawgate.control.websocket.clients import Client
from clawgate.control.websocket.method import Call, Gateway
from clawgate.control.websocket.methods import gateway as methods
from clawgate.control.websocket.methods.gateway import LogsTail, RestartRequest
from clawgate.errors import GatewayUnavailable
from tests.agents.agent_stand import says, serving_agents
from tests.control.websocket.fake_socket import TOKEN, gateway
from tests.control.websocket.socket_stand import connected
from tests.routing.gateway_server import CLIENT_TOKEN, KEY


def call(made: Gateway, caller: str = "token") -> Call:
    client = Client(conn_id="c", caller=caller, scopes=frozenset(), caps=frozenset(), send=lambda frame: None)
    return Call(client=client, gateway=made, respond=lambda payload: None)


async def test_health_needs_no_agent_and_no_database() -> None:
    """For a user whom a proxy names it has nothing of the providers."""
    found = cast(dict[str, Any], await methods.health(call(gateway(), "user:ann"), None))
    assert (found["ok"], found["plugins"]["loaded"]) == (True, ["calendar"])
    assert not {"providers", "serving", "failing"} & set(found)


async def test_health_says_whether_requests_would_fail(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, says("hi")) as stand, connected(stand.gateway.url) as client:
        found = await client.call("health")
    assert (found["ok"], found["serving"], found["failing"]) == (True, None, [])
    assert found["providers"] == {"up": None}


async def test_presence_is_the_gateway_itself() -> None:
    (entry,) = cast(list[dict[str, Any]], await methods.system_presence(call(gateway()), None))
    assert (entry["mode"], entry["version"], entry["instanceId"]) == ("gateway", __version__, "test-instance")


async def test_status_counts_the_sessions_of_the_caller(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, says("hi")) as stand, connected(stand.gateway.url) as client:
        await client.call("agent", {"message": "hi", "idempotencyKey": "k"})
        await client.event("chat", state="final")
        found = await client.call("status", {"includeChannelSummary": False})
    (of_main,) = found["sessions"]["byAgent"]
    assert (found["sessions"]["count"], of_main["recent"][0]["key"]) == (1, "agent:main:main")
    assert found["sessions"]["defaults"]["model"] == "up/m"


def tail(path: Path, **params: int) -> dict[str, Any]:
    return cast(
        dict[str, Any], asyncio.run(methods.logs_tail(call(gateway(log_file=path)), LogsTail(**params)))
    )


def test_the_log_is_read_from_a_cursor_on(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_text("one\ntwo\nthr")
    first = tail(log)
    assert (first["lines"], first["cursor"], first["truncated"]) == (["one", "two"], 8, False)
    with log.open("a") as more:
        more.write("ee\nfour\n")
    second = tail(log, cursor=first["cursor"])
    assert (second["lines"], second["reset"]) == (["three", "four"], False)
    assert tail(log, cursor=second["cursor"])["lines"] == []


def test_only_the_last_lines_are_read_and_no_half_one(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    assert tail(log, limit=2)["lines"] == ["line 98", "line 99"]
    cut = tail(log, max_bytes=12)
    assert (cut["lines"], cut["truncated"]) == (["line 99"], True)


def test_a_log_that_was_rotated_is_read_anew(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_text("fresh\n")
    found = tail(log, cursor=10_000)
    assert (found["lines"], found["reset"]) == (["fresh"], True)


@pytest.mark.parametrize("path", [None, Path("/nonexistent/gateway.log")])
async def test_a_gateway_without_a_log_file_says_so(path: Path | None) -> None:
    with pytest.raises(GatewayUnavailable, match="log"):
        await methods.logs_tail(call(gateway(log_file=path)), LogsTail())


async def test_the_config_is_shown_without_its_secrets(tmp_path: Path) -> None:
    """By the names of keys, by their shape, and each known one by its value, wherever it is."""
    config = {"plugins": {"entries": {"other": {"config": {"note": f"call with {KEY}"}}}}}
    async with serving_agents(tmp_path, config=config) as stand, connected(stand.gateway.url) as client:
        found = await client.call("config.get")
    text = json.dumps(found)
    assert CLIENT_TOKEN not in text and KEY not in text
    assert found["parsed"]["gateway"]["auth"]["token"] == "__OPENCLAW_REDACTED__"
    assert found["parsed"]["models"]["providers"]["up"]["models"] == [
        {"id": "m"},
        {"id": "other", "reasoning": True},
    ]
    assert "__OPENCLAW_REDACTED__" in found["parsed"]["plugins"]["entries"]["other"]["config"]["note"]


async def test_a_known_secret_is_hidden_under_any_name() -> None:
    made = gateway({"plugins": {"entries": {"x": {"config": {"greeting": f"hi {TOKEN}"}}}}})
    assert TOKEN not in json.dumps(await methods.config_get(call(made), None))


async def test_a_known_secret_is_hidden_as_json_spells_it_and_nothing_else_is_changed() -> None:
    """It may have what JSON escapes, and may also be a number; asterisks of a text are its own."""
    made = gateway({"a": 'hi pa"ss\\wörd', "b": [12345678], "c": True, 'pa"ss\\wörd': "**bold***"})
    made.file().secrets = lambda: ('pa"ss\\wörd', "12345678")  # type: ignore[method-assign]
    found = cast(dict[str, Any], await methods.config_get(call(made), None))["parsed"]
    mark = "__OPENCLAW_REDACTED__"
    assert found == {"a": f"hi {mark}", "b": [mark], "c": True, mark: "**bold***"}


async def test_a_restart_is_requested_after_its_response(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "RESTART_SECONDS", 0.001)
    requested = asyncio.Event()
    found = await methods.restart_request(call(gateway(restart=requested.set)), RestartRequest(reason="why"))
    assert not requested.is_set()
    found = cast(dict[str, Any], found)
    assert (found["status"], found["restart"]["reason"], found["preflight"]["safe"]) == (
        "scheduled",
        "why",
        True,
    )
    await requested.wait()


async def test_a_gateway_that_cannot_restart_itself_says_so() -> None:
    with pytest.raises(GatewayUnavailable, match="restart what runs it"):
        await methods.restart_request(call(gateway()), RestartRequest())
