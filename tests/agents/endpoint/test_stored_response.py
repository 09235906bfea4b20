"""Stored responses: each part of one, the ones that are made in the background, and nothing for another caller."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from clawgate.agents.session import ended_elsewhere, runs
from clawgate.state.tables import idempotency
from tests.agents.agent_stand import ANN, BEHIND_PROXY, BOB, AgentStand, echoes, says, serving_agents, user
from tests.agents.model_stand import DONE, chunk_of
from tests.agents.responses_stand import RESPONSES, asked, call, create, events, made, text
from tests.e2e.stand import until
from tests.peers import faults
from tests.state.postgres_server import PostgresServer


async def test_what_is_deleted_is_gone(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, echoes) as stand:
        one = await made(stand, "one")
        two = await made(stand, "two", previous_response_id=one["id"])
        deleted = await call(stand, "DELETE", one["id"])
        assert deleted.json() == {"id": one["id"], "object": "response", "deleted": True}
        for method, path in (("GET", one["id"]), ("DELETE", one["id"]), ("GET", f"{one['id']}/input_items")):
            assert (await call(stand, method, path)).status == 404
        assert (await create(stand, "x", previous_response_id=one["id"])).status == 404
        assert text(await made(stand, "three", previous_response_id=two["id"])) == "three (5)"


async def test_another_callers_response_does_not_exist(tmp_path: Path) -> None:
    """By the same model, the same agent and the same words."""
    async with serving_agents(tmp_path, echoes, config={"gateway": BEHIND_PROXY}) as stand:

        async def send(who: Any, given: Any, **more: Any) -> Any:
            return await stand.gateway.ask(asked(given, **more), *who, target=RESPONSES, token=None)

        one = (await send(ANN, "one")).json()
        item = one["output"][0]["id"]
        refused = [
            await send(BOB, "x", previous_response_id=one["id"]),
            await send(BOB, [{"type": "item_reference", "id": item}, {"role": "user", "content": "x"}]),
        ]
        for method, path in (
            ("GET", ""),
            ("DELETE", ""),
            ("GET", "/input_items"),
            ("POST", "/cancel"),
            ("GET", "?stream=true"),
        ):
            async with await stand.client() as client:
                await client.request(
                    f"{RESPONSES}/{one['id']}{path}",
                    b"" if method == "POST" else None,
                    method=method,
                    fields=BOB,
                )
                refused.append(await client.response(to_method=method))
        assert [(response.status, response.json()["error"]["code"]) for response in refused] == [
            (404, "response_not_found")
        ] * len(refused)
        assert text((await send(ANN, "two", previous_response_id=one["id"])).json()) == "two (3)"


async def test_the_input_of_a_response_is_listed(tmp_path: Path) -> None:
    given = [{"role": "user", "content": f"m{number}"} for number in range(3)]
    async with serving_agents(tmp_path, echoes) as stand:
        one = await made(stand, given)
        path = f"{one['id']}/input_items"
        whole = (await call(stand, "GET", f"{path}?order=asc")).json()
        assert [item["content"] for item in whole["data"]] == [
            [{"type": "input_text", "text": f"m{number}"}] for number in range(3)
        ]
        page = (await call(stand, "GET", f"{path}?limit=2")).json()
        assert page["has_more"] and page["data"] == whole["data"][:0:-1]
        rest = (await call(stand, "GET", f"{path}?limit=2&after={page['last_id']}")).json()
        assert rest["data"] == whole["data"][:1] and not rest["has_more"]
        assert (await call(stand, "GET", f"{path}?after=nope")).status == 400
        assert (await call(stand, "GET", f"{path}?limit=0")).status == 400


def gated(*texts: str) -> tuple[list[asyncio.Event], Any]:
    gates = [asyncio.Event() for _ in texts]
    pieces = [chunk_of({"content": one}) for one in texts]
    pieces[-1] += chunk_of(reason="stop") + DONE
    return gates, faults.sse_gated(gates, pieces)


async def status_of(stand: AgentStand, name: str) -> str:
    return str((await call(stand, "GET", name)).json()["status"])


async def wait_for(stand: AgentStand, name: str, status: str) -> Any:
    async with asyncio.timeout(120):
        while (found := (await call(stand, "GET", name)).json())["status"] != status:  # noqa: ASYNC110 # as a client
            await asyncio.sleep(0.01)
    return found


async def test_a_background_response_is_made_without_its_client(tmp_path: Path) -> None:
    gates, script = gated("one", " two")
    async with serving_agents(tmp_path, script) as stand:
        begun = await made(stand, "hi", background=True)
        assert begun["status"] == "in_progress" and begun["background"] is True and begun["output"] == []
        assert await status_of(stand, begun["id"]) == "in_progress"
        early = await create(stand, "x", previous_response_id=begun["id"])
        assert early.status == 400 and "not complete" in early.json()["error"]["message"]
        for gate in gates:
            gate.set()
        done = await wait_for(stand, begun["id"], "completed")
        assert text(done) == "one two" and done["id"] == begun["id"]
        assert done["created_at"] == begun["created_at"]


async def test_a_background_stream_is_resumed_behind_any_event(tmp_path: Path) -> None:
    gates, script = gated("one", " two")
    gates[0].set()
    async with serving_agents(tmp_path, script) as stand:
        async with await stand.client() as client:
            await stand.gateway.send(client, asked("hi", background=True, stream=True), target=RESPONSES)
            await until(lambda: b'"delta":"one"' in client.received, "the first text")
            name = client.received.partition(b'"id":"resp_')[2].partition(b'"')[0].decode()
        gates[1].set()
        await wait_for(stand, f"resp_{name}", "completed")
        whole = events(await call(stand, "GET", f"resp_{name}?stream=true"))
        assert whole[0]["type"] == "response.created" and whole[-1]["type"] == "response.completed"
        for number in range(len(whole) - 1):
            rest = events(await call(stand, "GET", f"resp_{name}?stream=true&starting_after={number}"))
            assert rest == whole[number + 1 :]
        assert len(stand.model.requests) == 1


async def test_the_requests_of_responses_whose_events_are_kept_count_among_what_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(runs, "MAX_KEPT_SIZE", 30_000)
    async with serving_agents(tmp_path, says("one")) as stand:
        names = [(await made(stand, "x" * 20_000, background=True))["id"] for _ in range(2)]
        for name in names:
            await wait_for(stand, name, "completed")
        found = [(await call(stand, "GET", f"{name}?stream=true")).status for name in names]
    assert found == [400, 200]


async def test_a_background_response_is_cancelled_by_its_caller(tmp_path: Path) -> None:
    gates, script = gated("one", " two")
    gates[0].set()
    async with serving_agents(tmp_path, script) as stand:
        begun = await made(stand, "hi", background=True)
        cancelled = (await call(stand, "POST", f"{begun['id']}/cancel")).json()
        assert cancelled["status"] == "cancelled" and cancelled["error"] is None
        assert await status_of(stand, begun["id"]) == "cancelled"
        again = (await call(stand, "POST", f"{begun['id']}/cancel")).json()
        assert again["status"] == "cancelled"


async def test_to_delete_a_response_in_the_background_cancels_its_run(tmp_path: Path) -> None:
    gates, script = gated("one", " two")
    gates[0].set()
    async with serving_agents(tmp_path, script) as stand:
        begun = await made(stand, "hi", background=True)
        assert (await call(stand, "DELETE", begun["id"])).json()["deleted"] is True
        await until(lambda: not stand.model.open_connections, "the end of the model call")
        for method, path in (
            ("GET", begun["id"]),
            ("DELETE", begun["id"]),
            ("GET", f"{begun['id']}?stream=true"),
        ):
            assert (await call(stand, method, path)).status == 404


async def test_what_is_deleted_while_it_is_made_for_its_client_is_never_stored(tmp_path: Path) -> None:
    gates, script = gated("one", " two")
    gates[0].set()
    async with serving_agents(tmp_path, script) as stand:
        async with await stand.client() as client:
            await stand.gateway.send(client, asked("hi", stream=True), target=RESPONSES)
            await until(lambda: b'"delta":"one"' in client.received, "the first text")
            name = client.received.partition(b'"id":"resp_')[2].partition(b'"')[0].decode()
            assert (await call(stand, "DELETE", f"resp_{name}")).json()["deleted"] is True
            await until(lambda: not stand.model.open_connections, "the end of the model call")
            await until(lambda: b"response.failed" in client.received, "the end of the stream")
        for method in ("GET", "DELETE"):
            assert (await call(stand, method, f"resp_{name}")).status == 404


async def test_a_run_whose_response_is_not_to_be_stored_is_none_to_delete(tmp_path: Path) -> None:
    """Neither one of the Responses API with `store: false` nor one of chat completions."""
    gates, script = gated("one", " two")
    gates[0].set()
    for target, body in (
        (RESPONSES, asked("hi", stream=True, store=False)),
        ("/v1/chat/completions", user("hi", stream=True)),
    ):
        async with serving_agents(tmp_path, script) as stand, await stand.client() as client:
            await stand.gateway.send(client, body, target=target)
            await until(lambda: b"one" in client.received, "the first text")
            run = client.received.lower().partition(b"x-clawgate-run: ")[2].partition(b"\r")[0].decode()
            assert (await call(stand, "DELETE", f"resp_{run}")).status == 404
            assert len(stand.model.open_connections) == 1


async def test_what_is_deleted_is_not_repeated(tmp_path: Path) -> None:
    """Its key is that of a new request, whether the run is still remembered or its record in the database."""
    key = ("idempotency-key", "k")
    async with serving_agents(tmp_path, echoes) as stand:
        first = await made(stand, "secret words", key)
        await call(stand, "DELETE", first["id"])
        async with stand.store() as store:
            rows = await store._database.read(
                lambda connection: connection.execute(idempotency.select()).all()
            )
        assert rows == []
        second = await create(stand, "secret words", key)
        assert second.json()["id"] != first["id"] and second.header("x-clawgate-repeated") is None
    async with serving_agents(tmp_path, echoes) as stand:
        assert (await create(stand, "secret words", key)).header("x-clawgate-repeated") == "true"
        await call(stand, "DELETE", second.json()["id"])
        assert (await create(stand, "secret words", key)).header("x-clawgate-repeated") is None


@pytest.mark.parametrize(("method", "path", "left"), [("POST", "/cancel", "cancelled"), ("DELETE", "", None)])
async def test_what_one_gateway_makes_is_ended_at_another(
    tmp_path: Path,
    postgres: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    left: str | None,
) -> None:
    monkeypatch.setattr(ended_elsewhere, "LOOK_SECONDS", 0.01)
    own = {"plugins": {"entries": {"clawgate": {"config": {"database": postgres.clean_database()}}}}}
    for name in "ab":
        (tmp_path / name).mkdir()
    gates, script = gated("one", " two")
    gates[0].set()
    async with (
        serving_agents(tmp_path / "a", script, config=own) as one,
        serving_agents(tmp_path / "b", config=own) as two,
    ):
        begun = await made(one, "hi", background=True)
        ended = (await call(two, method, f"{begun['id']}{path}")).json()
        assert ended.get("status") == left
        await until(lambda: not one.model.open_connections, "the end of the model call")
        for stand in (one, two):
            found = (await call(stand, "GET", begun["id"])).json()
            assert found.get("status") == left and ("error" in found)


async def test_what_another_gateway_deletes_is_not_repeated(tmp_path: Path, postgres: PostgresServer) -> None:
    key = ("idempotency-key", "k")
    own = {"plugins": {"entries": {"clawgate": {"config": {"database": postgres.clean_database()}}}}}
    for name in "ab":
        (tmp_path / name).mkdir()
    async with (
        serving_agents(tmp_path / "a", config=own) as one,
        serving_agents(tmp_path / "b", config=own) as two,
    ):
        first = await made(one, "secret words", key)
        again = await create(one, "secret words", key)
        assert again.json() == first and again.header("x-clawgate-repeated") == "true"
        await call(two, "DELETE", first["id"])
        anew = await create(one, "secret words", key)
        assert anew.json()["id"] != first["id"] and anew.header("x-clawgate-repeated") is None


@pytest.mark.parametrize("model", [{}, {"model": "up/m"}])
async def test_a_response_that_is_made_for_its_client_is_shown_to_its_caller_alone(
    tmp_path: Path, model: dict[str, Any]
) -> None:
    gates, script = gated("one", " two")
    gates[0].set()
    async with (
        serving_agents(tmp_path, script, config={"gateway": BEHIND_PROXY}) as stand,
        await stand.client() as client,
    ):
        await stand.gateway.send(client, asked("x", stream=True, **model), *ANN, target=RESPONSES)
        await until(lambda: b'"delta":"one"' in client.received, "the first text")
        name = client.received.partition(b'"id":"')[2].partition(b'"')[0].decode()
        found = (await call(stand, "GET", name, *ANN)).json()
        assert (found["id"], found["status"], found["output"]) == (name, "in_progress", [])
        assert not found.get("background") and found["store"] is True
        listed = (await call(stand, "GET", f"{name}/input_items", *ANN)).json()
        assert [item["content"][0]["text"] for item in listed["data"]] == ["x"]
        early = await create(stand, "y", *ANN, previous_response_id=name, **model)
        assert early.status == 400 and "is not complete yet" in early.json()["error"]["message"]
        for path in ("", "/input_items"):
            assert (await call(stand, "GET", f"{name}{path}", *BOB)).status == 404
        late = await create(stand, "y", *BOB, previous_response_id=name, **model)
        assert late.status == 404
        gates[1].set()
        done = events(await client.response())[-1]["response"]
        assert (await call(stand, "GET", name, *ANN)).json() == done and done["status"] == "completed"


async def test_what_is_not_to_be_stored_is_not_shown_while_it_is_made(tmp_path: Path) -> None:
    gates, script = gated("one", " two")
    gates[0].set()
    async with serving_agents(tmp_path, script) as stand, await stand.client() as client:
        await stand.gateway.send(client, asked("x", stream=True, store=False), target=RESPONSES)
        await until(lambda: b'"delta":"one"' in client.received, "the first text")
        name = client.received.partition(b'"id":"')[2].partition(b'"')[0].decode()
        assert (await call(stand, "GET", name)).status == 404


async def test_a_response_that_an_agent_makes_for_its_client_is_cancelled_by_its_caller(
    tmp_path: Path,
) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    gates[0].set()
    script = faults.sse_gated(gates, [chunk_of({"content": "one"}), chunk_of(reason="stop") + DONE])
    async with serving_agents(tmp_path, script) as stand:
        async with await stand.client() as client:
            await stand.gateway.send(client, asked("x", stream=True), target=RESPONSES)
            await until(lambda: b'"delta":"one"' in client.received, "the first text")
            name = client.received.partition(b'"id":"')[2].partition(b'"')[0].decode()
            cancelled = (await call(stand, "POST", f"{name}/cancel")).json()
            assert (cancelled["id"], cancelled["status"]) == (name, "cancelled")
            assert cancelled["output"] == [] and cancelled["model"] == "openclaw"
            await until(lambda: not stand.model.open_connections, "the end of the model call")
        assert (await call(stand, "GET", name)).status == 404


async def test_only_what_is_in_the_background_is_cancelled(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, echoes) as stand:
        one = await made(stand, "hi")
        assert (await call(stand, "POST", f"{one['id']}/cancel")).status == 400
        done = await made(stand, "hi", background=True)
        await wait_for(stand, done["id"], "completed")
        late = (await call(stand, "POST", f"{done['id']}/cancel")).json()
        assert late["status"] == "completed"


async def test_a_background_response_that_fails_says_why(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, faults.error_response(500, "it broke")) as stand:
        begun = await made(stand, "hi", background=True)
        failed = await wait_for(stand, begun["id"], "failed")
    assert "it broke" in failed["error"]["message"]


async def test_a_gateway_that_ends_leaves_no_response_in_progress(tmp_path: Path) -> None:
    _, script = gated("one")
    async with serving_agents(tmp_path, script) as stand:
        begun = await made(stand, "hi", background=True)
    async with serving_agents(tmp_path, echoes) as stand:
        found = (await call(stand, "GET", begun["id"])).json()
        assert found["status"] == "failed" and found["error"]["message"]
        gone = await call(stand, "GET", f"{begun['id']}?stream=true")
    assert gone.status == 400


async def test_each_part_of_a_stored_response_has_its_methods(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand:
        name = "resp_" + "0" * 32
        for method, path, allow in (
            ("POST", name, "GET, DELETE"),
            ("POST", f"{name}/input_items", "GET"),
            ("GET", f"{name}/cancel", "POST"),
            ("PATCH", name, "GET, POST, DELETE"),
        ):
            response = await call(stand, method, path)
            assert (response.status, response.header("allow")) == (405, allow), path


async def test_what_is_no_route_of_a_response_is_not_called_a_deleted_one(tmp_path: Path) -> None:
    async with serving_agents(tmp_path) as stand:
        for method, path in (
            ("GET", f"resp_{'0' * 32}/other"),
            ("GET", "resp_x/other"),
            ("POST", "compact"),
            ("POST", "input_tokens/more"),
        ):
            error = (await call(stand, method, path)).json()["error"]
            assert error["code"] == "unknown_route" and "/v1/responses/{id}/cancel" in error["message"], path
        for method, path, allow in (("POST", "resp_x", "GET, DELETE"), ("GET", "resp_x/cancel", "POST")):
            response = await call(stand, method, path)
            assert (response.status, response.header("allow")) == (405, allow), path
        unknown = (await call(stand, "GET", "abc")).json()["error"]
    assert unknown["code"] == "response_not_found" and "kept by the provider" in unknown["message"]


@pytest.mark.parametrize("headers", [(), (("x-clawgate-disconnect", "detach"),), (("idempotency-key", "k"),)])
async def test_the_events_of_a_response_that_is_not_in_the_background_are_its_clients_alone(
    tmp_path: Path, headers: tuple[tuple[str, str], ...]
) -> None:
    """While it is made, too: who else follows it would keep it from ending with its client."""
    gates, script = gated("one", " two")
    gates[0].set()
    async with serving_agents(tmp_path, script) as stand, await stand.client() as client:
        await stand.gateway.send(client, asked("hi", stream=True), *headers, target=RESPONSES)
        await until(lambda: b'"delta":"one"' in client.received, "the first text")
        name = client.received.partition(b'"id":"')[2].partition(b'"')[0].decode()
        refused = [await call(stand, "GET", f"{name}?stream=true")]
        gates[1].set()
        await client.response()
        refused.append(await call(stand, "GET", f"{name}?stream=true"))
    for response in refused:
        error = response.json()["error"]
        assert (response.status, error["param"]) == (400, "stream") and "in the background" in error[
            "message"
        ]
