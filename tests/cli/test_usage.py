"""`clawgate usage` sums up what runs used, and never shows an unknown price as free."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from clawgate.state.records import ModelUsage
from tests.cli.stored_runs import StateHome
from tests.state.runs import run

DAY = 86_400
BEGIN = 1_800_000_000.0  # 2027-01-15T08:00Z


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateHome:
    monkeypatch.setattr("clawgate.cli.usage.time.time", lambda: BEGIN + 10 * DAY)
    return StateHome(tmp_path, monkeypatch)


def used(model: str, cost: str | None) -> ModelUsage:
    price = None if cost is None else Decimal(cost)
    return ModelUsage(
        provider="owl", model=model, input_tokens=1000, output_tokens=50, cached_tokens=200, cost=price
    )


def fill(home: StateHome) -> None:
    home.store(
        run("1", usage=(used("big", "1.5"), used("small", None), used("small", None))),
        run("2", usage=(used("big", "0.25"),), finished_at=BEGIN + 5 * DAY, session="t"),
        run("3", usage=(used("free", "0"),), finished_at=BEGIN + 6 * DAY, session="u", caller="bob"),
        run(
            "4", usage=(used("tiny", "0.00000015"),), finished_at=BEGIN + 6 * DAY, session="v", agent="coder"
        ),
    )


def rows(home: StateHome, *options: str) -> list[list[str]]:
    found = home.run("usage", *options)
    assert found.exit_code == 0, found.output
    return [line.split(maxsplit=5) for line in found.stdout.splitlines()]


def test_each_model_and_the_total_in_which_a_run_counts_once(home: StateHome) -> None:
    fill(home)
    assert rows(home, "--by", "model") == [
        ["Model", "Runs", "In", "Cached", "Out", "Cost"],
        ["big", "2", "2,000", "400", "100", "$1.7500"],
        ["free", "1", "1,000", "200", "50", "$0.0000"],
        ["small", "1", "2,000", "400", "100", "unknown: 2 calls without a known price"],
        ["tiny", "1", "1,000", "200", "50", "< $0.0001"],
        ["Total", "4", "6,000", "1,200", "300", "$1.7500 + 2 calls without a known price"],
    ]


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("agent", ["coder", "main"]),
        ("provider", ["owl"]),
        ("caller", ["ann", "bob"]),
        ("day", ["2027-01-15", "2027-01-20", "2027-01-21"]),
    ],
)
def test_by(home: StateHome, by: str, keys: list[str]) -> None:
    fill(home)
    assert [row[0] for row in rows(home, "--by", by)] == [by.capitalize(), *keys, "Total"]
    output = json.loads(home.run("usage", "--by", by, "--json").stdout)
    assert [row[by] for row in output["rows"]] == keys and output["total"]["runs"] == 4


@pytest.mark.parametrize(
    ("options", "runs"),
    [
        (["--since", "7d"], "3"),
        (["--since", "2027-01-20"], "3"),
        (["--until", "2027-01-20"], "2"),
        (["--since", "2027-01-20", "--until", "2027-01-20"], "1"),
        (["--until", "5d"], "1"),
    ],
)
def test_a_time(home: StateHome, options: list[str], runs: str) -> None:
    fill(home)
    assert rows(home, *options)[-1][1] == runs


def test_for_programs_an_unknown_cost_is_null(home: StateHome) -> None:
    home.store(run("1", usage=(used("m", None),)))
    output = json.loads(home.run("usage", "--since", "2027-01-15", "--json").stdout)
    assert output["since"] == "2027-01-15T00:00:00.000+00:00" and output["until"] is None
    assert output["total"] == {
        "runs": 1,
        "inputTokens": 1000,
        "cachedTokens": 200,
        "outputTokens": 50,
        "cost": None,
        "callsWithoutKnownPrice": 1,
    }


def test_where_there_is_nothing_it_says_what_adds_to_it(home: StateHome) -> None:
    assert (
        home.run("usage").stdout
        == "No usage yet; a message to an agent adds to it: clawgate agent --message hello\n"
    )
    assert home.run("usage", "--since", "1d").stdout.startswith("No usage in this time; without --since")
    output = json.loads(home.run("usage", "--json").stdout)
    assert (output["rows"], output["total"]["runs"], output["total"]["cost"]) == ([], 0, 0.0)
    assert not home.database.exists()


def test_an_empty_span_is_an_error(home: StateHome) -> None:
    found = home.run("usage", "--since", "2027-01-20", "--until", "2027-01-19")
    assert found.exit_code == 1 and "--since is not before --until; exchange them" in found.stderr
