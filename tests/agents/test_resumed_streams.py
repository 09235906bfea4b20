"""A stream that is cut anywhere and resumed is the stream that was not cut: every event once, in its order."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

from tests.agents.agent_stand import BEHIND_PROXY, AgentStand, serving_agents, user
from tests.agents.model_stand import DONE, chunk_of, usage_of
from tests.peers.connection import Request
from tests.peers.faults import SSE_FIELDS, chunk, head, sse_response
from tests.peers.response import Response
from tests.peers.script import ReadBody, Script, Send, Wait

CUTS = 200
PIECES = 12
DETACH = ("x-clawgate-disconnect", "detach")


def speaks(request: Request) -> Script:
    """A model that says its prompt and some words, with pauses."""
    text = json.loads(request.body)["messages"][-1]["content"]
    frames = [chunk_of({"content": f"{text} {number}\n\n"}) for number in range(PIECES)]
    steps: list[Any] = [ReadBody(), Send(head(200, [*SSE_FIELDS, ("Transfer-Encoding", "chunked")]))]
    for frame in [*frames, chunk_of(reason="stop"), usage_of(3, 2), DONE]:
        steps += [Wait(0.002), Send(chunk(frame))]
    return *steps, Send(b"0\r\n\r\n")


def text_of(name: str) -> str:
    return "".join(f"{name} {number}\n\n" for number in range(PIECES))


def last_id(events: bytes) -> str:
    """The id of the last one, empty without any."""
    return next((line[4:].decode() for line in reversed(events.split(b"\n")) if line[:4] == b"id: "), "")


def complete(stream: bytes) -> bytes:
    """What a client keeps of a stream that was cut: the events that are complete."""
    return stream[: stream.rfind(b"\n\n") + 2] if b"\n\n" in stream else b""


def check(stream: bytes, name: str) -> None:
    """It has each event once, with the number of its place, and says the whole text."""
    *events, done = [event.split(b"\n") for event in stream.split(b"\n\n")[:-1]]
    assert done[1] == b"data: [DONE]"
    run = events[0][0].rpartition(b"-")[0]
    assert [event[0] for event in [*events, done]] == [
        b"%b-%d" % (run, n + 1) for n in range(len(events) + 1)
    ]
    deltas = [json.loads(event[1][6:])["choices"][0]["delta"] for event in events]
    assert deltas[0] == {"role": "assistant"}
    assert "".join(delta.get("content", "") for delta in deltas) == text_of(name)


async def cut_stream(stand: AgentStand, body: bytes, cut: int, *headers: tuple[str, str]) -> bytes:
    """Return the complete events of the first ``cut`` bytes, behind which the client resets its connection."""

    def enough(response: Response) -> bool:
        return len(response.body + response.partial) >= cut

    async with await stand.client() as client:
        await stand.gateway.send(client, body, *headers)
        response = await client.response_so_far(enough)
        if not response.complete:
            client.reset()
    assert response.status == 200, response.body
    return complete((response.body + response.partial)[:cut])


async def test_a_detached_run_that_is_cut_anywhere_is_resumed_without_a_gap(tmp_path: Path) -> None:
    """And who follows it beside the first client sees all of it too."""
    chance = random.Random(CUTS)
    async with serving_agents(tmp_path, speaks) as stand:

        async def cut(number: int) -> None:
            body = user(f"n{number}", stream=True)
            stream = await cut_stream(stand, body, chance.randint(330, 3000), DETACH)
            run = last_id(stream).rpartition("-")[0]
            whole = asyncio.create_task(stand.ask(body, DETACH, ("last-event-id", f"{run}-0")))
            last = ("last-event-id", last_id(stream))
            stream += await cut_stream(stand, body, chance.randint(1, 2000), DETACH, last)
            last = ("last-event-id", last_id(stream))
            stream += (await stand.ask(body, DETACH, last)).body
            assert (await whole).body == stream
            check(stream, f"n{number}")

        for start in range(0, CUTS, 10):
            await asyncio.gather(*(cut(number) for number in range(start, start + 10)))
        assert len(stand.model.requests) == CUTS


async def test_a_run_with_a_key_is_resumed_by_it_also_after_its_end_and_after_a_restart(
    tmp_path: Path,
) -> None:
    chance = random.Random(CUTS)
    headers = {f"k{number}": (DETACH, ("idempotency-key", f"k{number}")) for number in range(20)}
    async with serving_agents(tmp_path, speaks) as stand:
        parts = {}
        for name, lines in headers.items():
            body = user(name, stream=True)
            parts[name] = await cut_stream(stand, body, chance.randint(1, 3000), *lines)
            whole = await stand.ask(body, *lines)  # no event is named: the stream from its begin
            check(whole.body, name)
            assert whole.body.startswith(parts[name])
            await rest(stand, name, parts[name], *lines)
        calls = len(stand.model.requests)
    assert calls == len(headers)
    async with serving_agents(tmp_path, speaks) as stand:
        for name, lines in headers.items():
            await rest(stand, name, parts[name], *lines)
        assert not stand.model.requests


async def rest(stand: AgentStand, name: str, part: bytes, *headers: tuple[str, str]) -> None:
    last = [("last-event-id", last_id(part))] if part else []
    response = await stand.ask(user(name, stream=True), *headers, *last)
    check(part + response.body, name)


async def test_a_run_is_resumed_by_its_own_caller_alone(tmp_path: Path) -> None:
    """Whether or not there is a run of that id."""
    ann, ben = ("x-user", "ann"), ("x-user", "ben")
    body = user("hi", stream=True)
    config = {"gateway": BEHIND_PROXY}
    async with serving_agents(tmp_path, speaks, config=config) as stand:
        response = await stand.ask(body, DETACH, ann, token=None)
        event = last_id(response.body)
        refusals = [
            await stand.ask(body, DETACH, ben, ("last-event-id", one), token=None)
            for one in (f"{event.rpartition('-')[0]}-1", f"{'0' * 32}-1")
        ]
        mine = await stand.ask(body, DETACH, ann, ("last-event-id", event), token=None)
        assert len(stand.model.requests) == 1
    assert [(one.status, one.json()["error"]["code"]) for one in refusals] == [(404, "run_not_found")] * 2
    shapes = {one.json()["error"]["message"].replace(event.rpartition("-")[0], "0" * 32) for one in refusals}
    assert len(shapes) == 1, "the id of another caller's run cannot be found out"
    assert (mine.status, mine.body) == (200, b"")


async def test_a_response_of_an_error_event_can_be_resumed_to_it(tmp_path: Path) -> None:
    async with serving_agents(tmp_path, sse_response([chunk_of({"content": "half"})])) as stand:
        failed = await stand.ask(user("hi", stream=True), DETACH)
        run = last_id(failed.body).rpartition("-")[0]
        again = await stand.ask(user("hi", stream=True), DETACH, ("last-event-id", f"{run}-1"))
    assert b"upstream_closed" in again.body and failed.body.endswith(again.body)
