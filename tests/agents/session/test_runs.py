"""Runs that are repeated and resumed: one run, whatever number of requests are for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clawgate.agents.session import runs
from clawgate.agents.session.live_run import LiveRun
from clawgate.agents.session.runs import Runs, RunStart
from clawgate.state.records import Begun, Running
from tests.agents.agent_stand import chunks, echoes, hold_and_leave, says, serving_agents, user
from tests.agents.model_stand import DONE, chunk_of
from tests.e2e.stand import until
from tests.peers import faults
from tests.peers.faults import sse_response


@pytest.mark.parametrize("says_so_again", [True, False])
async def test_a_detached_run_continues_and_can_be_resumed(tmp_path: Path, says_so_again: bool) -> None:
    """Also more than once: what is sent for Last-Event-ID has ids again."""
    gates = [asyncio.Event(), asyncio.Event()]
    gates[0].set()
    events = [chunk_of({"content": "half"}), chunk_of({"content": " rest"}) + chunk_of(reason="stop") + DONE]
    script = faults.sse_gated(gates, events)
    detach = ("x-clawgate-disconnect", "detach")
    async with serving_agents(tmp_path, script) as stand:
        async with await stand.client() as client:
            await stand.gateway.send(client, user("hi", stream=True), detach)
            await until(lambda: b"half" in client.received, "the first text")
            ids = [line[4:] for line in client.received.split(b"\n") if line.startswith(b"id: ")]
        gates[1].set()
        headers = [("last-event-id", ids[-1].decode()), *([detach] if says_so_again else [])]
        resumed = await stand.ask(user("hi", stream=True), *headers)
        assert len(stand.model.requests) == 1
    texts = [chunk["choices"][0]["delta"].get("content") for chunk in chunks(resumed)]
    assert texts == [" rest", None]
    run, _, number = ids[-1].decode().rpartition("-")
    assert resumed.body.startswith(f"id: {run}-{int(number) + 1}\n".encode())


async def test_a_hundred_repeats_of_one_request_are_one_model_call(tmp_path: Path) -> None:
    key = ("idempotency-key", "k")
    async with serving_agents(tmp_path, says("once")) as stand:
        responses = await asyncio.gather(*(stand.ask(user("hi"), key) for _ in range(100)))
        again = await stand.ask(user("hi"), key)
        other = await stand.ask(user("ho"), key)
        assert len(stand.model.requests) == 1
    assert {response.body for response in responses} == {again.body}
    assert again.header("x-clawgate-repeated") == "true"
    assert other.status == 409 and other.json()["error"]["code"] == "idempotency_mismatch"


async def test_a_repeat_after_a_restart_gets_the_same_response(tmp_path: Path) -> None:
    key = ("idempotency-key", "k")
    bodies = []
    for stream in (False, True):
        for _ in range(2):
            async with serving_agents(tmp_path, says("once"), echoes) as stand:
                response = await stand.ask(user("hi", stream=stream), (key[0], f"{key[1]}{stream}"))
                bodies.append(response.body)
    assert bodies[0] == bodies[1] and bodies[2] == bodies[3] and bodies[0] != bodies[2]


async def test_a_failed_request_is_run_again_for_its_key(tmp_path: Path) -> None:
    key = ("idempotency-key", "k")
    async with serving_agents(tmp_path, faults.error_response(503), says("now")) as stand:
        assert (await stand.ask(user("hi"), key)).status == 503
        response = await stand.ask(user("hi"), key)
        for _ in range(100):
            if response.status == 200:
                break
            response = await stand.ask(user("hi"), key)
    assert response.status == 200


async def test_a_client_that_left_and_repeats_its_request_gets_a_new_run(tmp_path: Path) -> None:
    """Not the error of the run that its leaving has stopped."""
    half = faults.stalls_after(faults.sse_bytes([chunk_of({"content": "half"})])[:-5], 10_000)
    key = ("idempotency-key", "k")
    async with serving_agents(tmp_path, half, says("whole")) as stand:
        await hold_and_leave(stand, key)
        response = await stand.ask(user("hi", stream=True), key)
        assert len(stand.model.requests) == 2
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks(response)][1] == "whole"


async def test_a_repeat_that_detaches_keeps_the_run_of_a_client_that_leaves(tmp_path: Path) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    gates[0].set()
    events = [chunk_of({"content": "half"}), chunk_of({"content": " rest"}, "stop") + DONE]
    key, detach = ("idempotency-key", "k"), ("x-clawgate-disconnect", "detach")
    async with serving_agents(tmp_path, faults.sse_gated(gates, events)) as stand:
        async with await stand.client() as client:
            await stand.gateway.send(client, user("hi", stream=True), key)
            await until(lambda: b"half" in client.received, "the first text")
            await hold_and_leave(stand, key, detach)
        gates[1].set()
        await stand.ask(user("hi", stream=True), key)
        assert len(stand.model.requests) == 1


async def test_a_key_whose_run_failed_begins_the_whole_stream_anew(tmp_path: Path) -> None:
    """What the client has of the failed run is no part of the new one."""
    key = ("idempotency-key", "k")
    failing = sse_response([chunk_of({"content": "half"})])
    async with serving_agents(tmp_path, failing, says("whole")) as stand:
        failed = await stand.ask(user("hi", stream=True), key)
        ids = [line[4:] for line in failed.body.split(b"\n") if line.startswith(b"id: ")]
        response = await stand.ask(user("hi", stream=True), key, ("last-event-id", ids[-1].decode()))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(response)]
    assert deltas == [{"role": "assistant"}, {"content": "whole"}, {}]


class LostBegin:
    """A store with a key whose request has gone before its run was begun."""

    shared = None

    def __init__(self) -> None:
        self.found: Begun | Running = Running("gone", is_own=True)

    async def begin_idempotent(self, caller: str, key: str, body_hash: str, run: str) -> Begun | Running:
        return self.found

    async def abandon_idempotent(self, caller: str, key: str, run: str) -> None:
        assert run == "gone"
        self.found = Begun()


async def test_a_key_of_a_run_that_does_not_exist_is_free() -> None:
    store = LostBegin()

    async def open_store() -> Any:
        return store

    async def work(emit: Any) -> None: ...

    runs = Runs(open_store, lambda: 0.0)
    live = await runs.start(RunStart(run="r", caller="c", created=0, work=work, key="k"))
    assert isinstance(live, LiveRun) and live.run == "r"
    await live.ended()
    await runs.close()


async def test_a_run_that_is_over_is_forgotten_at_its_callers_wish() -> None:
    store = LostBegin()
    store.found = Begun()

    async def open_store() -> Any:
        return store

    gate = asyncio.Event()

    async def work(emit: Any) -> None:
        await gate.wait()

    runs = Runs(open_store, lambda: 0.0)
    start = RunStart(run="r", caller="c", created=0, work=work, key="k")
    live = await runs.start(start)
    assert isinstance(live, LiveRun)
    runs.forget("c", "r")
    assert runs.find("c", "r") is live
    gate.set()
    await live.ended()
    runs.forget("d", "r")
    assert runs.find("c", "r") is live and await runs.start(start) is live
    runs.forget("c", "r")
    again = await runs.start(start)
    assert isinstance(again, LiveRun) and again is not live
    await again.ended()
    await runs.close()


async def test_a_run_is_cancelled_by_its_own_caller_alone() -> None:
    """It has the time to store what it leaves, and only what was stopped under way counts as cancelled."""
    left: list[str] = []

    async def work(emit: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.append("stored")

    async def nothing(emit: Any) -> None: ...

    async def no_store() -> Any:
        raise AssertionError("a run without a key needs none to start")

    runs = Runs(no_store, lambda: 0.0)
    live = await runs.start(RunStart(run="r", caller="c", created=0, work=work, is_detached=True))
    over = await runs.start(RunStart(run="o", caller="c", created=0, work=nothing, is_detached=True))
    assert isinstance(live, LiveRun) and isinstance(over, LiveRun)
    await over.ended()
    assert runs.cancel("other", "r") is None and runs.cancel("c", "unknown") is None
    assert runs.cancel("c", "o") is over and not over.is_cancelled
    assert runs.cancel("c", "r") is live
    await live.ended()
    assert live.is_over and live.is_cancelled and left == ["stored"]
    await runs.close()


async def test_runs_that_are_over_are_kept_within_a_bound(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(runs, "MAX_KEPT_SIZE", 3000)
    detach = ("x-clawgate-disconnect", "detach")
    async with serving_agents(tmp_path, says("x" * 1000)) as stand:
        first, second = [await stand.ask(user("hi", stream=True), detach) for _ in range(2)]
        await stand.ask(user("hi"))
        resumed = []
        for response in (first, second):
            run = response.header("x-clawgate-run")
            resumed.append(
                (await stand.ask(user("hi", stream=True), detach, ("last-event-id", f"{run}-1"))).status
            )
    assert resumed == [404, 200]


async def test_what_a_run_that_is_over_keeps_of_its_request_is_counted_or_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "MAX_KEPT_SIZE", 100)

    async def no_store() -> Any:
        raise AssertionError("a run without a key needs none to start")

    async def work(emit: Any) -> None: ...

    def response() -> Any:
        raise AssertionError("it is not shown")

    kept = Runs(no_store, lambda: 0.0)
    for name in "abc":
        start = RunStart(run=name, caller="c", created=0, work=work, is_detached=True)
        live = await kept.start(replace(start, encoder=object, encoder_size=60, response=response))
        assert isinstance(live, LiveRun) and live.response is response
        await live.ended()
        assert live.response is None
    assert [kept.find("c", name) is None for name in "abc"] == [True, True, False]
    await kept.close()
