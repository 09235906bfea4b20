"""Reads points in time and durations as options have them: 7d, 12h, 2026-11-30, 2026-11-30T08:00."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

_DURATION = re.compile(r"(\d{1,6})\s*(s|m|h|d|w)", re.IGNORECASE)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_EXAMPLES = "use a number with s, m, h, d or w (7d)"


class Duration(click.ParamType[float]):
    """``30d``; its value is in seconds."""

    name = "duration"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = _seconds(value) if isinstance(value, str) else value
        if seconds is None:
            self.fail(f"'{value}' is no duration; {_EXAMPLES}", param, ctx)
        return seconds


class Moment(click.ParamType[datetime | timedelta]):
    """A date or time (UTC where it names no zone), or the duration since then; see `seconds_at`.

    ``ends_day``: a date is the end of its day, not the begin.
    """

    name = "moment"

    def __init__(self, *, ends_day: bool = False) -> None:
        self._ends_day = ends_day

    def convert(
        self, value: str | datetime | timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime | timedelta:
        if not isinstance(value, str):
            return value
        if (seconds := _seconds(value)) is not None:
            return timedelta(seconds=seconds)
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"'{value}' is no date; {_EXAMPLES}, or a date (2026-11-30)", param, ctx)
        is_date = len(value) <= len("2026-11-30")
        if self._ends_day and is_date:
            found += timedelta(days=1)
        return found if found.tzinfo else found.replace(tzinfo=UTC)


def seconds_at(moment: datetime | timedelta | None, now: float) -> float | None:
    """Return the time stamp of what `Moment` read."""
    if isinstance(moment, timedelta):
        return now - moment.total_seconds()
    return None if moment is None else moment.timestamp()


def iso(at: float) -> str:
    """Return a time stamp for programs."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def local(at: float) -> str:
    """Return a time stamp for people."""
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def _seconds(text: str) -> float | None:
    match = _DURATION.fullmatch(text.strip())
    return None if match is None else timedelta(**{_UNITS[match[2].lower()]: int(match[1])}).total_seconds()
