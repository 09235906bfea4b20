"""Runs to store, and a clock that is set by hand."""

from __future__ import annotations

from typing import Any

from clawgate.state.records import NewTurn, RunRecord


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def said(*texts: str) -> tuple[NewTurn, ...]:
    return tuple(NewTurn(message={"role": "user", "content": text}) for text in texts)


def run(name: str = "run-1", **changes: Any) -> RunRecord:
    values: dict[str, Any] = {
        "run": name,
        "caller": "ann",
        "agent": "main",
        "session": "s",
        "keeps_session": True,
        "expected_seq": 0,
        "started_at": 1_800_000_000.0,
        "finished_at": 1_800_000_001.5,
        "turns": said("hello"),
    }
    return RunRecord(**values | changes)
