"""Every frame that is sent, and every one that is accepted, is one of the contract that OpenClaw publishes."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from clawgate.control.websocket.frames import BadFrame, parse_request
from clawgate.control.websocket.handshake import Connect, read_connect
from clawgate.control.websocket.methods.table import METHODS
from clawgate.errors import InvalidRequest
from tests.agents.agent_stand import CALLS_LOOK, says, serving_agents
from tests.agents.approval_stand import calls, serving_shed
from tests.contract.openclaw_contract import EVENTS, PARAMS, RESULTS, contract, is_valid, validator
from tests.control.websocket.socket_stand import SocketClient, connected, params
from tests.peers.faults import error_response

KEY = "agent:main:main"
NEWER = {"includeDetails", "expectedSessionId"}
"""Params that came after the contract's version, and that OpenClaw's own clients send."""


def check(frames: list[tuple[bool, Any]]) -> set[str]:
    """Hold every frame against the contract; return the methods and events that there were."""
    methods: dict[str, str] = {}
    seen: set[str] = set()
    for is_sent, frame in frames:
        kind = {"req": "RequestFrame", "res": "ResponseFrame", "event": "EventFrame"}[frame["type"]]
        validator(kind)(frame)
        if is_sent:
            methods[frame["id"]] = frame["method"]
            seen.add(frame["method"])
        elif frame["type"] == "event":
            seen.add(frame["event"])
            if frame["event"] in EVENTS:
                validator(EVENTS[frame["event"]])(frame["payload"])
        elif frame["ok"] and (result := RESULTS.get(methods[frame["id"]])) is not None:
            validator(result)(frame["payload"])
    return seen


async def use_everything(client: SocketClient) -> None:
    """Call each method with params that it accepts, and have each kind of run."""
    key = {"key": KEY}
    await client.call("agent", {"message": "hi", "idempotencyKey": "k1"})
    await client.event("chat", state="final")
    await client.call("chat.send", {"sessionKey": KEY, "message": "tool", "idempotencyKey": "k2"})
    await client.event("chat", state="final")
    await client.call("sessions.send", {**key, "message": "fail", "idempotencyKey": "k3"})
    await client.event("chat", state="error")
    for name, given in (
        ("health", {}), ("status", {}), ("system-presence", {}), ("models.list", {"view": "all"}),
        ("agents.list", {}), ("config.get", {}), ("gateway.restart.preflight", {}), ("sessions.list", {"limit": 5}),
        ("sessions.subscribe", {}), ("sessions.preview", {"keys": [KEY]}), ("sessions.describe", key),
        ("sessions.get", key), ("sessions.resolve", key), ("sessions.patch", {**key, "model": "up/other"}),
        ("sessions.create", {"key": "made", "model": "up/m", "message": "hi"}), ("sessions.create", {}),
        ("chat.inject", {"sessionKey": "made", "message": "hi", "label": "note"}),
        ("chat.history", {"sessionKey": KEY, "limit": 10}), ("chat.abort", {"sessionKey": KEY}),
        ("sessions.abort", key), ("agent.wait", {"runId": "k1", "timeoutMs": 0}), ("sessions.reset", key),
        ("sessions.delete", {"key": "agent:main:none"}), ("plugin.approval.list", {}),
    ):  # fmt: skip
        await client.call(name, given)
    for name in ("logs.tail", "gateway.restart.request", "plugin.approval.resolve", "nope"):
        await client.error(name, {})


async def test_every_frame_is_one_of_the_contract(tmp_path: Path) -> None:
    contract()
    scripts = (says("hello"), CALLS_LOOK, says("done"), error_response(400, "no such parameter"))
    async with serving_agents(tmp_path, *scripts) as stand:
        async with connected(stand.gateway.url) as client:
            await use_everything(client)
        seen = check(client.frames)
    assert METHODS.keys() <= seen
    assert {"chat", "agent", "sessions.changed", "connect.challenge"} <= seen


async def test_a_call_that_waits_for_approval_is_shown_as_the_contract_has_it(tmp_path: Path) -> None:
    contract()
    saws = calls(("saw", '{"at": 1}'))
    async with (
        serving_shed(tmp_path, saws, says("done")) as (stand, _),
        connected(stand.gateway.url) as client,
    ):
        await client.call("agent", {"message": "hi", "idempotencyKey": "k1"})
        waiting = await client.event("plugin.approval.requested")
        request = {name: value for name, value in waiting["request"].items() if name != "runId"}
        validator("PluginApprovalRequestParams")(request)
        decided = {"id": waiting["id"], "decision": "allow-once"}
        validator("PluginApprovalResolveParams")(decided)
        await client.call("plugin.approval.resolve", decided)
        await client.event("plugin.approval.resolved", id=waiting["id"])
        await client.event("chat", state="final")
        check(client.frames)


def test_every_method_has_the_right_and_the_params_of_the_contract() -> None:
    methods = contract()["methods"]
    dynamic = {name for name in METHODS if methods[name]["scope"] == "dynamic"}
    assert dynamic == {"sessions.patch", "sessions.delete", "sessions.create", "agent"}
    for name, method in METHODS.items():
        assert name in dynamic or methods[name]["scope"] == method.scope, name


@pytest.mark.parametrize("name", sorted(PARAMS))
def test_every_param_of_the_contract_is_known(name: str) -> None:
    """It is honoured, without effect, or refused with its name, and never an unexpected one."""
    definition = contract()["definitions"][PARAMS[name]]
    for member in definition["properties"]:
        problem = problem_of(name, {member: {"of": "no type of it"}})
        assert f"unexpected property '{member}'" not in problem


def problem_of(name: str, given: Any) -> str:
    """Why params are not accepted; empty where they are."""
    body = json.dumps(given)
    if name == "connect":
        frame = parse_request(f'{{"type":"req","id":"1","method":"connect","params":{body}}}')
        found = read_connect(frame, None)
        return "" if isinstance(found, Connect) else found.error.message
    try:
        METHODS[name].reader.read(body.encode())
    except InvalidRequest as error:
        return error.message
    return ""


SAMPLES: dict[str, dict[str, Any]] = {
    "connect": params(
        device={"id": "d", "publicKey": "k", "signature": "s", "signedAt": 1, "nonce": "n"},
        locale="en", userAgent="x", commands=["a"], permissions={"a": True},
    ),
    "models.list": {"view": "all", "agentId": "a", "refresh": False},
    "agents.list": {},
    "logs.tail": {"cursor": 1, "limit": 2, "maxBytes": 3},
    "config.get": {},
    "sessions.list": {"limit": 1, "offset": 2, "activeMinutes": 3, "search": "x", "sortBy": "updatedAt"},
    "sessions.subscribe": {"limit": 1, "ownerFirst": True},
    "sessions.preview": {"keys": ["a"], "limit": 1, "maxChars": 20},
    "sessions.describe": {"key": "a", "includeLastMessage": True},
    "sessions.resolve": {"key": "a", "allowMissing": True},
    "sessions.patch": {"key": "a", "model": None, "agentId": "a"},
    "sessions.create": {"key": "a", "model": "m", "agentId": "a", "message": "m", "displayName": "x"},
    "chat.inject": {"sessionKey": "a", "message": "m", "label": "x", "agentId": "a"},
    "sessions.reset": {"key": "a", "reason": "new"},
    "sessions.delete": {"key": "a", "deleteTranscript": True},
    "sessions.send": {"key": "a", "message": "m", "idempotencyKey": "k", "timeoutMs": 1},
    "sessions.abort": {"key": "a", "runId": "r", "clearQueued": True},
    "chat.send": {"sessionKey": "a", "message": "m", "idempotencyKey": "k", "thinking": "low", "queueMode": "steer",
                  "attachments": [{"type": "image", "mimeType": "image/png", "content": "AA", "sizeBytes": 1.5}]},
    "chat.abort": {"sessionKey": "a", "runId": "r"},
    "chat.history": {"sessionKey": "a", "limit": 3, "offset": 1, "maxChars": 5},
    "agent": {"message": "m", "idempotencyKey": "k", "timeout": 600, "deliver": False, "lane": "main", "label": "x"},
    "agent.wait": {"runId": "r", "timeoutMs": 0},
    "plugin.approval.resolve": {"id": "plugin:x", "decision": "deny"},
}  # fmt: skip
ODD: list[Any] = [None, True, False, 0, -1, 1.5, 2**63, "", "x", "x" * 600, [], [""], [1], {}, {"a": 1}]


def mutated(sample: dict[str, Any], seed: int) -> dict[str, Any]:
    """A copy with one or two members changed, added or removed, at any depth."""
    chance, made = random.Random(seed), copy.deepcopy(sample)  # no secret is made of it
    for _ in range(chance.randint(1, 2)):
        place: Any = made
        while (
            inner := [one for one in place.values() if isinstance(one, dict) and one]
        ) and chance.random() < 0.4:
            place = chance.choice(inner)
        match chance.randint(0, 3):
            case 0 if place:
                del place[chance.choice(list(place))]
            case 1:
                place[chance.choice(["zz", "Key", "session_key", "", "__proto__"])] = copy.deepcopy(
                    chance.choice(ODD)
                )
            case _ if place:
                place[chance.choice(list(place))] = copy.deepcopy(chance.choice(ODD))
    return made


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_params_that_are_accepted_are_those_of_the_contract(name: str) -> None:
    assert is_valid(PARAMS[name], SAMPLES[name]) and problem_of(name, SAMPLES[name]) == ""
    for seed in range(1500):
        given = mutated(SAMPLES[name], seed)
        if problem_of(name, given) == "" and not NEWER & given.keys():
            assert is_valid(PARAMS[name], given), given


def test_frames_that_are_accepted_are_those_of_the_contract() -> None:
    """And what is refused is refused with its id."""
    sample = {"type": "req", "id": "1", "method": "health", "params": {}, "traceparent": "00-a"}
    for seed in range(3000):
        frame = mutated(sample, seed)
        try:
            found = parse_request(json.dumps(frame)).id
        except BadFrame as error:
            given = frame.get("id")
            found, is_text = error.id, isinstance(given, str) and given
            wanted = given if is_text else found
        else:
            wanted = frame["id"]
            assert is_valid("RequestFrame", frame), frame
        assert found == wanted, frame
