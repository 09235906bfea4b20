"""Writes the tables of docs/comparison.md from the stored result of a benchmark; no number in them is typed by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

from benchmarks.results import Results
from reference.markdown import table

_RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
_NAMES = ("nginx", "caddy", "haproxy", "bridge", "server", "gateway", "node", "aiohttp")
_MARK = "<!-- {}: scripts/reference writes what follows, up to the next mark -->"
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
    """Return ``page`` with the tables between its marks as the stored results give them."""
    for name, measured in (
        ("behaviour", _behaviour()),
        ("cost", _cost("latest.json")),
        ("proxies", _cost("proxies.json")),
    ):
        before, mark, rest = page.partition(_MARK.format(name))
        page = f"{before}{mark}\n\n{measured}\n{_END}{rest.partition(_END)[2]}"
    return page


def _behaviour() -> str:
    stored = json.loads((_RESULTS / "behaviour.json").read_text(encoding="utf-8"))
    taken_at = stored.pop("taken_at")
    rows = [
        [check, *(one["checks"][check] for one in stored.values())] for check in stored["bridge"]["checks"]
    ]
    versions = ", ".join(f"{name} {_version(one['version'])}" for name, one in stored.items())
    return f"{table(['', *stored], rows)}\nMeasured {taken_at}: {versions}.\n"


def _version(line: str) -> str:
    return str(re.findall(r"[0-9][0-9.]*", line)[0])


def _cost(file: str) -> str:
    results = Results.from_json(json.loads((_RESULTS / file).read_text(encoding="utf-8")))
    names = [name for name in _NAMES if results.rounds("requests 1 kB c=32", name, "cpu_us")]
    rows = [
        [title, *(_cell(results, scenario, name, metric, unit) for name in names)]
        for title, scenario, metric, unit in _ROWS
    ]
    slowest = [[results.worst(one, name, "max_ms") for one in _CANCELS] for name in names]
    cells = [f"{max(one or 0 for one in times):.1f} ms" if all(times) else "" for times in slowest]
    rows.append(["client disconnects, upstream closed: slowest", *cells])
    versions = ", ".join(
        f"{name} {_version(results.contenders[name]['version'])}"
        for name in names
        if name not in {"bridge", "server", "gateway"}
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
