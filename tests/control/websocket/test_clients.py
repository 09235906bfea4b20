"""Events reach the connections of their caller, numbered for each, and a tick reaches all."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from clawgate.control.websocket import clients as clients_module
from clawgate.control.websocket.clients import Client, Clients
from tests.e2e.stand import until


def client(caller: str = "token", *scopes: str, **more: Any) -> tuple[Client, list[dict[str, Any]]]:
    sent: list[dict[str, Any]] = []
    made = Client(
        conn_id="c",
        caller=caller,
        scopes=frozenset(scopes or ("operator.read",)),
        caps=frozenset(),
        send=lambda frame: sent.append(json.loads(frame)),
        **more,
    )
    return made, sent


async def test_each_connection_counts_its_own_events() -> None:
    one, first = client()
    two, second = client()
    one.event("chat", {})
    one.event("chat", {})
    two.event("chat", {})
    assert ([frame["seq"] for frame in first], [frame["seq"] for frame in second]) == ([1, 2], [1])


async def test_who_may_not_read_and_other_callers_get_no_event_of_a_caller() -> None:
    clients = Clients(lambda: 7)
    reader, admin, blind, other = (
        client()[0], client("token", "operator.admin")[0], client("token", "x")[0], client("user:b")[0],
    )  # fmt: skip
    for one in (reader, admin, blind, other):
        clients.add(one)
    assert clients.readers("token") == [reader, admin]
    for one in (reader, admin, blind, other):
        clients.remove(one)
    assert len(clients) == 0


async def test_a_changed_session_is_reported_to_those_that_watch() -> None:
    clients = Clients(lambda: 7)
    watching, seen = client(watches_sessions=True)
    silent, nothing = client()
    clients.add(watching)
    clients.add(silent)
    clients.session_changed("token", "agent:main:main", "main", "reset")
    clients.remove(watching)
    clients.remove(silent)
    payload = {"sessionKey": "agent:main:main", "agentId": "main", "reason": "reset", "ts": 7}
    assert [frame["payload"] for frame in seen] == [payload]
    assert nothing == []


async def test_a_tick_comes_while_a_connection_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients_module, "TICK_SECONDS", 0.001)
    clients = Clients(lambda: 7)
    one, seen = client("token", "x")
    clients.add(one)
    await until(lambda: len(seen) >= 2, "two ticks")
    clients.remove(one)
    assert seen[0] == {"type": "event", "event": "tick", "payload": {"ts": 7}, "seq": 1}
    assert clients._timer is None
    await asyncio.sleep(0)
