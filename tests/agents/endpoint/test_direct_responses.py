"""Responses of a model whose provider has another API: stored, continued, and passed on as they come."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from clawgate.errors import StoreUnavailable
from clawgate.state.store import Store
from tests.agents.agent_stand import ANN, BEHIND_PROXY, BOB, AgentStand, agent_config, echoes, serving_agents
from tests.agents.model_stand import DONE, call_of, chunk_of, usage_of
from tests.agents.responses_stand import RESPONSES, TOOL, asked, call, create, events, made, text
from tests.e2e.stand import until
from tests.peers import faults
from tests.peers import responses_api as api
from tests.peers.faults import sse_response
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import provider

MODEL = {"model": "up/m"}
ENDS = ("response.completed", "response.failed", "error")
STREAMED = pytest.mark.parametrize("streamed", [False, True])
CALLS = sse_response(
    [call_of("look", '{"at":1}', id="call_1"), chunk_of(reason="tool_calls"), usage_of(5, 1), DONE]
)


async def said(stand: AgentStand, given: Any, *, streamed: bool = False, **more: Any) -> Any:
    """The response object; of a stream the one in its last event."""
    fields = MODEL | more
    if not streamed:
        return await made(stand, given, **fields)
    response = await create(stand, given, **fields, stream=True)
    assert response.status == 200, response.body
    return events(response)[-1]["response"]


@STREAMED
async def test_a_chain_of_responses_is_sent_whole(tmp_path: Path, streamed: bool) -> None:
    async with serving_agents(tmp_path, echoes) as stand:
        one = await said(stand, "one", streamed=streamed, instructions="Be brief.")
        two = await said(stand, "two", streamed=streamed, previous_response_id=one["id"])
        three = await said(stand, "three", streamed=streamed, previous_response_id=two["id"])
        fork = await said(stand, "fork", streamed=streamed, previous_response_id=one["id"])
    assert [text(one), text(two), text(three), text(fork)] == ["one (2)", "two (3)", "three (5)", "fork (3)"]
    assert one["store"] is True and one["previous_response_id"] is None
    assert two["previous_response_id"] == one["id"]
    assert [m["content"] for m in stand.sent[2]] == ["one", "one (2)", "two", "two (3)", "three"]


async def test_the_tokens_of_a_chain_are_counted_with_what_it_continues(tmp_path: Path) -> None:
    """Nothing is stored, and the provider is not asked: it has no such path."""
    async with serving_agents(tmp_path, echoes) as stand:
        one = await said(stand, "x" * 700)

        async def count(**more: Any) -> Any:
            return await stand.gateway.ask(asked("hi", **MODEL, **more), target=f"{RESPONSES}/input_tokens")

        alone, chained = await count(), await count(previous_response_id=one["id"])
        assert chained.json()["object"] == "response.input_tokens"
        assert chained.json()["input_tokens"] > alone.json()["input_tokens"] + 400
        assert chained.header("x-clawgate-estimated") == alone.header("x-clawgate-estimated") == "true"
        refused = await count(previous_response_id=f"resp_{'0' * 32}")
        assert refused.json()["error"]["code"] == "response_not_found"
        assert len(stand.model.requests) == 1


@STREAMED
async def test_a_response_is_retrieved_listed_and_deleted(tmp_path: Path, streamed: bool) -> None:
    async with serving_agents(tmp_path, echoes) as stand:
        one = await said(stand, "one", streamed=streamed)
        assert (await call(stand, "GET", one["id"])).json() == one
        listed = (await call(stand, "GET", f"{one['id']}/input_items")).json()["data"]
        assert [item["content"] for item in listed] == [[{"type": "input_text", "text": "one"}]]
        assert (await call(stand, "DELETE", one["id"])).json()["deleted"] is True
        assert (await call(stand, "GET", one["id"])).status == 404
        gone = await create(stand, "x", previous_response_id=one["id"], **MODEL)
    assert (gone.status, gone.json()["error"]["code"]) == (404, "response_not_found")


@STREAMED
async def test_items_are_named_in_place_of_sent(tmp_path: Path, streamed: bool) -> None:
    """As the AI SDK does in each step behind the first."""
    async with serving_agents(tmp_path, CALLS, echoes) as stand:
        one = await said(stand, "go", streamed=streamed, tools=[TOOL])
        [item] = one["output"]
        given = [
            {"role": "user", "content": "go"},
            {"type": "item_reference", "id": item["id"]},
            {"type": "function_call_output", "call_id": item["call_id"], "output": "seen"},
        ]
        two = await said(stand, given, streamed=streamed, tools=[TOOL])
        assert text(two) == "seen (3)"
        again = await said(stand, "more", previous_response_id=two["id"], streamed=streamed)
        assert text(again) == "more (5)"
        bare = await said(stand, [given[0], {"id": item["id"]}, given[2]], streamed=streamed)
        assert text(bare) == "seen (3)"
        unknown = await create(stand, [given[1] | {"id": item["id"] + "9"}], **MODEL)
    assert unknown.status == 404
    assert stand.sent[1][1]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at":1}'}


async def test_what_is_not_to_be_stored_is_not(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, echoes) as stand:
        one = await said(stand, "one")
        two = await said(stand, "two", previous_response_id=one["id"], store=False)
        three = await said(stand, "three", store=False)
        assert text(two) == "two (3)" and two["store"] is False and three["store"] is False
        for response in (two, three):
            assert (await call(stand, "GET", response["id"])).status == 404


async def test_a_response_of_an_agent_is_not_continued_by_a_model_nor_the_reverse(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, echoes) as stand:
        of_agent, of_model = await made(stand, "one"), await said(stand, "one")
        to_model = await create(stand, "x", previous_response_id=of_agent["id"], **MODEL)
        to_agent = await create(stand, "x", previous_response_id=of_model["id"])
    assert "of agent 'main'" in to_model.json()["error"]["message"] and to_model.status == 400
    assert "of a model" in to_agent.json()["error"]["message"] and to_agent.status == 400


async def test_a_response_says_who_made_it(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, echoes) as stand:
        for more in ({}, {"stream": True}):
            response = await create(stand, "x", seed=1, **MODEL, **more)
            assert response.header("x-clawgate-provider") == "up"
            assert response.header("x-clawgate-model") == "m"
            assert response.header("x-clawgate-ignored") == "seed"
            assert response.header("cache-control") == "no-store"


@STREAMED
async def test_errors_stay_as_they_are_and_nothing_is_stored(tmp_path: Path, streamed: bool) -> None:
    scripts = [faults.error_response(429, "slow down"), faults.error_response(400, "no")]
    for number, script in enumerate(scripts):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with serving_agents(folder, script) as stand:
            kept = await create(stand, "x", **MODEL, stream=streamed)
            plain = await create(stand, "x", **MODEL, stream=streamed, store=False)
            assert (kept.status, kept.json()) == (plain.status, plain.json())
            assert kept.header("x-clawgate-provider") == plain.header("x-clawgate-provider") == "up"


async def test_a_cut_stream_stays_cut_and_is_stored_as_failed(tmp_path: Path) -> None:
    """What continues it begins in front of it: the request can be sent again."""
    pieces = [chunk_of({"content": text}) for text in ("half", "lost", "lost")]
    cut = faults.cut_mid_chunk(pieces)
    async with serving_agents(tmp_path, cut, cut, echoes) as stand:
        kept = await create(stand, "x", **MODEL, stream=True)
        plain = await create(stand, "x", **MODEL, stream=True, store=False)
        found, expected = events(kept), events(plain)
        assert [one["type"] for one in found] == [one["type"] for one in expected]
        assert found[-1]["type"] == "response.failed"
        assert found[-1]["response"]["error"] == expected[-1]["response"]["error"]
        failed = (await call(stand, "GET", found[-1]["response"]["id"])).json()
        assert failed == found[-1]["response"] and failed["status"] == "failed" and failed["store"] is True
        assert text(await said(stand, "x", previous_response_id=failed["id"])) == "x (1)"
        assert (await call(stand, "GET", expected[-1]["response"]["id"])).status == 404


@pytest.mark.parametrize(("method", "path"), [("DELETE", ""), ("POST", "/cancel")])
async def test_what_is_deleted_or_cancelled_while_it_is_made_ends_and_is_not_stored(
    method: str, path: str, tmp_path: Path
) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    gates[0].set()
    script = faults.sse_gated(gates, [chunk_of({"content": "one"}), chunk_of(reason="stop") + DONE])
    async with serving_agents(tmp_path, script) as stand:
        async with await stand.client() as client:
            await stand.gateway.send(client, asked("x", stream=True, **MODEL), target=RESPONSES)
            await until(lambda: b'"delta":"one"' in client.received, "the first text")
            name = client.received.partition(b'"id":"')[2].partition(b'"')[0].decode()
            ended = (await call(stand, method, f"{name}{path}")).json()
            assert ended["id"] == name and (ended.get("deleted") or ended["status"] == "cancelled")
            await until(lambda: not stand.model.open_connections, "the end of the model call")
            found = events(await client.response())
            assert "stopped by its caller" in found[-1]["response"]["error"]["message"]
            assert [one["type"] for one in found if one["type"] in ENDS] == ["response.failed"]
            numbers = [one["sequence_number"] for one in found]
            assert numbers == sorted(set(numbers))
        for method in ("GET", "DELETE"):
            assert (await call(stand, method, name)).status == 404


async def test_what_the_first_provider_keeps_is_continued_by_that_one_alone(tmp_path: Path) -> None:
    """A fallback of another API does not have it, so what happened to the provider is the error."""
    async with FakeUpstream(faults.error_response(503, "it is down")) as native:
        config = agent_config(native.url)
        async with serving_agents(tmp_path, echoes) as stand:
            config = json.loads(stand.gateway.config.read_text())
            config["models"]["providers"]["native"] = provider(
                native.url, "openai-responses", models=[{"id": "n"}]
            )
            config["agents"]["defaults"]["model"] = {"primary": "native/n", "fallbacks": ["up/m"]}
            stand.gateway.rewrite(config)
            fresh = await create(stand, "x", model="default")
            assert fresh.status == 200 and text(fresh.json()) == "x (1)" and fresh.json()["store"] is False
            for fields in (
                {"previous_response_id": "resp_p"},
                {"conversation": "conv_p"},
                {"background": True},
            ):
                response = await create(stand, "x", model="default", **fields)
                assert response.status == 503 and "it is down" in response.body.decode()
            item = {"type": "item_reference", "id": "msg_p"}
            assert (await create(stand, [item], model="default")).status == 503
            absent = await create(stand, "x", model="default", previous_response_id=None)
            assert absent.status == 200


async def test_the_end_of_a_response_is_sent_behind_its_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nothing can be stored: then it is no success."""
    async with serving_agents(tmp_path, echoes) as stand:
        first = await said(stand, "one")

        async def fails(*_: object) -> None:
            raise StoreUnavailable("the disk is full")

        monkeypatch.setattr(Store, "begin_response", fails)
        body = await create(stand, "x", **MODEL)
        stream = await create(stand, "x", **MODEL, stream=True)
    assert first["id"] and body.status == 503
    assert events(stream)[-1]["type"] == "error" and b"response.completed" not in stream.body


