"""A gateway with agents as a real process, and clients that keep a ledger of what it has acknowledged.

The model is in this process: it sees which runs are under way, and may end a stream in pieces at any speed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.agents.model_stand import DONE, chunk_of, usage_of
from tests.e2e.processes import Process, environment, started
from tests.e2e.stand import PATIENCE
from tests.peers import faults
from tests.peers.client import RawClient
from tests.peers.connection import Request
from tests.peers.faults import SSE_FIELDS, chunk, head
from tests.peers.response import Response
from tests.peers.script import ReadBody, Script, Send, SetEvent, Wait
from tests.routing.gateway_server import CHAT, CLIENT_TOKEN, write


@contextlib.asynccontextmanager
async def gateway_process(folder: Path, config: dict[str, Any], **env: str) -> AsyncIterator[Process]:
    """Start a gateway while this loop runs on; it is killed at the end if it is still there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = write(folder / "my.json", config)
    command = [sys.executable, "-m", "clawgate", "gateway", "run", "--config", str(path), "--port", "0"]
    running = started(command, folder / "out", environment(folder, **env))
    process = await asyncio.to_thread(running.__enter__)
    try:
        yield process
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


def database_of(folder: Path) -> Path:
    """Where the gateway of `gateway_process` keeps its state."""
    return folder / "home" / ".openclaw" / "clawgate" / "state.db"


class Model:
    """Repeats what the last message says, in pieces, with pauses; ``overlaps`` are runs of one session at a time.

    A message is ``<session> <anything>``. A run whose connection ended, as of a gateway that was killed, is over.
    """

    def __init__(self, chance: random.Random, *, pause: float = 0.004) -> None:
        self.overlaps: list[str] = []
        self.calls: list[str] = []
        self._chance = chance
        self._pause = pause
        self._current: dict[str, Request] = {}

    def __call__(self, request: Request) -> Script:
        text = str(json.loads(request.body)["messages"][-1]["content"])
        session = text.partition(" ")[0]
        self.calls.append(text)
        self._current[session] = request
        frames = [chunk_of({"role": "assistant", "content": ""})]
        frames += [chunk_of({"content": piece}) for piece in _pieces(text)]
        frames += [chunk_of(reason="stop"), usage_of(3, 2), DONE]
        script: list[Any] = [ReadBody(), Send(head(200, [*SSE_FIELDS, ("Transfer-Encoding", "chunked")]))]
        for frame in frames[:-1]:
            script += [Wait(self._chance.uniform(0, self._pause)), Send(chunk(frame))]
        # A gateway that has the last frame may let the next run begin before this script takes its next step.
        ended = SetEvent(_Signal(lambda: self._ended(session, request)))
        return *script, ended, Send(chunk(frames[-1]) + faults.LAST_CHUNK)

    def _ended(self, session: str, request: Request) -> None:
        """Another run that began before this one's end was one too many."""
        if self._current[session] is not request:
            self.overlaps.append(session)


def _pieces(text: str) -> list[str]:
    return [text[start : start + 3] for start in range(0, len(text), 3)]


class _Signal(asyncio.Event):
    def __init__(self, on_set: Callable[[], None]) -> None:
        super().__init__()
        self._on_set = on_set

    def set(self) -> None:
        self._on_set()
        super().set()


@dataclass(slots=True)
class Load:
    """Clients of sessions. ``url_of`` returns where the client of a number sends its next request, if anywhere."""

    url_of: Callable[[int, int], str | None]
    sessions: int
    stopped: bool = False
    sent: dict[str, set[str]] = field(default_factory=dict)
    acknowledged: dict[str, set[str]] = field(default_factory=dict)
    refused: list[Response] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(map(len, self.acknowledged.values()))

    async def client(self, number: int) -> None:
        """Send turns of one session until the load is stopped, every other one streamed.

        Every other client repeats, by its key, what was cut, until it is acknowledged.
        """
        session, turn = f"s{number % self.sessions}", 0
        while not self.stopped:
            turn += 1
            text, key = f"{session} c{number} t{turn} .", f"c{number}-t{turn}" if number % 2 else ""
            tries, done = 0, False
            while not done and not self.stopped:
                url = self.url_of(number, turn + tries)
                if url is None:
                    await asyncio.sleep(0.005)
                    continue
                tries += 1
                with contextlib.suppress(ConnectionError):
                    done = await self._turn(url, session, text, key, stream=bool(turn // 2 % 2))
                done = done or not key

    async def _turn(self, url: str, session: str, text: str, key: str, *, stream: bool) -> bool:
        """Return whether the turn was acknowledged, or refused."""
        self.sent.setdefault(session, set()).add(text)
        headers = [("x-openclaw-session-key", session), *([("idempotency-key", key)] if key else [])]
        async with await RawClient.open(url, limit=PATIENCE) as client:
            await client.request(CHAT, said(text, stream=stream), fields=(*WHO, *headers))
            response = await client.response()
        if is_acknowledged(response, text, stream=stream):
            self.acknowledged.setdefault(session, set()).add(text)
            return True
        if response.complete:
            self.refused.append(response)
        return response.complete


WHO = (("Authorization", f"Bearer {CLIENT_TOKEN}"),)


def said(text: str, **more: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}], **more}).encode()


def is_acknowledged(response: Response, text: str, *, stream: bool) -> bool:
    """Whether the client knows that its turn is over: it has the whole body, or the finish chunk."""
    if response.status != 200 or not (stream or response.complete):
        return False
    if not stream:
        assert response.json()["choices"][0]["message"]["content"] == text
        return True
    choices = [json.loads(event)["choices"] for event in response.events() if event.startswith('{"id"')]
    said = "".join(one[0]["delta"].get("content") or "" for one in choices if one)
    finished = any(one and one[0]["finish_reason"] for one in choices)
    assert not finished or said == text
    return finished
