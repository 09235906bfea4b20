"""Messages to agents: accepted or refused before anything starts, waited for, and read back."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.agents.agent_stand import CALLS_LOOK, says, serving_agents
from tests.agents.model_stand import DONE, chunk_of
from tests.control.websocket.socket_stand import connected
from tests.control.websocket.test_agent_runs import half, opened_gate
from tests.peers.faults import sse_gated
from tests.routing.gateway_server import agents_on

KEY = "agent:main:main"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def send(**more: Any) -> dict[str, Any]:
    return {"sessionKey": KEY, "message": "hi", "idempotencyKey": "k1", **more}


async def test_a_turn_of_an_agent_has_two_responses(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, says("hello")) as stand, connected(stand.gateway.url) as client:
        id_ = await client.begin(
            "agent", {"message": "hi", "idempotencyKey": "k1", "deliver": False, "timeout": 600}
        )
        accepted = (await client.response(id_))["payload"]
        assert (accepted["runId"], accepted["sessionKey"], accepted["status"]) == ("k1", KEY, "accepted")
        done = (await client.response(id_))["payload"]
    assert (done["status"], done["summary"]) == ("ok", "completed")
    assert done["result"]["payloads"] == [{"text": "hello", "mediaUrl": None}]
    meta = done["result"]["meta"]["agentMeta"]
    assert (meta["provider"], meta["model"], meta["usage"]) == (
        "up", "m", {"input": 3, "output": 2, "cacheRead": 0, "total": 5},
    )  # fmt: skip


async def test_what_a_request_chooses_reaches_the_model(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, says("x")) as stand, connected(stand.gateway.url) as client:
        chosen = {"model": "up/other", "thinking": "low", "extraSystemPrompt": "be brief", "sessionId": "abc"}
        id_ = await client.begin("agent", {"message": "hi", "idempotencyKey": "k1", **chosen})
        assert (await client.response(id_))["payload"]["sessionKey"] == "agent:main:explicit:abc"
        await client.response(id_)
        (sent,) = stand.model.requests
    assert (
        b'"model":"other"' in sent.body
        and b'"reasoning_effort":"low"' in sent.body
        and b"be brief" in sent.body
    )


async def test_an_image_is_a_part_of_the_message(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, says("x")) as stand, connected(stand.gateway.url) as client:
        attachment = {"type": "image", "mimeType": "image/png", "fileName": "a.png", "content": PNG}
        await client.call("chat.send", send(attachments=[attachment]))
        await client.event("chat", state="final")
        assert stand.sent[0][-1]["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PNG}"


async def test_a_tool_call_is_reported_to_clients_that_know_it_alone(tmp_path: Path) -> None:
    async with (
        serving_agents(tmp_path, CALLS_LOOK, says("done")) as stand,
        connected(stand.gateway.url) as knowing,
        connected(stand.gateway.url, caps=[]) as plain,
    ):
        await plain.call("chat.send", send())
        started = await knowing.event("agent", stream="tool")
        ended = await knowing.event("agent", stream="tool")
        assert (started["data"]["phase"], started["data"]["name"], ended["data"]["phase"]) == (
            "start",
            "look",
            "result",
        )
        await plain.event("chat", state="final")
        assert "tool" not in [frame["payload"].get("stream") for frame in plain.events]


@pytest.mark.parametrize(
    ("method", "params", "part"),
    [
        ("chat.send", send(message=" "), "message or attachment required"),
        ("chat.send", send(sessionKey="agent:nope:x"), "Unknown agent 'nope'"),
        ("chat.send", send(sessionId="of-another"), "sessionId is not that of the session"),
        ("chat.send", send(deliver=True), "at /deliver: not available here"),
        ("chat.send", send(idempotencyKey="x" * 300), "at most 255 characters"),
        ("chat.send", send(idempotencyKey="a\0b"), "NUL"),
        ("chat.send", send(attachments=[{"mimeType": "application/pdf", "content": "AA"}]), "images in base64 alone"),
        ("agent", {"message": "x", "idempotencyKey": "k", "to": "+15555550123"}, "at /to: not available here"),
        ("agent", {"message": "x", "idempotencyKey": "k", "agentId": "nope"}, "Unknown agent 'nope'"),
        ("agent", {"message": "", "idempotencyKey": "k"}, "at /message: must not have fewer than 1 characters"),
        ("agent", {"message": "x"}, "must have required property 'idempotencyKey'"),
        ("sessions.abort", {}, "by key, or a run by runId"),
    ],
    ids=lambda value: str(value)[-60:],
)  # fmt: skip
async def test_what_cannot_be_honoured_is_refused_before_anything_starts(
    tmp_path: Path, method: str, params: dict[str, Any], part: str
) -> None:
    async with serving_agents(tmp_path, says("x")) as stand, connected(stand.gateway.url) as client:
        assert part in (await client.error(method, params))["message"]
        assert stand.model.requests == []


async def test_a_history_is_read_page_by_page_from_its_end(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand, connected(stand.gateway.url) as client:
        for number in range(3):
            await client.call("chat.send", send(message=f"m{number}", idempotencyKey=f"k{number}"))
            await client.event("chat", state="final")
        texts: list[str] = []
        offset = 0
        while True:
            page = await client.call("chat.history", {"sessionKey": KEY, "limit": 4, "offset": offset})
            texts = [one["content"][0]["text"] for one in page["messages"]] + texts
            if not page["hasMore"]:
                break
            offset = page["nextOffset"]
        assert texts == ["m0", "m0 (1)", "m1", "m1 (3)", "m2", "m2 (5)"]
        assert page["totalMessages"] == 6
        short = await client.call("chat.history", {"sessionKey": KEY, "maxChars": 4, "limit": 1})
        assert short["messages"][0]["content"][0]["text"] == "m..."
        assert await client.call("chat.history", {"sessionKey": KEY, "cursor": "x"}) == {"kind": "reset"}


async def test_a_run_that_is_not_known_may_come_until_the_limit(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand, connected(stand.gateway.url) as client:
        found = await client.call("agent.wait", {"runId": "zz", "timeoutMs": 1})
        assert found == {"runId": "zz", "status": "timeout"}


async def test_a_run_is_stopped_by_its_session_or_its_id(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand, connected(stand.gateway.url) as client:
        none = {"ok": True, "abortedRunId": None, "status": "no-active-run"}
        assert await client.call("sessions.abort", {"key": KEY}) == none
        assert await client.call("sessions.abort", {"runId": "zz"}) == none


async def test_a_message_that_says_stop_stops_the_runs_of_its_session(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, half()) as stand, connected(stand.gateway.url) as client:
        await client.call("chat.send", send())
        await client.event("chat", state="delta")
        stopped = await client.call("chat.send", send(message=" /STOP ", idempotencyKey="k2"))
        assert stopped == {"ok": True, "aborted": True, "runIds": ["k1"]}
        await client.event("chat", state="aborted")
        none = {"ok": True, "aborted": False, "runIds": []}
        assert await client.call("sessions.send", {"key": "main", "message": "/stop"}) == none
        assert len(stand.model.requests) == 1


async def test_a_run_ends_for_its_client_though_agents_were_switched_off(tmp_path: Path) -> None:
    gate = asyncio.Event()
    script = sse_gated([opened_gate(), gate], [chunk_of({"content": "whole"}), chunk_of(reason="stop"), DONE])
    async with serving_agents(tmp_path, script) as stand, connected(stand.gateway.url) as client:
        id_ = await client.begin("agent", {"message": "hi", "idempotencyKey": "k1"})
        await client.response(id_)
        await client.event("agent", stream="assistant")
        stand.gateway.rewrite(agents_on(json.loads(stand.gateway.config.read_text()), on=False))
        assert "agents are off" in (await client.error("chat.history", {"sessionKey": KEY}))["message"]
        assert (await client.call("gateway.restart.preflight"))["safe"] is False
        assert (await client.call("sessions.abort", {"runId": "another"}))["status"] == "no-active-run"
        gate.set()
        assert (await client.response(id_))["payload"]["result"]["payloads"][0]["text"] == "whole"


@pytest.mark.parametrize(
    ("method", "params"), [("chat.abort", {"sessionKey": KEY}), ("sessions.abort", {"runId": "k1"})], ids=str
)
async def test_a_run_can_be_stopped_though_agents_were_switched_off(
    tmp_path: Path, method: str, params: dict[str, Any]
) -> None:
    async with serving_agents(tmp_path, half()) as stand, connected(stand.gateway.url) as client:
        await client.call("chat.send", send())
        await client.event("chat", state="delta")
        stand.gateway.rewrite(agents_on(json.loads(stand.gateway.config.read_text()), on=False))
        async with connected(stand.gateway.url) as later:
            assert method in later.hello["features"]["methods"]
            assert "chat.send" not in later.hello["features"]["methods"]
            assert (await later.call(method, params))["ok"] is True
        await client.event("chat", state="aborted")


@pytest.mark.parametrize("number", [2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**70])
async def test_a_number_that_no_database_takes_is_refused(tmp_path: Path, number: int) -> None:
    async with serving_agents(tmp_path) as stand, connected(stand.gateway.url) as client:
        for method, params in (
            ("chat.history", {"sessionKey": KEY, "offset": number}),
            ("sessions.get", {"key": KEY, "limit": number}),
            ("sessions.list", {"activeMinutes": number}),
        ):
            error = await client.error(method, params)
            assert error["code"] == "INVALID_REQUEST" and error["message"].startswith(f"invalid {method}")


async def test_a_session_is_made_before_its_first_message(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, says("hello")) as stand, connected(stand.gateway.url) as client:
        await client.call("sessions.subscribe")
        made = await client.call("sessions.create", {"key": "trip", "model": "up/other"})
        assert (made["key"], made["runStarted"], made["resolved"]) == (
            "agent:main:trip", False, {"modelProvider": "up", "model": "other"},
        )  # fmt: skip
        assert (await client.event("sessions.changed", reason="create"))["sessionKey"] == "agent:main:trip"
        row = (await client.call("sessions.describe", {"key": "trip"}))["session"]
        assert row["sessionId"] == made["sessionId"] == made["entry"]["sessionId"]
        await client.call("chat.send", send(sessionKey="trip"))
        await client.event("chat", state="final", sessionKey="agent:main:trip")
        assert b'"model":"other"' in stand.model.requests[0].body
        again = await client.call("sessions.create", {"key": "trip"})
        assert again["sessionId"] == made["sessionId"] and again["resolved"]["model"] == "other"
        assert len((await client.call("chat.history", {"sessionKey": "trip"}))["messages"]) == 2


async def test_a_session_without_a_key_is_a_new_one_and_may_begin_with_a_message(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, says("hello")) as stand, connected(stand.gateway.url) as client:
        first, second = [await client.call("sessions.create") for _ in range(2)]
        assert first["key"] != second["key"] and first["key"].startswith("agent:main:dashboard:")
        begun = await client.call("sessions.create", {"message": "hi"})
        final = await client.event("chat", state="final", runId=begun["runId"])
        assert begun["runStarted"] and final["sessionKey"] == begun["key"]
        listed = await client.call("sessions.list")
        assert {row["key"] for row in listed["sessions"]} == {first["key"], second["key"], begun["key"]}
        for wrong in (
            {"model": "nope/none"},
            {"agentId": "nobody"},
            {"key": "agent:nobody:x"},
            {"incognito": True},
        ):
            await client.error("sessions.create", wrong)
        assert (await client.call("sessions.list"))["count"] == 3


async def test_a_message_is_injected_into_a_session_that_there_is(tmp_path: Path) -> None:
    async with (
        serving_agents(tmp_path, says("hello"), says("again")) as stand,
        connected(stand.gateway.url) as client,
    ):
        inject = {"sessionKey": KEY, "message": "the door is open", "label": "note"}
        assert (await client.error("chat.inject", inject))["message"] == "session not found"
        await client.call("chat.send", send())
        await client.event("chat", state="final")
        done = await client.call("chat.inject", inject)
        final = await client.event("chat", state="final")
        assert final["message"]["content"][0]["text"] == "[note]\n\nthe door is open"
        (*_, last) = (await client.call("chat.history", {"sessionKey": KEY}))["messages"]
        assert (last["__openclaw"]["id"], last["__openclaw"]["runId"]) == (done["messageId"], final["runId"])
        await client.call("chat.send", send(idempotencyKey="k2", message="and now?"))
        await client.event("chat", state="final", runId="k2")
        assert [message["content"] for message in stand.sent[1]][-3:] == [
            "hello", "[note]\n\nthe door is open", "and now?",
        ]  # fmt: skip


async def test_nothing_is_injected_into_a_session_of_another_caller(tmp_path: Path) -> None:
    auth = {"mode": "trusted-proxy", "trustedProxy": {"userHeader": "x-user", "allowLoopback": True}}
    proxied = {"auth": auth, "trustedProxies": ["127.0.0.1"]}
    async with (
        serving_agents(tmp_path, config={"gateway": proxied}) as stand,
        connected(stand.gateway.url, headers={"x-user": "ann"}, token=None) as ann,
        connected(stand.gateway.url, headers={"x-user": "bob"}, token=None) as bob,
    ):
        await ann.call("sessions.create", {"key": "trip"})
        inject = {"sessionKey": "agent:main:trip", "message": "x"}
        assert (await bob.error("chat.inject", inject))["message"] == "session not found"
        await bob.call("sessions.create", {"key": "trip"})
        await bob.call("chat.inject", inject)
        assert (await ann.call("chat.history", {"sessionKey": "trip"}))["messages"] == []
        assert not [frame for frame in ann.events if frame["event"] == "chat"]