async def test_a_client_that_leaves_frees_the_model(tmp_path: Path) -> None:
    gate = asyncio.Event()
    gates = [gate, asyncio.Event()]
    script = faults.sse_gated(gates, [chunk_of({"content": "one"}), chunk_of({"content": "two"})])
    gate.set()
    async with serving_agents(tmp_path, script) as stand:
        async with await stand.client() as client:
            body = json.dumps({**MODEL, "input": "x", "stream": True}).encode()
            await stand.gateway.send(client, body, target=RESPONSES)
            await until(lambda: b'"delta":"one"' in client.received, "the first text")
        await until(lambda: not stand.model.open_connections, "the end of the model's stream")


async def test_a_client_that_reads_slowly_makes_the_model_wait(tmp_path: Path) -> None:
    """A response far larger than all buffers on its way, of which nothing is read at first."""
    many = [chunk_of({"content": "x" * 50_000}) for _ in range(300)]
    async with serving_agents(tmp_path, sse_response([*many, chunk_of(reason="stop"), DONE])) as stand:
        client = await stand.client()
        async with client:
            client.stop_reading()
            body = json.dumps({**MODEL, "input": "x", "stream": True}).encode()
            await stand.gateway.send(client, body, target=RESPONSES)
            inner = stand.gateway.role.agents._exchanges
            assert inner is not None
            await until(lambda: any(one._flow.client_write_paused for one in inner._exchanges), "a pause")
            client.resume_reading()
            response = await client.response()
    found = events(response)
    deltas = [one["delta"] for one in found if one["type"] == "response.output_text.delta"]
    assert "".join(deltas) == text(found[-1]["response"]) == "x" * 50_000 * 300


