"""Nothing that one caller sends is ever shown to another: not in a response, a session, an error or a log line."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
from pathlib import Path

import pytest

from tests.agents.agent_stand import BEHIND_PROXY, AgentStand, says, serving_agents, user
from tests.agents.model_stand import chunk_of
from tests.agents.test_resumed_streams import DETACH, last_id
from tests.peers import faults
from tests.peers.connection import Request
from tests.peers.response import Response
from tests.peers.script import Script
from tests.routing.gateway_server import CLIENT_TOKEN

CALLERS = 200
AT_ONCE = 25
CANARY = re.compile(r"canary-(\d+)-")
Headers = tuple[tuple[str, str], ...]


def repeats(request: Request) -> Script:
    """A model that says all that it was sent; it fails, with that in its error, where its prompt says so."""
    text = request.body.decode()
    if "fails at once" in text:
        return faults.error_response(500, json.dumps(text))
    if "fails later" in text:
        return faults.sse_response([chunk_of({"content": text})])
    return says(text[: len(text) // 2], text[len(text) // 2 :])


def shown(response: Response) -> set[str]:
    """The numbers of the callers whose canaries a response has, in its head or its body."""
    assert response.head is not None
    return set(CANARY.findall(repr(response.head) + response.body.decode()))


async def converse(stand: AgentStand, number: int, who: Headers, token: str | None, **more: object) -> None:
    """Make requests of every kind; every canary that comes back has to be this caller's own."""
    chance = random.Random(number)
    seen: set[str] = set()

    def said(text: str, **fields: object) -> bytes:
        return user(f"canary-{number}-{chance.random()} {text}", **more, **fields)

    async def ask(body: bytes, *headers: tuple[str, str]) -> Response:
        response = await stand.gateway.ask(body, *who, *headers, token=token)
        seen.update(shown(response))
        return response

    # The names of keys are the same for all.
    key = ("idempotency-key", "k" if token is None else f"k{number}")
    first = said("hi")
    assert (await ask(first, key)).status == 200
    assert (await ask(first, key)).header("x-clawgate-repeated") == "true"
    assert (await ask(said("another body"), key)).status == 409
    assert (await ask(said("fails at once"))).status >= 500
    await ask(said("fails later", stream=True))
    assert (await ask(said("bad", temperature=f"canary-{number}-"))).status == 400
    assert (
        await ask(said("bad", model=f"canary-{number}-/m"), ("x-openclaw-model", f"canary-{number}-/x"))
    ).status >= 400
    body = said("hi again", stream=True)
    stream = await ask(body, DETACH)
    again = await ask(body, DETACH, ("last-event-id", last_id(stream.body).rpartition("-")[0] + "-0"))
    assert stream.body == again.body
    async with await stand.client() as client:
        await stand.gateway.send(client, said("leaves", stream=True), *who, token=token)
        await client.response_so_far()
        client.reset()
    last = await ask(said("the last"))
    assert last.status == 200 and f"canary-{number}-" in last.body.decode()
    assert seen == {str(number)}


@pytest.mark.slow
@pytest.mark.parametrize("by", ["user of a proxy", "user field", "session key"])
async def test_no_caller_sees_a_canary_of_another(
    tmp_path: Path, by: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Users of a proxy have the same names of sessions and keys; the others share their token."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def caller(number: int) -> None:
        async with slots:
            match by:
                case "user of a proxy":
                    who: Headers = (("x-user", f"u{number}"), ("x-openclaw-session-key", "s"))
                    await converse(stand, number, who, None)
                case "user field":
                    await converse(stand, number, (), CLIENT_TOKEN, user=f"u{number}")
                case _:
                    await converse(stand, number, (("x-openclaw-session-key", f"s{number}"),), CLIENT_TOKEN)

    config = {"gateway": BEHIND_PROXY} if by == "user of a proxy" else {}
    with caplog.at_level(logging.DEBUG):
        async with serving_agents(tmp_path, repeats, config=config) as stand, asyncio.TaskGroup() as tasks:
            for number in range(CALLERS):
                tasks.create_task(caller(number))
        async with stand.store() as store:
            found = await store.sessions(limit=10 * CALLERS)
            assert len(found) == CALLERS
            for one in found:
                session = await store.session(one.caller, one.key)
                assert session is not None
                canaries = set(CANARY.findall(json.dumps([turn.message for turn in session.turns])))
                assert len(canaries) == 1
    for record in caplog.records:  # the names that a caller sent may be repeated
        assert len(set(CANARY.findall(record.getMessage()))) <= 1
