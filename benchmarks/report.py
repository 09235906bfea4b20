"""The same numbers for a person: tables, ratios to nginx and Node, targets. Measures nothing."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.agent_scenarios import AGENTS, CONNECTIONS, SOAK, TOKENS, TURN
from benchmarks.egress_guard import GUARD, SHAPES
from benchmarks.payloads import TURN_CHUNKS
from benchmarks.results import Results
from benchmarks.scenarios import CELLS, LEAVING, LIGHT, MEMORY, START, STREAMS, TRANSLATED, requests_name
from benchmarks.targets import verdicts

_ORDER = [
    "direct",
    "nginx",
    "caddy",
    "haproxy",
    "bridge",
    "node",
    "aiohttp",
    "nginx-log",
    "server",
    "gateway",
    "litellm",
]
_SWAP_WITH_LOG = {"server", "nginx-log"}  # their nginx is the one that writes an access log, too
Row = Sequence[str]


def text_of(results: Results) -> str:
    parts = [_heading(results)]
    parts += [_requests(results, size, connections) for size, _, connections in CELLS]
    parts += [
        _streams(results),
        *(_translated(results, one, load) for one in TRANSLATED for load in ("", LIGHT)),
    ]
    parts += [
        _footprint(results),
        _cancel(results),
        _agents(results),
        _guard(results),
        _targets(results),
        _failures(results),
    ]
    return "\n\n".join(part for part in parts if part)


def _heading(results: Results) -> str:
    about, amounts = results.machine, results.parameters
    commit = (about.get("commit") or "no commit")[:12]
    commit += " + uncommitted changes" if about.get("uncommitted_changes") else ""
    placed = "contender on core 0, load and upstream on core 1" if amounts["pinned"] else "not pinned"
    lines = [
        f"{about['cpu']}, {about['cores']} cores, {about['kernel']}, Python {about['python']}, {commit}",
        f"{placed}; other work on this machine used {about.get('cores_used_by_others', '?')} cores meanwhile",
        "CPU: user and system, all processes. Medians of rounds; ratios: medians within rounds.",
    ]
    if about.get("source_changed_meanwhile"):
        lines.append("src/ changed during the run: our numbers are not of one state of the code.")
    if amounts["quick"]:
        lines.append("A quick run: it shows that everything works; its numbers are not to be quoted.")
    for name, facts in results.contenders.items():
        lines.append(f"  {name:<10} {facts['status']}: {facts.get('version') or facts.get('reason', '')}")
    return "\n".join(lines)


def _requests(results: Results, size: str, connections: int) -> str:
    scenario = requests_name(size, connections)
    rows = []
    for name in _measured(results, scenario):
        low_high = results.rounds(scenario, name, "cpu_us")
        rows.append(
            [
                name,
                _number(results.median(scenario, name, "cpu_us"), 1),
                f"{min(low_high):.1f}-{max(low_high):.1f}" if low_high else "-",
                *_ratios(results, scenario, name),
                _number(results.median(scenario, name, "p50_us")),
                _number(results.median(scenario, name, "p99_us")),
                _number(results.median(scenario, name, "per_second")),
                _number(results.median(scenario, name, "rss_mb"), 1),
            ]
        )
    title = f"{size} request, 1 kB answer, c={connections}, keep-alive"
    columns = [
        "",
        "CPU us",
        "low-high",
        "x nginx",
        "of lows",
        "x node",
        "x bridge",
        "p50 us",
        "p99 us",
        "req/s",
        "RSS MB",
    ]
    return _table(title, columns, rows)


def _streams(results: Results) -> str:
    rows = []
    for name in _measured(results, STREAMS):
        cells = [name, _number(results.median(STREAMS, name, "cpu_us"), 1), *_ratios(results, STREAMS, name)]
        rows.append(
            [*cells, *_waits(results, STREAMS, name), _number(results.median(STREAMS, name, "rss_mb"), 1)]
        )
    ratios = ["x nginx", "of lows", "x node", "x bridge"]
    columns = ["", "CPU us", *ratios, "p50 us", "added", "p99 us", "added", "RSS MB"]
    amount = results.parameters["streams"]
    return _table(f"One SSE chunk, {amount} streams, a chunk each 20 ms", columns, rows)


def _translated(results: Results, direction: str, load: str) -> str:
    scenario = direction + load
    rows = []
    for name in _measured(results, scenario):
        low_high = results.rounds(scenario, name, "cpu_us")
        rows.append(
            [
                name,
                _number(results.median(scenario, name, "cpu_us"), 1),
                f"{min(low_high):.1f}-{max(low_high):.1f}" if low_high else "-",
                _number(results.median(scenario, name, "core_percent")),
                *_waits(results, scenario, name),
                _number(results.median(scenario, name, "rss_mb"), 1),
            ]
        )
    columns = ["", "CPU us", "low-high", "% of a core", "p50 us", "added", "p99 us", "added", "RSS MB"]
    amount = results.parameters.get("light_streams" if load else "translated_streams")
    return _table(f"One SSE chunk {direction}, {amount} streams, a chunk each 20 ms", columns, rows)


def _waits(results: Results, scenario: str, name: str) -> list[str]:
    """How long a chunk took at the median and at the 99th percentile, each with what `direct` did not take."""
    cells = []
    for metric in ("p50_us", "p99_us"):
        waited, floor = (results.median(scenario, who, metric) for who in (name, "direct"))
        cells.append(_number(waited))
        if name == "direct" or waited is None or floor is None:
            cells.append("-")
        else:
            cells.append(_number(waited - floor))
    return cells


def _footprint(results: Results) -> str:
    rows = [
        [
            name,
            _number(results.median(START, name, "listening_ms")),
            _number(results.best(START, name, "listening_ms")),
            _number(results.worst(START, name, "listening_ms")),
            _number(results.median(START, name, "start_cpu_ms")),
            _number(results.median(START, name, "idle_rss_mb"), 1),
            _number(results.median(START, name, "idle_pss_mb"), 1),
            _number(results.median(MEMORY, name, "kb_per_stream"), 1),
            _number(results.median(MEMORY, name, "open_mb"), 1),
        ]
        for name in _measured(results, MEMORY, START)
    ]
    amount = results.parameters["idle_streams"]
    columns = [
        "",
        "listening ms",
        "best",
        "worst",
        "CPU ms",
        "idle RSS MB",
        "idle PSS MB",
        "kB/stream",
        "RSS MB then",
    ]
    return _table(f"Start and memory, {amount} open idle streams", columns, rows)


def _cancel(results: Results) -> str:
    scenarios = [f"cancel {phase}" for phase in LEAVING]
    rows = []
    for name in _measured(results, *scenarios):
        row = [name]
        for scenario in scenarios:
            never = results.median(scenario, name, "never")
            row.append(_number(results.median(scenario, name, "median_ms"), 2))
            row.append(f"{never:.0f} never" if never else _number(results.worst(scenario, name, "max_ms"), 2))
        rows.append(row)
    columns = ["", *(cell for phase in LEAVING for cell in (phase, "max"))]
    return _table("Client leaves: ms until the upstream's connection is closed (median, max)", columns, rows)


def _guard(results: Results) -> str:
    rows = [[shape, _number(results.median(GUARD, shape, "cpu_us"), 1)] for shape in SHAPES]
    return _table(
        "Egress guard: a URL parsed and decided without DNS; a refusal with its message",
        ["", "CPU us"],
        rows,
    )


def _agents(results: Results) -> str:
    rows = []
    for name in AGENTS:
        row = [name]
        for connections in CONNECTIONS:
            scenario = f"{TURN}{connections}"
            row.append(_number(results.median(scenario, name, "cpu_us")))
            row.append("-" if name == "model" else _number(results.added(scenario, name, "model", "cpu_us")))
            row.append(_number(results.median(scenario, name, "p50_us")))
        row.append(_number(results.median(f"{TURN}{CONNECTIONS[-1]}", name, "per_second")))
        row.append(_number(results.median(TOKENS, name, "cpu_us"), 1))
        if set(row[1:]) != {"-"}:
            rows.append(row)
    columns = [
        "",
        *(cell for c in CONNECTIONS for cell in (f"CPU us c={c}", "added", "p50 us")),
        "turns/s",
        "us/token",
    ]
    soaked = results.rounds(SOAK, "session", "rss_mb")
    title = f"A turn of an agent, {TURN_CHUNKS} tokens; a token, {results.parameters.get('agent_streams')} streams"
    if soaked:
        turns = sum(results.rounds(SOAK, "session", "turns"))
        title += f". Soaked with {turns:.0f} turns: RSS {soaked[0]:.1f} to {soaked[-1]:.1f} MB"
    return _table(title, columns, rows)


def _targets(results: Results) -> str:
    rows = []
    for verdict in verdicts(results):
        digits = 2 if verdict.unit.startswith("x") or verdict.limit < 10 else 1
        measured = "-" if verdict.measured is None else f"{verdict.measured:.{digits}f}"
        rows.append([verdict.what, f"<= {verdict.limit:g} {verdict.unit}", measured, verdict.word])
    return _table("Targets", ["", "target", "measured", ""], rows)


def _failures(results: Results) -> str:
    lines = [f"  {one['contender']} in {one['scenario']}: {one['reason']}" for one in results.failures]
    return "\n".join(["Failed, so not timed", *lines]) if lines else ""


def _measured(results: Results, *scenarios: str) -> list[str]:
    return [name for name in _ORDER if any(results.numbers.get(one, {}).get(name) for one in scenarios)]


def _ratios(results: Results, scenario: str, name: str) -> list[str]:
    nginx = "nginx-log" if name in _SWAP_WITH_LOG else "nginx"
    ratios = [results.ratio(scenario, name, rival, "cpu_us") for rival in (nginx, "node")]
    ratios.insert(1, results.floor_ratio(scenario, name, nginx, "cpu_us"))
    ratios.append(results.ratio(scenario, name, "bridge", "cpu_us"))
    return [_number(ratio, 2) for ratio in ratios]


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _table(title: str, columns: Row, rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    widths = [max(len(line[at]) for line in [columns, *rows]) for at in range(len(columns))]

    def line(cells: Row) -> str:
        first = cells[0].ljust(widths[0])
        others = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
        return "  ".join([first, *others])

    return "\n".join([title, line(columns).rstrip(), *(line(row).rstrip() for row in rows)])
