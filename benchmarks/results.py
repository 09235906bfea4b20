"""What was measured, in one shape: scenario, contender, metric, one number per round.

Everything a reader sees (medians, ratios, targets) is worked out from these lists; nothing else is kept.
"""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

Rounds = list[float]


@dataclass
class Results:
    machine: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    contenders: dict[str, dict[str, str]] = field(default_factory=dict)
    numbers: dict[str, dict[str, dict[str, Rounds]]] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)

    def add(self, scenario: str, contender: str, measured: dict[str, float]) -> None:
        metrics = self.numbers.setdefault(scenario, {}).setdefault(contender, {})
        for metric, value in measured.items():
            metrics.setdefault(metric, []).append(value)

    def fail(self, scenario: str, contender: str, reason: str) -> None:
        """A contender that failed once in a scenario has no numbers there, not even from earlier rounds."""
        self.numbers.get(scenario, {}).pop(contender, None)
        self.failures.append({"scenario": scenario, "contender": contender, "reason": reason})

    def failed(self, scenario: str, contender: str) -> bool:
        mine = [failure["scenario"] for failure in self.failures if failure["contender"] == contender]
        return scenario in mine or "probe" in mine

    def rounds(self, scenario: str, contender: str, metric: str) -> Rounds:
        return self.numbers.get(scenario, {}).get(contender, {}).get(metric, [])

    def median(self, scenario: str, contender: str, metric: str) -> float | None:
        rounds = self.rounds(scenario, contender, metric)
        return statistics.median(rounds) if rounds else None

    def worst(self, scenario: str, contender: str, metric: str) -> float | None:
        return max(self.rounds(scenario, contender, metric), default=None)

    def best(self, scenario: str, contender: str, metric: str) -> float | None:
        return min(self.rounds(scenario, contender, metric), default=None)

    def ratio(self, scenario: str, contender: str, reference: str, metric: str) -> float | None:
        """The median of the ratios within each round: neighbours in time share the machine's mood."""
        ours, theirs = (self.rounds(scenario, name, metric) for name in (contender, reference))
        if not ours or len(ours) != len(theirs):
            return None
        return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))

    def added(self, scenario: str, contender: str, reference: str, metric: str) -> float | None:
        """The median of the differences within each round."""
        ours, theirs = (self.rounds(scenario, name, metric) for name in (contender, reference))
        if not ours or len(ours) != len(theirs):
            return None
        return statistics.median(a - b for a, b in zip(ours, theirs, strict=True))

    def growth(self, scenario: str, contender: str, metric: str) -> float | None:
        """How much more the last third of the rounds has than the one before it."""
        rounds = self.rounds(scenario, contender, metric)
        third = len(rounds) // 3
        if not third:
            return None
        return statistics.median(rounds[-third:]) - statistics.median(rounds[-2 * third : -third])

    def floor_ratio(self, scenario: str, contender: str, reference: str, metric: str) -> float | None:
        """The ratio of the cheapest rounds: what disturbs a round on a busy machine only ever adds to it."""
        ours, theirs = (self.rounds(scenario, name, metric) for name in (contender, reference))
        return min(ours) / min(theirs) if ours and theirs else None

    def as_json(self) -> dict[str, Any]:
        """All of it, and the medians spelled out for those who read the file and not the lists."""
        medians = {
            scenario: {
                contender: {metric: round(statistics.median(rounds), 3) for metric, rounds in metrics.items()}
                for contender, metrics in by_contender.items()
            }
            for scenario, by_contender in self.numbers.items()
        }
        return {"schema": 1, **asdict(self), "medians": medians}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Results:
        return cls(**{name: stored[name] for name in cls.__dataclass_fields__})
