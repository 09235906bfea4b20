"""Responses that are held in memory count against the same bound as requests, in whatever form they are held."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clawgate.relay.exchange.body_budget import BodyBufferBudget
from tests.e2e.stand import until
from tests.peers.faults import LAST_CHUNK, SSE_FIELDS, chunk, head
from tests.peers.script import ReadBody, Send, Step, Wait
from tests.peers.upstream import FakeUpstream
from tests.routing.gateway_server import (
    CHAT,
    MESSAGES,
    config_of,
    provider,
    question,
    serving_gateway,
)
from tests.wire.exchanges import sse

LONG = "x" * 150_000
LIMIT = 250_000
"""Room for one of the responses and not for two."""


def chat_chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
    return sse({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})


def call(index: int, arguments: str) -> dict[str, Any]:
    function = {"name": "clock", "arguments": arguments}
    return {"tool_calls": [{"index": index, "id": f"call_{index}", "type": "function", "function": function}]}


ANSWER = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": LONG}, "finish_reason": "stop"}]
}
END = chat_chunk({}, "stop") + b"data: [DONE]\n\n"
JSON_FIELDS = (("Content-Type", "application/json"),)

HELD: dict[str, tuple[str, bool, bool, bytes, bytes]] = {
    "a complete body": (MESSAGES, False, False, json.dumps(ANSWER).encode()[:-9], json.dumps(ANSWER).encode()[-9:]),
    "an event": (CHAT, True, True, chat_chunk({"content": LONG})[:-9], chat_chunk({"content": LONG})[-9:] + END),
    "an event to translate": (
        MESSAGES, True, True, chat_chunk({"content": LONG})[:-9], chat_chunk({"content": LONG})[-9:] + END),
    "a stream that is made one response": (CHAT, False, True, chat_chunk({"content": LONG}), END),
    "a call behind the open one": (
        MESSAGES, True, True, chat_chunk(call(0, "{}")) + chat_chunk(call(1, '{"a":"' + LONG)),
        chat_chunk({"tool_calls": [{"index": 1, "function": {"arguments": '"}'}}]}) + END),
}  # fmt: skip
"""By what is held: the client's path, whether it streams, whether the upstream does, and two parts of its body."""


@pytest.mark.parametrize("name", HELD)
async def test_a_response_beyond_the_bound_is_refused_and_frees_its_memory(name: str, tmp_path: Path) -> None:
    path, streams, events, begin, rest = HELD[name]
    goes_on = asyncio.Event()
    start = head(200, [*(SSE_FIELDS if events else JSON_FIELDS), ("Transfer-Encoding", "chunked")])
    steps: tuple[Step, ...] = (
        ReadBody(), Send(start + chunk(begin)), Wait(goes_on), Send(chunk(rest) + LAST_CHUNK),
    )  # fmt: skip
    async with (
        FakeUpstream(steps, steps, steps) as upstream,
        serving_gateway(tmp_path, config_of({"p": provider(upstream.url)})) as stand,
    ):
        connections = stand.role.connections
        budget = BodyBufferBudget(LIMIT, 0, connections.now)
        connections.context = replace(connections.context, body_budget=budget)
        async with await stand.client() as first, await stand.client() as second:
            await stand.send(first, question("p/m", stream=streams), target=path)
            await until(lambda: budget.used >= len(LONG), "the response to be held")
            await stand.send(second, question("p/m", stream=streams), target=path)
            refused = await second.response()
            assert b"overloaded" in refused.body + refused.partial
            assert refused.status == 503 or not refused.complete
            await until(lambda: len(LONG) <= budget.used < LIMIT, "the memory of the refused one to be free")
            goes_on.set()
            found = await first.response()
            assert (found.status, found.complete) == (200, True) and LONG.encode() in found.body
        await until(lambda: budget.used == 0, "all memory to be free")
        assert (await stand.ask(question("p/m", stream=streams), target=path)).status == 200