async def test_what_its_provider_speaks_passes_as_it_is(tmp_path: Path) -> None:
    """There the provider stores it; here nothing does."""
    async with FakeUpstream(*[api.responds(api.message("hi"))] * 3) as native:
        config = agent_config(native.url)
        config["models"]["providers"]["up"] = provider(native.url, "openai-responses", models=[{"id": "m"}])
        async with serving_agents(tmp_path, config=config) as stand:
            kept: tuple[dict[str, Any], ...] = (
                {"previous_response_id": "resp_of_the_provider"},
                {"conversation": {"id": f"conv_{'0' * 32}"}},
                {"background": True, "store": True},
            )
            for number, fields in enumerate(kept):
                assert (await create(stand, "x", **MODEL, **fields)).status == 200
                expected = asked("x", model="m", **fields)
                assert native.requests[number].body == expected


async def test_without_stored_responses_the_error_says_what_to_do(tmp_path: Path) -> None:
    async with FakeUpstream(echoes) as upstream:
        config = agent_config(upstream.url)
        config["gateway"]["http"]["endpoints"]["responses"]["enabled"] = False
        async with serving_agents(tmp_path, config=config) as stand:
            one = await said(stand, "one")
            item = {"type": "item_reference", "id": one["output"][0]["id"]}
            continues = await create(stand, "x", previous_response_id=one["id"], **MODEL)
            refers = await create(stand, [item, {"role": "user", "content": "x"}], **MODEL)
        for refused in (continues, refers):
            assert refused.status == 400
            assert "gateway.http.endpoints.responses.enabled" in refused.json()["error"]["message"]
        assert "providerOptions: {openai: {store: false}}" in refers.json()["error"]["message"]
    assert one["store"] is False


