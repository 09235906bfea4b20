"""Events of a run are values: what one follower gets, no other can change."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from clawgate.agents.run.events import Finished, Started, TextDelta, ToolEnded, ToolStarted
from clawgate.agents.run.step import Call, Usage

CALL = Call("c", "look", "{}")


@pytest.mark.parametrize(
    "event",
    [
        TextDelta("a"),
        ToolStarted(CALL),
        ToolEnded(CALL, "r", failed=False),
        Finished("a", "stop", (), Usage()),
    ],
    ids=lambda event: type(event).__name__,
)
def test_an_event_cannot_be_changed(event: object) -> None:
    name = next(iter(event.__slots__))  # type: ignore[attr-defined]
    with pytest.raises(FrozenInstanceError):
        setattr(event, name, None)


def test_equal_events_are_the_same() -> None:
    assert Started() == Started() and TextDelta("a") == TextDelta("a") != TextDelta("b")
