"""Writes the tables of docs/comparison.md from the stored result of a benchmark; no number in them is typed by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

from benchmarks.results import Results
from reference.markdown import table

_RESULT = Path(__file__).parents[1] / "benchmarks" / "results" / "latest.json"
_NAMES = ("nginx", "bridge", "server", "gateway", "node", "aiohttp")
_MARK = "<!-- measured: scripts/reference writes what follows, up to the next mark -->"
_END = "<!-- end -->"

_ROWS = (
    ("CPU of a request of 1 kB, 32 connections", "requests 1 kB c=32", "cpu_us", "us"),
    ("the same, one connection", "requests 1 kB c=1", "cpu_us", "us"),
    ("CPU of a request of 50 kB, 32 connections", "requests 50 kB c=32", "cpu_us", "us"),
    ("CPU of a chunk, 200 streams", "streams", "cpu_us", "us"),
    ("memory of an open stream", "memory", "kb_per_stream", "kB"),
    ("memory when idle", "start", "idle_rss_mb", "MB"),
    ("listening after", "start", "listening_ms", "ms"),
)
_CANCELS = ("cancel before headers", "cancel before first token", "cancel mid-stream")


def with_measurements(page: str) -> str:
    """Return ``page`` with the table between its marks as the stored result gives it."""
    before, _, rest = page.partition(_MARK)
    after = rest.partition(_END)[2]
    return f"{before}{_MARK}\n\n{_measured()}\n{_END}{after}"


def _measured() -> str:
    results = Results.from_json(json.loads(_RESULT.read_text(encoding="utf-8")))
    names = [name for name in _NAMES if results.rounds("streams", name, "cpu_us")]
    rows = [
        [title, *(_cell(results, scenario, name, metric, unit) for name in names)]
        for title, scenario, metric, unit in _ROWS
    ]
    slowest = [max(results.worst(one, name, "max_ms") or 0 for one in _CANCELS) for name in names]
    rows.append(["client disconnects, upstream closed: slowest", *(f"{one:.1f} ms" for one in slowest)])
    versions = ", ".join(
        f"{name} {re.findall(r'[0-9][0-9.]*', results.contenders[name]['version'])[0]}"
        for name in ("nginx", "node", "aiohttp")
    )
    machine = results.machine
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['kernel']}, Python {machine['python']}"
    return f"{table(['', *names], rows)}\nMeasured {machine['taken_at'][:10]}: {where}; {versions}.\n"


def _cell(results: Results, scenario: str, name: str, metric: str, unit: str) -> str:
    """Return the median, and for CPU how it compares with nginx that does the same."""
    value = results.median(scenario, name, metric)
    ratio = results.ratio(scenario, name, "nginx-log" if name == "server" else "nginx", metric)
    shown = f"{value:.1f} {unit}" if value is not None else ""
    return (
        f"{shown} ({ratio:.2f} x)" if metric == "cpu_us" and ratio is not None and name != "nginx" else shown
    )
