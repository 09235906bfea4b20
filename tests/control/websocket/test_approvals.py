"""Calls that wait for a connection of their caller to approve them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from clawgate.agents.run.approvals import refused
from clawgate.agents.run.step import Call
from clawgate.control.websocket import approvals
from clawgate.control.websocket.approvals import ALLOW, DENY, Approvals
from clawgate.control.websocket.clients import Client, Clients
from clawgate.errors import InvalidRequest
from tests.agents.agent_stand import says
from tests.agents.approval_stand import calls, serving_shed
from tests.control.websocket.socket_stand import SocketClient, connected

SAWS = calls(("saw", '{"at": 1}'))
CALL = Call("c1", "saw", '{"at": 1}')
MAY = ("operator.read", "operator.approvals")


class Reviewer:
    """A connection of ``caller``; ``events`` are what it got."""

    def __init__(self, clients: Clients, caller: str = "ann", scopes: tuple[str, ...] = MAY) -> None:
        self.events: list[tuple[str, Any]] = []
        clients.add(
            Client(
                conn_id=str(id(self)),
                caller=caller,
                scopes=frozenset(scopes),
                caps=frozenset(),
                send=self._take,
            )
        )

    def _take(self, frame: bytes) -> None:
        read = json.loads(frame)
        self.events.append((read["event"], read["payload"]))


async def started(found: Approvals, call: Call = CALL) -> asyncio.Task[str | None]:
    task = asyncio.create_task(found.refusal("ann", "main", "agent:main:s", "k1", call))
    await asyncio.sleep(0)
    return task


@pytest.mark.parametrize(("decision", "text"), [(ALLOW, None), (DENY, refused())])
async def test_the_first_decision_counts_and_every_reviewer_sees_it(decision: str, text: str | None) -> None:
    clients = Clients(lambda: 1000)
    first, second, other = Reviewer(clients), Reviewer(clients), Reviewer(clients, "bob")
    found = Approvals(clients, lambda: 1000)
    task = await started(found)
    ((name, payload),) = first.events
    assert (name, payload["createdAtMs"], payload["expiresAtMs"]) == (
        "plugin.approval.requested",
        1000,
        601_000,
    )
    assert payload["request"] == {
        "pluginId": None,
        "title": "saw",
        "description": '{"at": 1}',
        "detail": '{"at": 1}',
        "severity": "warning",
        "toolName": "saw",
        "toolCallId": "c1",
        "allowedDecisions": ["allow-once", "deny"],
        "agentId": "main",
        "sessionKey": "agent:main:s",
        "runId": "k1",
    }
    assert found.listed("ann") == [payload] and found.listed("bob") == []
    found.resolve("ann", payload["id"], decision)
    with pytest.raises(InvalidRequest, match="no call waits under this id"):
        found.resolve("ann", payload["id"], ALLOW)
    assert await task == text and found.listed("ann") == [] and other.events == []
    name, end = second.events[-1]
    assert (name, end["id"], end["decision"]) == ("plugin.approval.resolved", payload["id"], decision)


async def test_who_may_not_decides_nothing() -> None:
    clients = Clients(lambda: 0)
    reviewer = Reviewer(clients)
    found = Approvals(clients, lambda: 0)
    task = await started(found)
    id_ = reviewer.events[0][1]["id"]
    for caller, name, decision, problem in (
        ("bob", id_, ALLOW, "no call waits"),
        ("ann", "plugin:x", ALLOW, "no call waits"),
        ("ann", id_, "allow-always", "decision must be allow-once or deny"),
    ):
        with pytest.raises(InvalidRequest, match=problem):
            found.resolve(caller, name, decision)
    found.resolve("ann", id_, DENY)
    assert await task == refused()


@pytest.mark.parametrize("scopes", [None, ("operator.write",), ("operator.approvals",)])
async def test_without_a_connection_that_may_the_call_is_refused_at_once(
    scopes: tuple[str, ...] | None,
) -> None:
    clients = Clients(lambda: 0)
    if scopes is not None:
        Reviewer(clients, scopes=scopes)
    task = await started(Approvals(clients, lambda: 0))
    assert "no client that may approve" in str(await task)


async def test_what_is_not_decided_in_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approvals, "SECONDS", 0.0)
    clients = Clients(lambda: 0)
    reviewer = Reviewer(clients)
    assert "no decision within 0 s" in str(await (await started(Approvals(clients, lambda: 0))))
    assert reviewer.events[-1][1]["decision"] == DENY


async def test_a_call_whose_run_is_stopped_waits_no_more() -> None:
    clients = Clients(lambda: 0)
    reviewer = Reviewer(clients)
    found = Approvals(clients, lambda: 0)
    task = await started(found)
    task.cancel()
    await asyncio.wait([task])
    assert found.listed("ann") == [] and reviewer.events[-1][0] == "plugin.approval.resolved"


async def test_what_is_shown_has_a_bounded_length_and_steers_nothing() -> None:
    clients = Clients(lambda: 0)
    reviewer = Reviewer(clients)
    task = await started(Approvals(clients, lambda: 0), Call("c1", "saw", "\x1b[2J\u202e" + "x" * 20_000))
    request = reviewer.events[0][1]["request"]
    assert request["detail"].startswith("\\x1b[2J\\u202e") and request["detail"].isprintable()
    assert (len(request["description"]), len(request["detail"])) == (512, 16_384)
    assert request["detail"].endswith("[20013 characters; the rest is not shown]")
    task.cancel()
    await asyncio.wait([task])


async def asked(client: SocketClient) -> tuple[str, dict[str, Any]]:
    """Send a message; return the id of the request, and the call that waits for approval."""
    id_ = await client.begin("agent", {"message": "hi", "idempotencyKey": "k1"})
    return id_, await client.event("plugin.approval.requested")


@pytest.mark.parametrize(("decision", "cut"), [(ALLOW, [{"at": 1}]), (DENY, [])])
async def test_a_run_of_a_socket_waits_for_the_decision(
    tmp_path: Path, decision: str, cut: list[dict[str, Any]]
) -> None:
    async with (
        serving_shed(tmp_path, SAWS, says("done")) as (stand, shed),
        connected(stand.gateway.url) as client,
    ):
        _, waiting = await asked(client)
        assert waiting["request"]["runId"] == "k1" and shed.cut == []
        assert await client.call("plugin.approval.list", {}) == [waiting]
        decided = {"id": waiting["id"], "decision": decision}
        assert await client.call("plugin.approval.resolve", decided) == {"ok": True}
        assert "no call waits" in (await client.error("plugin.approval.resolve", decided))["message"]
        await client.event("plugin.approval.resolved", decision=decision)
        await client.event("chat", state="final")
    assert shed.cut == cut and stand.sent[1][-1]["content"] == ("cut 1" if cut else refused())


async def test_a_run_of_a_socket_that_may_not_approve_continues_without_the_call(tmp_path: Path) -> None:
    scopes = ["operator.read", "operator.write"]
    async with (
        serving_shed(tmp_path, SAWS, says("done")) as (stand, shed),
        connected(stand.gateway.url, scopes=scopes) as client,
    ):
        id_ = await client.begin("agent", {"message": "hi", "idempotencyKey": "k1"})
        await client.response(id_)
        assert (await client.response(id_))["payload"]["result"]["payloads"][0]["text"] == "done"
        assert (await client.error("plugin.approval.list", {}))["details"]["code"] == "MISSING_SCOPE"
    assert shed.cut == []


async def test_a_call_that_waits_ends_with_its_run(tmp_path: Path) -> None:
    async with serving_shed(tmp_path, SAWS) as (stand, shed), connected(stand.gateway.url) as client:
        _, waiting = await asked(client)
        await client.call("chat.abort", {"sessionKey": "main"})
        await client.event("plugin.approval.resolved", id=waiting["id"], decision=DENY)
        assert await client.call("plugin.approval.list", {}) == []
    assert shed.cut == []
