"""Whatever a client sends: each frame with an id gets a response with it, no defect shows, and no secret is shown.

``CLAWGATE_FUZZ_EXAMPLES`` sets the number of frames.
"""

from __future__ import annotations

import json
import logging
import os
import random
from pathlib import Path
from typing import Any

import pytest

from clawgate.control.websocket.methods.table import METHODS
from tests.agents.agent_stand import serving_agents
from tests.control.websocket.socket_stand import SocketClient, connected, opened, params
from tests.routing.gateway_server import CLIENT_TOKEN, KEY

FRAMES = int(os.environ.get("CLAWGATE_FUZZ_EXAMPLES", "400"))
TEXTS = [
    "agent:main:main",
    "main",
    "agent:nope:x",
    "",
    "a\0b",
    "\ud83d",
    "x" * 2000,
    CLIENT_TOKEN,
    "k1",
    "/new",
    "../x",
]
VALUES: list[Any] = [None, True, 0, -1, 1, 2**70, 1.5, [], {}, [{}], {"a": []}, ["main"], *TEXTS]
NAMES = [
    "key", "keys", "sessionKey", "message", "idempotencyKey", "agentId", "limit", "offset", "model", "runId", "search",
    "attachments", "sessionId", "thinking", "maxChars", "cursor", "reason", "view", "zz",
]  # fmt: skip
WAITS = {"agent.wait"}


def frame(chance: random.Random, number: int) -> str:
    """A request, mostly of a method there is, or what once was one."""
    given = {name: chance.choice(VALUES) for name in chance.sample(NAMES, chance.randint(0, 5))}
    method = chance.choice([*sorted(METHODS.keys() - WAITS), "nope", "connect", ""])
    made: Any = {"type": "req", "id": f"f{number}", "method": method, "params": given}
    match chance.randint(0, 9):
        case 0:
            made = chance.choice(VALUES)
        case 1:
            made[chance.choice(["type", "id", "method", "params", "extra"])] = chance.choice(VALUES)
        case 2:
            made.pop(chance.choice(list(made)))
    text = json.dumps(made)
    if chance.random() < 0.1:
        place = chance.randrange(len(text))
        text = text[:place] + chance.choice(["", "{", '"', ",", "\\", "\u2028"]) + text[place + 1 :]
    return text


def id_of(text: str) -> str | None:
    """The id that a response has to have; None where there is none in it."""
    try:
        made = json.loads(text)
    except ValueError:
        return None
    given = made.get("id") if isinstance(made, dict) else None
    is_whole = isinstance(given, str) and given and given.isprintable()
    return str(given) if is_whole else None


async def settled(client: SocketClient, wanted: list[str]) -> dict[str, list[Any]]:
    """Every response, once each of ``wanted`` is there."""
    found: dict[str, list[Any]] = {}
    while missing := [one for one in wanted if one not in found]:
        got = await client.receive()
        if got["type"] == "res":
            found.setdefault(got["id"], []).append(got)
        assert missing
    return found


@pytest.mark.parametrize("seed", range(2))
async def test_no_frame_breaks_a_connection_or_shows_a_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    chance = random.Random(seed)  # no secret is made of it
    with caplog.at_level(logging.WARNING):
        async with serving_agents(tmp_path) as stand, connected(stand.gateway.url) as client:
            for start in range(0, FRAMES, 20):
                texts = [frame(chance, number) for number in range(start, min(start + 20, FRAMES))]
                for text in texts:
                    await client.wire.send(text)
                last = await client.begin("health")
                found = await settled(client, [*filter(None, map(id_of, texts)), last])
                assert all(one["id"] for responses in found.values() for one in responses)
            sent = json.dumps(client.frames)
    assert "INTERNAL_ERROR" not in sent and "unforeseen" not in caplog.text
    assert KEY not in sent and KEY not in caplog.text and CLIENT_TOKEN not in caplog.text


@pytest.mark.parametrize("seed", range(40))
async def test_no_first_frame_opens_without_the_token(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # no secret is made of it
    given = params(token=None)
    given[chance.choice([*given, "auth", "device", "zz"])] = chance.choice(VALUES)
    body = {"type": "req", "id": "1", "method": "connect", "params": given}
    async with serving_agents(tmp_path) as stand, opened(stand.gateway.url) as client:
        await client.wire.send(json.dumps(body))
        code, _ = await client.closed()
        assert code in (1002, 1008)
        assert len(stand.gateway.role.sockets.clients) == 0
