"""Runs the comparison and says which targets were reached: `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks import machine
from benchmarks.contenders import Contender, all_contenders
from benchmarks.egress_guard import measure_guard
from benchmarks.report import text_of
from benchmarks.results import Results
from benchmarks.scenarios import QUICK, Amounts, Scenarios
from benchmarks.stage import Stage

_LATEST = Path(__file__).parent / "results" / "latest.json"
_OURS = ("bridge", "server", "gateway")
_SCENARIOS = ["requests", "streams", "translated", "memory", "start", "cancel", "agents", "guard"]


def _options(words: list[str]) -> argparse.Namespace:
    names = [contender.name for contender in all_contenders()]
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    add = parser.add_argument
    add("--only", default=",".join(_SCENARIOS), help="scenarios, with commas (default: %(default)s)")
    add("--contenders", default=",".join(names), help="with commas (default: %(default)s)")
    add("--litellm", type=Path, metavar="PYTHON", help="a Python that has litellm[proxy]")
    add("--quick", action="store_true", help="fewer of everything: to see that it works, not to quote")
    add(
        "--soak",
        type=float,
        metavar="SECONDS",
        help="how long agents are soaked (default: 150; the bar: 1200)",
    )
    add("--no-pin", action="store_true", help="let the scheduler place processes (see README)")
    add("--output", type=Path, help="where to write the JSON; a full run goes to results/latest.json")
    add("--show", type=Path, metavar="FILE", help="print the tables of an earlier result, run nothing")
    options = parser.parse_args(words)
    options.only = options.only.split(",")
    options.contenders = options.contenders.split(",")
    if {"nginx", "server"} <= set(options.contenders):  # the server role is compared with an nginx that logs
        options.contenders.append("nginx-log")
    for given, known in ((options.only, _SCENARIOS), (options.contenders, names)):
        for name in given:
            if name not in known:
                parser.error(f"{name!r} is none of {', '.join(known)}")
    everything = set(options.only) == set(_SCENARIOS) and set(options.contenders) == set(names)
    options.full = everything and not options.quick
    return options


def _present(options: argparse.Namespace, results: Results) -> list[Contender]:
    present = []
    for contender in all_contenders(options.litellm):
        if contender.name not in options.contenders:
            continue
        if contender.program is None:
            print(f"{contender.name}: skipped, {contender.absent}", file=sys.stderr)
            results.contenders[contender.name] = {"status": "skipped", "reason": contender.absent}
        else:
            results.contenders[contender.name] = {"status": "measured", "version": contender.version()}
            present.append(contender)
    return present


def _run(options: argparse.Namespace) -> Results:
    amounts = QUICK if options.quick else Amounts()
    if options.soak is not None:
        amounts = replace(amounts, soak_seconds=options.soak)
    pin = not options.no_pin and (os.cpu_count() or 1) > 1
    results = Results(machine.description(), asdict(amounts) | {"quick": options.quick, "pinned": pin})
    present = _present(options, results)
    busy_before, began = machine.busy_seconds(), time.monotonic()
    with Stage.set(pin) as stage:
        scenarios = Scenarios(stage, present, amounts, results)
        steps: dict[str, Callable[[], None]] = {
            "requests": scenarios.requests,
            "streams": scenarios.streams,
            "translated": scenarios.translated,
            "memory": scenarios.memory,
            "start": scenarios.start,
            "cancel": scenarios.cancel,
            "agents": scenarios.agents,
            "guard": lambda: measure_guard(
                results, amounts.rounds, lambda text: print(text, file=sys.stderr)
            ),
        }
        for name in _SCENARIOS:
            if name in options.only:
                steps[name]()
    elapsed = time.monotonic() - began
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own = sum(part.ru_utime + part.ru_stime for part in usage)
    results.machine["source_changed_meanwhile"] = machine.source_digest() != results.machine["source"]
    results.machine["seconds_taken"] = round(elapsed)
    results.machine["cores_used_by_others"] = round((machine.busy_seconds() - busy_before - own) / elapsed, 2)
    for failure in results.failures:
        if failure["scenario"] == "probe":
            results.contenders[failure["contender"]]["status"] = "failed"
    return results


def _write(results: Results, options: argparse.Namespace) -> None:
    ours = [results.contenders.get(name, {}).get("status") for name in _OURS]
    target = options.output
    if target is None:
        if not options.full or set(ours) != {"measured"}:
            print("not a full run with all of our roles: results/latest.json is left as it was")
            return
        if results.machine["source_changed_meanwhile"]:
            print("src/ changed during the run: results/latest.json is left as it was")
            return
        target = _LATEST
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(results.as_json(), indent=1) + "\n")
    print(f"written: {os.path.relpath(target)}")


def main() -> int:
    options = _options(sys.argv[1:])
    if options.show:
        print(text_of(Results.from_json(json.loads(options.show.read_text()))))
        return 0
    # SIGTERM, too, stops what was started, and SIGINT even where a shell's `&` has it ignored
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # two sockets for each stream, and children inherit the limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
    try:
        results = _run(options)
    except KeyboardInterrupt:
        print("interrupted; everything that was started has been stopped", file=sys.stderr)
        return 130
    print(text_of(results))
    _write(results, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
