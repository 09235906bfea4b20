"""What is asked of every contender, in which order, how often, and when is an answer not counted?

Rounds are interleaved (A, B, C, then again), because a shared machine has moods that last for seconds. A
contender that fails in a scenario has no numbers there.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from benchmarks.agent_scenarios import AgentScenarios
from benchmarks.contenders import Contender
from benchmarks.payloads import Plan
from benchmarks.process_clock import memory_kb
from benchmarks.results import Results
from benchmarks.roles import OF_RESPONSES, Role
from benchmarks.stage import Live, Stage
from benchmarks.started import Failed


@dataclass(frozen=True)
class Amounts:
    """How much of everything; the JSON result carries these."""

    rounds: int = 9
    requests: int = 4000  # per round and cell, or as many as fit into ...
    seconds: float = 0.8
    warmup: int = 600
    streams: int = 200
    stream_rounds: int = 5
    translated_streams: int = 100  # so many that our gateway stays well below the whole of its core, and ...
    light_streams: int = 5  # ... a rival of whom more would ask for more than a core
    idle_streams: int = 1000
    memory_rounds: int = 3
    starts: int = 5
    cancels: int = 20
    turns: int = 1500
    agent_streams: int = 50
    silent_streams: int = 500
    silent_seconds: float = 35.0
    soak_seconds: float = 150.0
    settling: float = 1.0  # seconds before streams are weighed, or what is open counts as never closed


QUICK = Amounts(
    rounds=1,
    warmup=200,
    requests=1500,
    seconds=0.4,
    stream_rounds=1,
    idle_streams=300,
    memory_rounds=1,
    starts=1,
    cancels=5,
    settling=0.3,
    turns=300,
    silent_streams=100,
    silent_seconds=13.0,
    soak_seconds=12.0,
)

CELLS = [("1 kB", 1024, 1), ("1 kB", 1024, 32), ("50 kB", 50 * 1024, 1), ("50 kB", 50 * 1024, 32)]
LEAVING: dict[str, Plan] = {"before headers": "hold", "before first token": "head", "mid-stream": "stream"}
TRANSLATED: dict[str, tuple[Role, Role]] = {
    "translated to chat": ("to-chat", "direct-messages"),
    "translated to messages": ("to-messages", "direct-chat"),
    "responses translated to chat": ("responses-to-chat", "direct-responses"),
    "responses translated to messages": ("responses-to-messages", "direct-responses"),
    "chat translated to responses": ("chat-to-responses", "direct-chat"),
    "messages translated to responses": ("messages-to-responses", "direct-messages"),
}
"""The roles of who translates, and of the floor: the same client's dialect without anybody in between."""
LIGHT = ", few streams"
"""Ends the name of such a scenario where the load is what a slow translator can carry, the same for all."""
STREAMS = "streams"
MEMORY = "memory"
START = "start"


def requests_name(size: str, connections: int) -> str:
    return f"requests {size} c={connections}"


