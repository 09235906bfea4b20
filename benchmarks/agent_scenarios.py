"""What does an agent add to a request for its model, and to each token, and does its gateway stay as small as it was?

The same gateway serves both, *model* by the provider and *agent* by an agent of it, in turns, as two contenders. With
PostgreSQL, if there is one to start, a second gateway takes its turns beside them.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.contenders import Contender
from benchmarks.process_clock import memory_kb
from benchmarks.results import Results
from benchmarks.stage import Live, Stage
from benchmarks.started import Failed
from benchmarks.translators import our_agents

TURN = "agent turn c="
CONNECTIONS = (1, 32)
TOKENS = "agent tokens"
SILENCE = "agent silence"
SOAK = "agent soak"
AGENTS = ["model", "agent", "session", "postgres", "pg session"]
"""*session*: with ten turns of each session, so that the mean history is of ten messages."""
KEEPALIVE_MS = 10_000.0
"""What the gateway promises; it looks once a second."""


class AgentScenarios:
    """``amounts`` are `Amounts`; ``attempt`` records what a step measured, or why it could not."""

    def __init__(
        self,
        stage: Stage,
        gateway: Contender,
        amounts: Any,
        results: Results,
        attempt: Callable[[str, str, Callable[[], dict[str, float]]], None],
        say: Callable[[str], None],
    ) -> None:
        self.stage = stage
        self.gateway = gateway
        self.amounts = amounts
        self.results = results
        self.attempt = attempt
        self.say = say
        self.sessions = 0

    def run(self) -> None:
        with contextlib.ExitStack() as stack:
            try:
                agents = stack.enter_context(self.stage.running(self._contender("agents", "")))
            except Failed as failure:
                self.results.fail("agents", "agent", str(failure))
                return
            lives = {
                "model": replace(agents, name="model", role="model"),
                "agent": replace(agents, name="agent"),
                "session": replace(agents, name="session"),
            }
            if (url := stack.enter_context(_postgres())) is not None:
                with contextlib.suppress(Failed):
                    shared = stack.enter_context(self.stage.running(self._contender("postgres", url)))
                    lives |= {
                        "postgres": replace(shared, name="postgres"),
                        "pg session": replace(shared, name="pg session"),
                    }
            self._turns(lives)
            self._tokens(lives)
            self.attempt(SILENCE, "agent", partial(self._silence, lives["agent"]))
            self._soak(lives["session"])

    def _contender(self, name: str, database: str) -> Contender:
        return replace(
            self.gateway,
            name=name,
            role="agent",
            launch=lambda place: our_agents(self.gateway.program, place, database),
        )

    def _turns(self, lives: dict[str, Live]) -> None:
        for live in lives.values():
            self.attempt(f"{TURN}{CONNECTIONS[-1]}", live.name, partial(self._warm, live))
        for round_number in range(1, self.amounts.rounds + 1):
            self.say(f"agent turns, round {round_number} of {self.amounts.rounds}")
            for connections in CONNECTIONS:
                for live in lives.values():
                    step = partial(
                        self._turn, live, connections, self.amounts.turns, 3 * self.amounts.seconds
                    )
                    self.attempt(f"{TURN}{connections}", live.name, step)

    def _warm(self, live: Live) -> dict[str, float]:
        self._turn(live, 8, self.amounts.warmup, 20)
        return {}

    def _turn(self, live: Live, connections: int, count: int, seconds: float) -> dict[str, float]:
        self.sessions += 1
        order = {
            "kind": "turns",
            "body_size": 1024,
            "connections": connections,
            "warmup": 2 * connections,
            "count": count,
            "seconds": seconds,
            "sessions": f"bench-{self.sessions}" if live.name.endswith("session") else "",
        }
        measured: dict[str, float] = self.stage.load(live, order, 60)
        return measured | {"rss_mb": memory_kb(live.pids())[0] / 1024}

    def _tokens(self, lives: dict[str, Live]) -> None:
        order = {"kind": "streams", "streams": self.amounts.agent_streams}
        for round_number in range(1, self.amounts.stream_rounds + 1):
            self.say(f"agent tokens, round {round_number} of {self.amounts.stream_rounds}")
            for name in ("model", "agent"):
                self.attempt(TOKENS, name, partial(self.stage.load, lives[name], order, 60))

    def _silence(self, live: Live) -> dict[str, float]:
        self.say("agent silence")
        seconds = self.amounts.silent_seconds
        order = {"kind": "silence", "streams": self.amounts.silent_streams, "seconds": seconds}
        return self.stage.load(live, order, seconds + 60)

    def _soak(self, live: Live) -> None:
        """Resident memory and open descriptors between loads, while nothing is open."""
        until = time.monotonic() + self.amounts.soak_seconds
        number = 0
        while time.monotonic() < until and not self.results.failed(SOAK, live.name):
            number += 1
            self.say(f"agent soak, {max(0.0, until - time.monotonic()):.0f} s left")
            self.attempt(SOAK, live.name, partial(self._soaked, live))

    def _soaked(self, live: Live) -> dict[str, float]:
        measured = self._turn(live, 32, 1_000_000, 5)
        time.sleep(0.5)
        return {
            "turns": measured["count"],
            "rss_mb": memory_kb(live.pids())[0] / 1024,
            "descriptors": sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in live.pids()),
        }


@contextlib.contextmanager
def _postgres() -> Iterator[str | None]:
    """Start a PostgreSQL as the tests do, but one that waits for its disk; None where there is none."""
    try:
        from tests.state.postgres_server import PostgresServer, programs
    except ImportError:
        yield None
        return
    if programs() is None:
        yield None
        return
    server = PostgresServer(on_disk=True)
    try:
        yield server.new_database()
    finally:
        server.close()
