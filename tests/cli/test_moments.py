"""Durations and dates mean what people write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
import pytest

from clawgate.cli.moments import Duration, Moment, iso, local, seconds_at

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"), [("30d", 2_592_000), ("1 W", 604_800), ("12h", 43_200), ("5m", 300), ("0s", 0)]
)
def test_a_duration(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["30", "d", "", "-3d", "3 months", "1.5h", "9999999d", "2026-11-30"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="no duration; use a number with s, m, h, d or w"):
        Duration().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "ends_day", "at"),
    [
        ("7d", False, datetime.fromtimestamp(NOW, UTC) - timedelta(days=7)),
        ("2026-11-30", False, datetime(2026, 11, 30, tzinfo=UTC)),
        ("2026-11-30", True, datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-11-30T08:00", True, datetime(2026, 11, 30, 8, tzinfo=UTC)),
        ("2026-11-30T08:00+02:00", False, datetime(2026, 11, 30, 6, tzinfo=UTC)),
    ],
)
def test_a_moment(text: str, ends_day: bool, at: datetime) -> None:
    moment = Moment(ends_day=ends_day).convert(text, None, None)
    assert seconds_at(moment, NOW) == at.timestamp()


def test_no_moment_is_none() -> None:
    assert seconds_at(None, NOW) is None


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "30.11.2026", "7"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="no date; use"):
        Moment().convert(text, None, None)


def test_time_stamps_are_shown_for_programs_and_people(monkeypatch: pytest.MonkeyPatch) -> None:
    assert iso(NOW + 0.25) == "2027-01-15T08:00:00.250+00:00"
    assert local(NOW) == f"{datetime.fromtimestamp(NOW, UTC).astimezone():%Y-%m-%d %H:%M:%S}"