class Scenarios:
    """Each public method is one scenario of `--only`."""

    def __init__(
        self, stage: Stage, contenders: Sequence[Contender], amounts: Amounts, results: Results
    ) -> None:
        self.stage = stage
        self.contenders = [one for one in contenders if one.relays]
        self.translators = [one for one in contenders if one.translates]
        self.amounts = amounts
        self.results = results

    def requests(self) -> None:
        with contextlib.ExitStack() as stack:
            lives = [self.stage.direct(), *self._all_running(stack)]
            for round_number in range(1, self.amounts.rounds + 1):
                _say(f"requests, round {round_number} of {self.amounts.rounds}")
                for size, body_size, connections in CELLS:
                    for live in lives:
                        step = self._request_step(live, body_size, connections)
                        self._attempt(requests_name(size, connections), live.name, step)

    def _request_step(self, live: Live, body_size: int, connections: int) -> Callable[[], dict[str, float]]:
        order = {
            "kind": "requests",
            "body_size": body_size,
            "connections": connections,
            "warmup": max(self.amounts.warmup, connections),
            "count": self.amounts.requests,
            "seconds": self.amounts.seconds,
        }
        return partial(self._loaded, live, order)

    def _loaded(self, live: Live, order: dict[str, Any]) -> dict[str, float]:
        measured: dict[str, float] = self.stage.load(live, order, 60)
        if live.started:
            measured["rss_mb"] = memory_kb(live.pids())[0] / 1024
        return measured

    def streams(self) -> None:
        order = {"kind": "streams", "streams": self.amounts.streams}
        with contextlib.ExitStack() as stack:
            lives = [self.stage.direct(), *self._all_running(stack)]
            for round_number in range(1, self.amounts.stream_rounds + 1):
                _say(f"streams, round {round_number} of {self.amounts.stream_rounds}")
                for live in lives:
                    self._attempt(STREAMS, live.name, partial(self._loaded, live, order))

    def translated(self) -> None:
        """All that there are with few streams, if some can carry no more; the others with many."""
        amounts = self.amounts
        slow = {one.name for one in self.translators if one.slow}
        loads = [("", amounts.translated_streams)] + [(LIGHT, amounts.light_streams)] * bool(slow)
        with contextlib.ExitStack() as stack:
            steps: list[tuple[str, str, Callable[[], dict[str, float]]]] = []
            running = [live for one in self.translators if (live := self._translator(stack, one))]
            for direction, (role, floor) in TRANSLATED.items():
                for load, streams in loads:
                    order = {"kind": "streams", "streams": streams}
                    ours = (one for one in running if one.name == "gateway" or role not in OF_RESPONSES)
                    for live in (self.stage.direct(floor), *(replace(one, role=role) for one in ours)):
                        if load or live.name not in slow:
                            self._attempt(direction + load, live.name, partial(self._prepare, live))
                            steps.append((direction + load, live.name, partial(self._loaded, live, order)))
            for round_number in range(1, self.amounts.stream_rounds + 1):
                _say(f"translated, round {round_number} of {self.amounts.stream_rounds}")
                for scenario, name, step in steps:
                    self._attempt(scenario, name, step)

    def _translator(self, stack: contextlib.ExitStack, contender: Contender) -> Live | None:
        try:
            return stack.enter_context(self.stage.running(contender))
        except Failed as failure:
            for direction in TRANSLATED:
                self.results.fail(direction + LIGHT * contender.slow, contender.name, str(failure))
            return None

    def _prepare(self, live: Live) -> dict[str, float]:
        """The proof warms up as well: a whole stream, and each load has more before its window opens."""
        self.stage.prove(live)
        return {}

    def memory(self) -> None:
        for round_number in range(1, self.amounts.memory_rounds + 1):
            _say(f"memory, round {round_number} of {self.amounts.memory_rounds}")
            for contender in self.contenders:
                self._attempt(MEMORY, contender.name, partial(self._weigh, contender))

    def _weigh(self, contender: Contender) -> dict[str, float]:
        """A fresh process each time: memory given back once would be used again, unseen."""
        count = self.amounts.idle_streams
        with self.stage.running(contender) as live:
            self.stage.prove(live)
            self._warm(live, connections=8, count=400)
            time.sleep(0.5)
            before, _ = memory_kb(live.pids())
            order = {"kind": "hold", "streams": count, "settle": self.amounts.settling}
            with self.stage.loading(live, order, 60) as (generator, opened):
                if opened["holding"] != count:
                    raise Failed(f"only {opened['holding']} of {count} idle streams stayed open")
                after, _ = memory_kb(live.pids())
                generator.tell("weighed")
                generator.hear(10)
        return {
            "kb_per_stream": (after - before) / count,
            "before_mb": before / 1024,
            "open_mb": after / 1024,
        }

    def start(self) -> None:
        """Warm starts: the first of each is not counted, it reads files that later ones find cached."""
        for round_number in range(self.amounts.starts + 1):
            _say(f"start, round {round_number} of {self.amounts.starts}")
            for contender in self.contenders:
                self._attempt(START, contender.name, partial(self._start_once, contender, round_number > 0))

    def _start_once(self, contender: Contender, counts: bool) -> dict[str, float]:
        with self.stage.running(contender) as live:
            time.sleep(1.0)
            resident, proportional = memory_kb(live.pids())
            self.stage.prove(live)
            measured = {
                "listening_ms": live.listening_ns / 1e6,
                "start_cpu_ms": live.start_cpu_ns / 1e6,
                "idle_rss_mb": resident / 1024,
                "idle_pss_mb": proportional / 1024,
            }
            return measured if counts else {}

    def cancel(self) -> None:
        for contender in self.contenders:
            if self.results.failed("probe", contender.name):
                continue
            _say(f"cancel, {contender.name}")
            try:
                with self.stage.running(contender) as live:
                    self.stage.prove(live)
                    for phase, plan in LEAVING.items():
                        scenario = f"cancel {phase}"
                        self._attempt(scenario, live.name, partial(self._leave, live, plan))
            except Failed as failure:
                self.results.fail("cancel", contender.name, str(failure))

    def _leave(self, live: Live, plan: Plan) -> dict[str, float]:
        count = self.amounts.cancels
        order = {"kind": "cancel", "plan": plan, "count": count, "wait": 0.06}
        left: dict[str, int] = self.stage.load(live, order, 30)["left"]
        time.sleep(self.amounts.settling)
        seen = self.stage.seen_upstream(live)
        received, closed = seen["received"], seen["closed"]
        # on a busy machine a request may still be under way when its client leaves: that one says nothing
        upstream = [number for number in left if received.get(number, left[number]) < left[number]]
        if len(upstream) < count * 0.7:
            raise Failed(f"only {len(upstream)} of {count} requests were upstream when their clients left")
        delays = [(closed[number] - left[number]) / 1e6 for number in upstream if number in closed]
        measured: dict[str, float] = {"counted": len(upstream), "never": len(upstream) - len(delays)}
        if delays:
            measured |= {"median_ms": statistics.median(delays), "max_ms": max(delays)}
        return measured

    def agents(self) -> None:
        for contender in self.contenders:
            if contender.name == "gateway":
                AgentScenarios(self.stage, contender, self.amounts, self.results, self._attempt, _say).run()

    def _all_running(self, stack: contextlib.ExitStack) -> list[Live]:
        """All of them started, proven and warm; who is not, is out with a reason."""
        lives: list[Live] = []
        for contender in self.contenders:
            if self.results.failed("probe", contender.name):
                continue
            try:
                live = stack.enter_context(self.stage.running(contender))
                self.stage.prove(live)
                self._warm(live, connections=32, count=5 * self.amounts.warmup)
            except Failed as failure:
                self.results.fail("probe", contender.name, str(failure))
            else:
                lives.append(live)
        return lives

    def _warm(self, live: Live, connections: int, count: int) -> None:
        order = {"kind": "requests", "body_size": 1024, "connections": connections, "warmup": connections}
        self.stage.load(live, order | {"count": count, "seconds": 10}, 30)

    def _attempt(self, scenario: str, name: str, step: Callable[[], dict[str, float]]) -> None:
        if self.results.failed(scenario, name):
            return
        try:
            self.results.add(scenario, name, step())
        except Failed as failure:
            self.results.fail(scenario, name, str(failure))
            _say(f"  {name} failed in {scenario}: {failure}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
