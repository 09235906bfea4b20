"""Runs that WebSockets begin: one for each key, for its own caller alone, and they outlive their client."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from clawgate.control.websocket import agent_runs
from clawgate.control.websocket.agent_runs import AgentRuns
from clawgate.errors import GatewayStopping
from tests.agents.agent_stand import AgentStand, hold_and_leave, says, serving_agents, session, user
from tests.agents.model_stand import DONE, chunk_of
from tests.control.websocket.socket_stand import SocketClient, connected
from tests.e2e.stand import until
from tests.peers.faults import Steps, error_response, sse_gated

KEY = "agent:main:main"
TASK = "Provide a concise, 5-word-or-less title for the conversation"


def half() -> Steps:
    """A model that says one word and no more."""
    return sse_gated([opened_gate(), asyncio.Event()], [chunk_of({"content": "half"}), DONE])


def opened_gate() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate


def send(key: str = "k1", message: str = "hi", **more: Any) -> dict[str, Any]:
    return {"sessionKey": KEY, "message": message, "idempotencyKey": key, **more}


async def runs_of_history(client: SocketClient) -> set[str]:
    """The runs of the messages that the session has."""
    messages = (await client.call("chat.history", {"sessionKey": KEY}))["messages"]
    return {message["__openclaw"]["runId"] for message in messages}


def runs_of(stand: AgentStand) -> AgentRuns:
    found = stand.gateway.role.agents.socket_runs
    assert found is not None
    return found


async def test_a_run_reports_to_every_connection_of_its_caller(tmp_path: Path) -> None:
    async with (
        serving_agents(tmp_path, says("hello")) as stand,
        connected(stand.gateway.url) as one,
        connected(stand.gateway.url, scopes=["operator.read"]) as two,
        connected(stand.gateway.url, scopes=[]) as blind,
    ):
        assert await one.call("chat.send", send()) == {"runId": "k1", "status": "started"}
        for client in (one, two):
            final = await client.event("chat", state="final")
            assert (final["runId"], final["message"]["content"][0]["text"]) == ("k1", "hello")
        assert [frame["event"] for frame in blind.events] == ["connect.challenge"]


async def test_the_same_key_is_the_same_run_over_both_doors(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, says("once")) as stand, connected(stand.gateway.url) as client:
        await client.call("chat.send", send())
        await client.event("chat", state="final")
        assert await client.call("chat.send", send()) == {"runId": "k1", "status": "ok"}
        error = await client.error("chat.send", send(message="another"))
        assert error["details"] == {"code": "IDEMPOTENCY_MISMATCH", "reason": "chat-request-conflict"}
        key = ("Idempotency-Key", "k1")
        assert (await stand.ask(user("hi", model="openclaw/main"), session(KEY), key)).status == 409
        assert len(stand.model.requests) == 1


async def test_a_repeated_agent_call_gets_the_stored_result_after_a_restart(tmp_path: Path) -> None:
    call = {"message": "hi", "idempotencyKey": "k1"}
    async with serving_agents(tmp_path, says("once")) as stand, connected(stand.gateway.url) as client:
        first = await client.begin("agent", call)
        assert (await client.response(first))["payload"]["status"] == "accepted"
        result = (await client.response(first))["payload"]
    async with serving_agents(tmp_path, says("twice")) as stand, connected(stand.gateway.url) as client:
        repeated = await client.call("agent", call)
        assert (
            repeated["result"]["payloads"]
            == result["result"]["payloads"]
            == [{"text": "once", "mediaUrl": None}]
        )
        assert stand.model.requests == []


async def test_a_run_continues_without_its_client(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, says("still here")) as stand:
        async with connected(stand.gateway.url) as client:
            await client.call("chat.send", send())
        turns = await stand.turns(KEY)
        assert turns[-1].message["content"] == "still here"


async def test_a_run_continues_without_an_http_client_that_joined_it(tmp_path: Path) -> None:
    """The same request with the same key over HTTP; that its client leaves is nothing to the one that began it."""
    async with serving_agents(tmp_path, half()) as stand, connected(stand.gateway.url) as client:
        await client.call("chat.send", send())
        await client.event("chat", state="delta")
        body = json.dumps(
            {"model": "openclaw/main", "messages": [{"role": "user", "content": "hi"}]}, separators=(",", ":")
        )
        async with await stand.client() as joined:
            (live,) = runs_of(stand).active("token")
            await stand.gateway.send(joined, body.encode(), session(KEY), ("Idempotency-Key", "k1"))
            await until(lambda: live.followers == 1, "the second client to join")
        await until(lambda: live.followers == 0, "it to be gone")
        assert not live.is_stopping and len(stand.model.requests) == 1
        await client.call("chat.abort", {"sessionKey": KEY})


async def test_a_run_that_is_stopped_leaves_what_came(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, half()) as stand, connected(stand.gateway.url) as client:
        await client.call("chat.send", send())
        await client.event("chat", state="delta")
        assert await client.call("chat.abort", {"sessionKey": KEY}) == {
            "ok": True, "aborted": True, "runIds": ["k1"],
        }  # fmt: skip
        aborted = await client.event("chat", state="aborted")
        assert aborted["message"]["content"][0]["text"] == "half"
        assert (await client.call("agent.wait", {"runId": "k1"}))["error"] == "aborted"
        assert [(turn.status, turn.message["content"]) for turn in await stand.turns(KEY)][-1] == (
            "interrupted", "half",
        )  # fmt: skip
        assert await runs_of_history(client) == {"k1"}
        await until(lambda: stand.gateway.upstream("up").pool.open_count == 0, "the upstream to be freed")


@pytest.mark.parametrize(("restarts", "reason"), [(False, "rpc"), (True, "restart")])
async def test_a_run_that_is_under_way_at_the_drain_limit_is_aborted(
    tmp_path: Path, reason: str, *, restarts: bool
) -> None:
    """Each connection of its caller learns of it before it is closed, and once."""
    async with (
        serving_agents(tmp_path, half()) as stand,
        connected(stand.gateway.url) as one,
        connected(stand.gateway.url) as two,
    ):
        stand.gateway.role.sockets.gateway.is_restarting = lambda: restarts
        id_ = await one.begin("agent", {"message": "hi", "idempotencyKey": "k1"})
        for client in (one, two):
            await client.event("chat", state="delta")
        stand.gateway.role.connections.stop_all(GatewayStopping("over"))
        for client in (one, two):
            assert await client.closed() == (1012, "service restart")
            (aborted,) = (frame["payload"] for frame in client.events if frame["event"] == "chat")
            assert (aborted["runId"], aborted["state"], aborted["stopReason"]) == ("k1", "aborted", reason)
            assert aborted["message"]["content"][0]["text"] == "half"
        assert [frame["ok"] for sent, frame in one.frames if not sent and frame.get("id") == id_] == [
            True,
            False,
        ]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("chat.abort", {"sessionKey": KEY}),
        ("chat.abort", {"sessionKey": KEY, "runId": "k1"}),
        ("sessions.abort", {"runId": "k1"}),
        ("chat.send", send("k2", "/stop")),
        ("sessions.reset", {"key": KEY}),
    ],
    ids=str,
)
async def test_a_run_is_stopped_by_what_is_sent_right_behind_it(
    tmp_path: Path, method: str, params: dict[str, Any]
) -> None:
    async with serving_agents(tmp_path, half()) as stand, connected(stand.gateway.url) as client:
        sent, stopped = await client.begin("chat.send", send()), await client.begin(method, params)
        assert (await client.event("chat", state="aborted"))["runId"] == "k1"
        while not {sent, stopped} <= {frame.get("id") for is_sent, frame in client.frames if not is_sent}:
            await client.receive()
        assert not runs_of(stand).active("token")


async def test_a_run_of_no_session_is_stopped_by_its_id(tmp_path: Path) -> None:
    """A user interface's own task sees nothing of the session, and is its client's all the same."""
    async with serving_agents(tmp_path, half()) as stand, connected(stand.gateway.url) as client:
        await client.call("chat.send", send(message=TASK))
        await client.event("chat", state="delta")
        assert (await client.call("chat.abort", {"sessionKey": KEY, "runId": "k1"}))["runIds"] == ["k1"]
        assert (await client.event("chat", state="aborted"))["runId"] == "k1"


async def test_who_waits_for_a_run_that_comes_later_learns_of_its_end(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, says("hello")) as stand, connected(stand.gateway.url) as client:
        waiting = await client.begin("agent.wait", {"runId": "k1", "timeoutMs": 60_000})
        sending = asyncio.create_task(
            stand.ask(user("hi", model="openclaw/main"), session(KEY), ("Idempotency-Key", "k1"))
        )
        found = (await client.response(waiting))["payload"]
        assert (found["status"], found["stopReason"]) == ("ok", "stop")
        assert (await sending).status == 200


async def test_a_run_that_takes_longer_than_its_request_allows_is_stopped(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, half()) as stand, connected(stand.gateway.url) as client:
        await client.call("chat.send", send(timeoutMs=50))
        error = await client.event("chat", state="error")
        assert error["errorKind"] == "timeout" and "0.05 s" in error["errorMessage"]


async def test_a_run_that_fails_says_why_and_can_be_sent_again(tmp_path: Path) -> None:
    broken = error_response(400, "no such parameter")
    async with serving_agents(tmp_path, broken, says("now")) as stand, connected(stand.gateway.url) as client:
        await client.call("chat.send", send())
        assert (await client.event("chat", state="error"))[
            "errorMessage"
        ] == "up/m responded with 400: no such parameter"
        assert (await client.call("chat.send", send()))["status"] == "started"
        await client.event("chat", state="final")


async def test_another_caller_finds_and_stops_nothing(tmp_path: Path) -> None:
    auth = {"mode": "trusted-proxy", "trustedProxy": {"userHeader": "x-user", "allowLoopback": True}}
    proxied = {"auth": auth, "trustedProxies": ["127.0.0.1"]}
    async with (
        serving_agents(tmp_path, half(), config={"gateway": proxied}) as stand,
        connected(stand.gateway.url, headers={"x-user": "ann"}, token=None) as ann,
        connected(stand.gateway.url, headers={"x-user": "bob"}, token=None) as bob,
    ):
        await ann.call("chat.send", send())
        await ann.event("chat", state="delta")
        assert (await bob.call("agent.wait", {"runId": "k1", "timeoutMs": 1}))["status"] == "timeout"
        assert (await bob.call("chat.abort", {"sessionKey": KEY, "runId": "k1"}))["runIds"] == []
        assert (await bob.call("chat.history", {"sessionKey": KEY}))["messages"] == []
        assert (await bob.call("sessions.describe", {"key": KEY}))["session"] is None
        history = await ann.call("chat.history", {"sessionKey": KEY})
        assert history["inFlightRun"]["text"] == "half"
        # what names the session of one caller means another one to any other
        stolen = {"sessionId": history["sessionId"]}
        assert "No session found" in (await bob.error("sessions.resolve", stolen))["message"]
        await ann.call("chat.abort", {"sessionKey": KEY})
        assert not [frame for frame in bob.events if frame["event"] in ("chat", "agent")]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("chat.abort", {"sessionKey": "main"}),
        ("chat.abort", {"sessionKey": "main", "runId": "k1"}),
        ("sessions.abort", {"key": KEY}),
        ("sessions.abort", {"runId": "k1"}),
        ("chat.send", send("k2", "/stop")),
        ("sessions.reset", {"key": KEY}),
    ],
    ids=str,
)
@pytest.mark.parametrize("streams", [True, False])
async def test_a_run_of_http_is_seen_and_stopped(
    tmp_path: Path, method: str, params: dict[str, Any], *, streams: bool
) -> None:
    async with serving_agents(tmp_path, half()) as stand, connected(stand.gateway.url) as client:
        await client.call("sessions.patch", {"key": KEY, "model": "up/m"})
        await client.call("sessions.subscribe")
        body, key = user("hi", model="openclaw/main", stream=streams), ("Idempotency-Key", "k1")
        asked = asyncio.create_task(stand.ask(body, session(KEY), key))
        assert (await client.event("sessions.changed", reason="run"))["sessionKey"] == KEY
        await until(lambda: bool(stand.model.requests), "the model to be called")
        row = (await client.call("sessions.describe", {"key": KEY}))["session"]
        assert (row["hasActiveRun"], row["activeRunIds"]) == (True, ["k1"])
        await client.event("chat", state="delta", runId="k1")
        assert (await client.call("chat.history", {"sessionKey": KEY}))["inFlightRun"]["text"] == "half"
        assert (await client.call(method, params))["ok"] is True
        await client.event("sessions.changed", reason="run")
        response = await asked
        assert b"stopped by its caller" in response.body
        assert response.status == (200 if streams else 400)
        assert not runs_of(stand).active("token")


@pytest.mark.parametrize("key", ["k1", None])
async def test_a_run_of_http_reports_to_its_callers_connections(tmp_path: Path, key: str | None) -> None:
    async with (
        serving_agents(tmp_path, says("hello")) as stand,
        connected(stand.gateway.url) as client,
        connected(stand.gateway.url, scopes=[]) as blind,
    ):
        named = [("Idempotency-Key", key)] if key is not None else []
        response = await stand.ask(user("hi", model="openclaw/main"), session(KEY), *named)
        run_id = key or response.header("x-clawgate-run")
        final = await client.event("chat", state="final")
        assert (final["runId"], final["sessionKey"], final["agentId"]) == (run_id, KEY, "main")
        assert final["message"]["content"][0]["text"] == "hello"
        assert [frame["payload"]["data"]["phase"] for frame in client.events if frame["event"] == "agent"
                and frame["payload"]["stream"] == "lifecycle"] == ["start", "end"]  # fmt: skip
        assert (await client.call("agent.wait", {"runId": run_id}))["status"] == "ok"
        assert await runs_of_history(client) == {run_id}
        assert [frame["event"] for frame in blind.events] == ["connect.challenge"]


async def test_who_connects_in_mid_run_gets_the_rest_of_it(tmp_path: Path) -> None:
    gates = [opened_gate(), asyncio.Event()]
    script = sse_gated(gates, [chunk_of({"content": "half"}), chunk_of({"content": " rest"}, "stop") + DONE])
    async with serving_agents(tmp_path, script) as stand:
        asked = asyncio.create_task(stand.ask(user("hi", model="openclaw/main"), session(KEY)))
        async with connected(stand.gateway.url) as first:
            await first.event("chat", state="delta")
        async with connected(stand.gateway.url) as client:
            run = (await client.call("chat.history", {"sessionKey": KEY}))["inFlightRun"]
            assert run["text"] == "half"
            gates[1].set()
            delta = await client.event("chat", state="delta", runId=run["runId"])
            assert delta["deltaText"] == " rest"
            final = await client.event("chat", state="final", runId=run["runId"])
            assert final["message"]["content"][0]["text"] == "half rest"
        assert (await asked).status == 200


async def test_connections_that_watch_a_run_of_http_do_not_keep_it(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, half()) as stand, connected(stand.gateway.url) as client:
        await hold_and_leave(stand, session(KEY))
        aborted = await client.event("chat", state="aborted")
        assert aborted["message"]["content"][0]["text"] == "half"
        assert (await stand.turns(KEY))[-1].status == "interrupted"


async def test_a_run_is_named_by_an_id_of_another_one_without_harm(tmp_path: Path) -> None:
    async with (
        serving_agents(tmp_path, half(), says("other")) as stand,
        connected(stand.gateway.url) as client,
    ):
        asked = asyncio.create_task(stand.ask(user("hi", model="openclaw/main"), session(KEY)))
        run_id = (await client.event("chat", state="delta"))["runId"]
        await client.call("chat.send", {**send(run_id), "sessionKey": "agent:main:second"})
        await client.event("chat", state="final", sessionKey="agent:main:second")
        history = await client.call("chat.history", {"sessionKey": KEY})
        assert history["inFlightRun"]["text"] == "half"
        await client.call("chat.abort", {"sessionKey": KEY})
        assert (await asked).status == 400


async def test_a_run_of_http_is_nothing_to_another_caller(tmp_path: Path) -> None:
    auth = {"mode": "trusted-proxy", "trustedProxy": {"userHeader": "x-user", "allowLoopback": True}}
    proxied = {"auth": auth, "trustedProxies": ["127.0.0.1"]}
    async with (
        serving_agents(tmp_path, says("private"), config={"gateway": proxied}) as stand,
        connected(stand.gateway.url, headers={"x-user": "ann"}, token=None) as ann,
        connected(stand.gateway.url, headers={"x-user": "bob"}, token=None) as bob,
    ):
        await bob.call("sessions.subscribe")
        key = ("Idempotency-Key", "k1")
        await stand.ask(user("hi", model="openclaw/main"), session(KEY), key, ("x-user", "ann"), token=None)
        await ann.event("chat", state="final")
        assert (await bob.call("agent.wait", {"runId": "k1", "timeoutMs": 1}))["status"] == "timeout"
        assert [frame["event"] for frame in bob.events] == ["connect.challenge"]


async def test_a_run_of_http_without_a_session_stays_private(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, half()) as stand, connected(stand.gateway.url) as client:
        await client.call("sessions.subscribe")
        asked = asyncio.create_task(stand.ask(user("hi", model="openclaw/main"), ("Idempotency-Key", "k1")))
        await until(lambda: bool(stand.model.requests), "the model to be called")
        assert (await client.call("sessions.abort", {"runId": "k1"}))["status"] == "no-active-run"
        assert [frame["event"] for frame in client.events] == ["connect.challenge"]
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)


async def test_runs_that_are_over_are_forgotten_after_a_while(tmp_path: Path) -> None:
    async with (
        serving_agents(tmp_path, says("a"), says("b")) as stand,
        connected(stand.gateway.url) as client,
    ):
        await client.call("chat.send", send())
        await client.event("chat", state="final")
        runs = runs_of(stand)
        now = runs._now_ms()
        runs._now_ms = lambda: now + 601_000
        await client.call("chat.send", send("k2"))
        await client.event("chat", state="final")
        assert runs.find("token", "k1") is None and runs.find("token", "k2") is not None


async def test_a_run_that_was_forgotten_is_not_reported_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its texts take too much; `Runs` knows it still."""
    monkeypatch.setattr(agent_runs, "MAX_KEPT_SIZE", 3)
    async with serving_agents(tmp_path, says("hello")) as stand, connected(stand.gateway.url) as client:
        await client.call("chat.send", send())
        await client.event("chat", state="final")
        client.events.clear()
        assert await client.call("chat.send", send()) == {"runId": "k1", "status": "ok"}
        await client.call("health")
        assert client.events == [] and runs_of(stand).find("token", "k1") is None


async def test_a_long_message_is_read_beside_the_loop(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, says("long")) as stand, connected(stand.gateway.url) as client:
        await client.call("chat.send", send(message="x" * 300_000))
        await client.event("chat", state="final")
        assert len(json.dumps(stand.sent[0])) > 300_000
