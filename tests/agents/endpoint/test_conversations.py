"""A conversation is a session of its caller that a request makes; what is not there is never made by its use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.agents.agent_stand import ANN, BEHIND_PROXY, BOB, CALLS_LOOK, AgentStand, echoes, serving_agents
from tests.agents.endpoint.test_stored_response import gated
from tests.agents.responses_stand import RESPONSES, TOOL, asked, create, made, text
from tests.e2e.stand import until
from tests.routing.gateway_server import CLIENT_TOKEN

PATH = "/v1/conversations"
OTHER: dict[str, Any] = {"entries": {"main": {"default": True}, "other": {}}}


async def call(
    stand: AgentStand, method: str, path: str = "", body: Any = None, *headers: tuple[str, str]
) -> tuple[int, Any]:
    fields = headers or (("Authorization", f"Bearer {CLIENT_TOKEN}"),)
    async with await stand.client() as client:
        sent = json.dumps(body).encode() if body is not None else b"" if method == "POST" else None
        await client.request(PATH + path, sent, method=method, fields=fields)
        response = await client.response(to_method=method)
    return response.status, response.json()


async def test_a_conversation_is_made_used_retrieved_and_deleted(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, echoes) as stand:
        status, one = await call(stand, "POST")
        assert status == 200 and one == {
            "id": one["id"], "object": "conversation", "created_at": one["created_at"], "metadata": {},
        }  # fmt: skip
        first = await made(stand, "one", conversation=one["id"])
        assert first["conversation"] == {"id": one["id"]}
        assert text(await made(stand, "two", conversation={"id": one["id"]})) == "two (3)"
        assert await call(stand, "GET", f"/{one['id']}") == (200, one)
        assert await call(stand, "DELETE", f"/{one['id']}") == (
            200, {"id": one["id"], "object": "conversation.deleted", "deleted": True}
        )  # fmt: skip
        gone = await create(stand, "three", conversation=one["id"])
        assert (gone.status, gone.json()["error"]["code"]) == (404, "conversation_not_found")
        assert gone.json()["error"]["param"] == "conversation"
        for method in ("GET", "DELETE"):
            status, error = await call(stand, method, f"/{one['id']}")
            assert (status, error["error"]["code"]) == (404, "conversation_not_found")
        assert len(stand.model.requests) == 2


async def test_a_conversation_begins_with_items(tmp_path: Path) -> None:
    items: list[Any] = [
        {"type": "message", "role": "user", "content": "Look."},
        {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "sunny"},
        {"role": "assistant", "content": "It is sunny."},
    ]
    async with serving_agents(tmp_path, echoes) as stand:
        one = (await call(stand, "POST", "", {"items": items}))[1]
        await made(stand, "Where?", conversation=one["id"])
        sent = stand.sent[0]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "assistant", "user"]
    assert sent[2]["content"] == "sunny" and sent[-1]["content"] == "Where?"


@pytest.mark.parametrize("named", [{}, {"call_id": ""}])
async def test_results_of_first_items_that_name_no_call_are_of_the_calls_before_them(
    tmp_path: Path, named: dict[str, str]
) -> None:
    calls = [{"type": "function_call", "call_id": one, "name": "look", "arguments": "{}"} for one in "ab"]
    results = [{"type": "function_call_output", "output": one, **named} for one in ("sunny", "cold")]
    async with serving_agents(tmp_path, echoes) as stand:
        items = [{"role": "user", "content": "Look."}, *calls, *results]
        one = (await call(stand, "POST", "", {"items": items}))[1]
        listed = (await call(stand, "GET", f"/{one['id']}/items?order=asc"))[1]["data"]
        assert [(item["call_id"], item.get("output")) for item in listed[1:]] == [
            ("a", None), ("b", None), ("a", "sunny"), ("b", "cold"),
        ]  # fmt: skip
        await made(stand, "Where?", conversation=one["id"])
        assert [turn["content"] for turn in stand.sent[0][2:]] == ["sunny", "cold", "Where?"]


@pytest.mark.parametrize("named", [{}, {"call_id": ""}, {"call_id": "c"}])
async def test_a_result_of_first_items_without_its_call_is_refused(
    tmp_path: Path, named: dict[str, str]
) -> None:
    """It would be left out of what the model gets."""
    result = {"type": "function_call_output", "output": "sunny", **named}
    async with serving_agents(tmp_path, echoes) as stand:
        status, error = await call(stand, "POST", "", {"items": [{"role": "user", "content": "x"}, result]})
    assert status == 400 and error["error"]["message"].startswith("`call_id` must name")


async def test_the_items_of_a_conversation_are_listed(tmp_path: Path) -> None:
    """Those that it began with, and what was sent and made in it."""
    async with serving_agents(tmp_path, CALLS_LOOK, echoes) as stand:
        first = [{"type": "message", "role": "user", "content": "Look."}]
        one = (await call(stand, "POST", "", {"items": first}))[1]
        await made(stand, "Now.", conversation=one["id"], tools=[TOOL])
        result = {"type": "function_call_output", "call_id": "call-up-1", "output": "sunny"}
        await made(stand, [result], conversation=one["id"], tools=[TOOL])
        items = f"/{one['id']}/items"
        page = (await call(stand, "GET", f"{items}?order=asc"))[1]
        kinds = [(item["type"], item.get("role")) for item in page["data"]]
        assert kinds == [
            ("message", "user"), ("message", "user"), ("function_call", None), ("function_call_output", None),
            ("message", "assistant"),
        ]  # fmt: skip
        assert page["data"][0]["content"] == [{"type": "input_text", "text": "Look."}]
        assert page["data"][-1]["content"][0]["type"] == "output_text"
        assert len({item["id"] for item in page["data"]}) == 5
        newest = (await call(stand, "GET", f"{items}?limit=1"))[1]
        assert newest["data"] == page["data"][-1:] and newest["has_more"]
        assert (await call(stand, "GET", f"/conv_{'0' * 32}/items"))[0] == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"metadata": {"topic": "demo"}}, "metadata"),
        ({"items": "x"}, "items"),
        ({"items": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "x"}]}, "items"),
        ({"items": [{"type": "item_reference", "id": f"msg_{'0' * 32}_0"}]}, "items"),
    ],
)
async def test_what_is_not_kept_is_refused(tmp_path: Path, body: Any, param: str) -> None:
    async with serving_agents(tmp_path, echoes) as stand:
        status, error = await call(stand, "POST", "", body)
        assert (status, error["error"]["param"]) == (400, param)
        assert (await call(stand, "POST", "", {"metadata": {}, "items": []}))[0] == 200


async def test_another_callers_conversation_does_not_exist(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, echoes, config={"gateway": BEHIND_PROXY}) as stand:
        one = (await call(stand, "POST", "", None, *ANN))[1]
        for method in ("GET", "DELETE"):
            assert (await call(stand, method, f"/{one['id']}", None, *BOB))[0] == 404
        used = await stand.gateway.ask(asked("x", conversation=one["id"]), *BOB, target=RESPONSES, token=None)
        assert used.status == 404 and not stand.model.requests
        assert (await call(stand, "GET", f"/{one['id']}", None, *ANN))[0] == 200


async def test_a_conversation_is_of_one_agent(tmp_path: Path) -> None:
    token = ("Authorization", f"Bearer {CLIENT_TOKEN}")
    async with serving_agents(tmp_path, echoes, **OTHER) as stand:
        one = (await call(stand, "POST", "", None, token, ("x-openclaw-agent-id", "other")))[1]
        wrong = await create(stand, "x", conversation=one["id"])
        assert wrong.status == 400 and "agent 'other'" in wrong.json()["error"]["message"]
        assert text(await made(stand, "x", conversation=one["id"], model="openclaw/other")) == "x (1)"


async def test_a_name_of_the_clients_own_needs_no_conversation(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, echoes) as stand:
        for name in ("mine", "conv_mine", "conv_1"):
            assert text(await made(stand, "x", conversation=name)) == "x (1)"


async def test_a_run_under_way_ends_with_its_conversation(tmp_path: Path) -> None:
    gates, script = gated("one", " two")
    gates[0].set()
    async with serving_agents(tmp_path, script) as stand:
        one = (await call(stand, "POST"))[1]
        async with await stand.client() as client:
            body = asked("hi", conversation=one["id"], stream=True)
            await stand.gateway.send(client, body, target=RESPONSES)
            await until(lambda: b'"delta":"one"' in client.received, "the first text")
            assert (await call(stand, "DELETE", f"/{one['id']}"))[0] == 200
            await until(lambda: not stand.model.open_connections, "the end of the model call")
        assert (await call(stand, "GET", f"/{one['id']}"))[0] == 404


async def test_other_requests_are_refused_by_name(tmp_path: Path) -> None:
    name = f"conv_{'0' * 32}"
    async with serving_agents(tmp_path) as stand:
        for method, path, status in (
            ("POST", f"/{name}", 405),
            ("GET", "", 405),
            ("POST", f"/{name}/items", 405),
            ("GET", f"/{name}/other", 404),
            ("GET", "/mine", 404),
        ):
            assert (await call(stand, method, path))[0] == status, (method, path)


async def test_where_responses_are_off_their_switch_is_named(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand:
        config = json.loads(stand.gateway.config.read_text())
        config["gateway"]["http"]["endpoints"]["responses"]["enabled"] = False
        stand.gateway.rewrite(config)
        status, error = await call(stand, "POST")
        assert status == 404 and "gateway.http.endpoints.responses.enabled" in error["error"]["message"]
