"""What a run reports while it happens, for every door. Plain values."""

from __future__ import annotations

from dataclasses import dataclass

from clawgate.agents.run.step import Call, Usage


@dataclass(frozen=True, slots=True)
class Started:
    """The run has begun, or waits for an earlier one of its session: nothing can replace its response any more."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A tool of the agent's own runs."""

    call: Call


@dataclass(frozen=True, slots=True)
class ToolEnded:
    call: Call
    result: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """The run is complete, and what it leaves is stored. ``calls`` are those of the client's tools."""

    text: str
    finish_reason: str
    calls: tuple[Call, ...]
    usage: Usage
    refusal: str = ""


RunEvent = Started | TextDelta | ToolStarted | ToolEnded | Finished