async def test_another_callers_response_does_not_exist(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, echoes, config={"gateway": BEHIND_PROXY}) as stand:

        async def send(who: Any, given: Any, **more: Any) -> Any:
            return await stand.gateway.ask(asked(given, **MODEL, **more), *who, target=RESPONSES, token=None)

        one = (await send(ANN, "one")).json()
        reference = {"type": "item_reference", "id": one["output"][0]["id"]}
        continued = await send(BOB, "x", previous_response_id=one["id"])
        referred = await send(BOB, [reference, {"role": "user", "content": "x"}])
        assert (continued.status, referred.status) == (404, 404)
        assert text((await send(ANN, "two", previous_response_id=one["id"])).json()) == "two (3)"


async def test_what_only_agents_do_is_rejected_by_name(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, echoes) as stand:
        for fields in ({"conversation": "c"}, {"background": True}):
            response = await create(stand, "x", **MODEL, **fields)
            assert response.status == 400 and response.json()["error"]["param"] in fields
            assert "openclaw/<agentId>" in response.json()["error"]["message"]


async def test_what_continues_a_response_that_is_deleted_meanwhile_is_no_success(tmp_path: Path) -> None:
    """Its history is gone, so it could not be continued itself."""
    gates = [asyncio.Event(), asyncio.Event()]
    gates[0].set()
    script = faults.sse_gated(gates, [chunk_of({"content": "one"}), chunk_of(reason="stop") + DONE])
    async with serving_agents(tmp_path, echoes, script) as stand:
        one = await said(stand, "one")
        async with await stand.client() as client:
            body = asked("x", previous_response_id=one["id"], stream=True, **MODEL)
            await stand.gateway.send(client, body, target=RESPONSES)
            await until(lambda: b'"delta":"one"' in client.received, "the first text")
            assert (await call(stand, "DELETE", one["id"])).status == 200
            gates[1].set()
            response = await client.response()
        last = events(response)[-1]
        assert (last["type"], last["code"]) == ("error", "response_not_found")
