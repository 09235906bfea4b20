"""Which promises about cost were kept in this run?

The targets are for our three roles; ratios are to a rival doing the same swap in the same run, and the gateway's,
which reads the body to find its way, to our own bridge. A target
without a measurement is neither reached nor missed, it says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.agent_scenarios import CONNECTIONS, SILENCE, SOAK, TOKENS, TURN
from benchmarks.egress_guard import GUARD, SHAPES
from benchmarks.results import Results
from benchmarks.scenarios import LEAVING, MEMORY, START, STREAMS, TRANSLATED, requests_name

_FOOTPRINTS = {"bridge": (600, 60), "server": (600, 60), "gateway": (800, 80)}
"""Milliseconds until it listens, megabytes while it idles."""


@dataclass(frozen=True)
class Verdict:
    what: str
    limit: float
    unit: str
    measured: float | None

    @property
    def word(self) -> str:
        if self.measured is None:
            return "not measured"
        return "reached" if self.measured <= self.limit else "MISSED"


def verdicts(results: Results) -> list[Verdict]:
    found = []
    for size in ("1 kB", "50 kB"):
        cell = requests_name(size, 32)
        for rival, limit in (("nginx", 1.5), ("node", 0.6)):
            ratio = results.ratio(cell, "bridge", rival, "cpu_us")
            found.append(Verdict(f"bridge: CPU per request, {size}, c=32", limit, f"x {rival}", ratio))
    per_chunk = results.ratio(STREAMS, "bridge", "nginx", "cpu_us")
    found.append(Verdict("bridge: CPU per chunk", 1.5, "x nginx", per_chunk))
    routed = results.ratio(requests_name("50 kB", 32), "gateway", "bridge", "cpu_us")
    found.append(Verdict("gateway: CPU per request, 50 kB, c=32", 4, "x bridge", routed))
    routed = results.ratio(requests_name("1 kB", 32), "gateway", "nginx", "cpu_us")
    found.append(Verdict("gateway: CPU per request, 1 kB, c=32", 2.5, "x nginx", routed))
    for scenario in TRANSLATED:
        per_chunk = results.median(scenario, "gateway", "cpu_us")
        found.append(Verdict(f"gateway: CPU per chunk {scenario}", 60, "us", per_chunk))
    for role, (listening, idle) in _FOOTPRINTS.items():
        found += [
            Verdict(
                f"{role}: memory per open stream", 25, "kB", results.median(MEMORY, role, "kb_per_stream")
            ),
            Verdict(
                f"{role}: listening after start", listening, "ms", results.median(START, role, "listening_ms")
            ),
            Verdict(f"{role}: resident memory, idle", idle, "MB", results.median(START, role, "idle_rss_mb")),
        ]
        for phase in LEAVING:
            slowest = _slowest_leave(results, f"cancel {phase}", role)
            found.append(Verdict(f"{role}: client left {phase}, upstream closed", 50, "ms", slowest))
    slowest = max((results.median(GUARD, shape, "cpu_us") or 0 for shape in SHAPES), default=0)
    found.append(Verdict("egress: CPU per URL or refusal, without DNS", 200, "us", slowest or None))
    return found + _of_agents(results)


IDLE_CONNECTIONS = 16
"""Half of what 32 connections leave open upstream, which differs with each load; a leak of one descriptor in 2 000
turns is more than that in the last third of 20 minutes."""


def _of_agents(results: Results) -> list[Verdict]:
    found = []
    for name, shared, what in (
        ("agent", "postgres", "agent"),
        ("session", "pg session", "agent, session of ten turns"),
    ):
        for connections in CONNECTIONS:
            added = results.added(f"{TURN}{connections}", name, "model", "cpu_us")
            found.append(
                Verdict(f"{what}: CPU added per turn, c={connections}", 2.5, "ms", _thousandth(added))
            )
        waits = _thousandth(results.added(f"{TURN}1", shared, name, "p50_us"))
        found.append(Verdict(f"{what}: PostgreSQL adds at the median, c=1", 0.3, "ms", waits))
    grown = {metric: results.growth(SOAK, "session", metric) for metric in ("rss_mb", "descriptors")}
    return [
        *found,
        Verdict("agent: CPU per token", 150, "us", results.median(TOKENS, "agent", "cpu_us")),
        Verdict(
            "agent: longest silence of a stream",
            11.5,
            "s",
            _thousandth(results.worst(SILENCE, "agent", "silent_ms")),
        ),
        Verdict("agent, soaked: resident memory grows by", 2, "MB", grown["rss_mb"]),
        Verdict("agent, soaked: open descriptors grow by", IDLE_CONNECTIONS, "", grown["descriptors"]),
    ]


def _thousandth(value: float | None) -> float | None:
    return None if value is None else value / 1e3


def _slowest_leave(results: Results, scenario: str, role: str) -> float | None:
    if results.median(scenario, role, "never"):
        return float("inf")
    return results.worst(scenario, role, "max_ms")
