"""What is said of a child are values: nothing can change them, and each is one thing that happens or is done."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, is_dataclass
from typing import get_args

import pytest

from clawgate.processes.supervision import child_state
from clawgate.processes.supervision.child_state import Action, Event, PortStatus, State, SupervisionLimits

VALUES = [
    value
    for value in vars(child_state).values()
    if inspect.isclass(value) and is_dataclass(value) and value.__module__ == child_state.__name__
]


def test_each_value_happens_or_is_done_and_none_is_both() -> None:
    events, actions = set(get_args(Event)), set(get_args(Action))
    assert not events & actions
    assert events | actions | {PortStatus, State, SupervisionLimits} == set(VALUES)


@pytest.mark.parametrize(("made", "name"), [(SupervisionLimits(), "grace"), (State(), "phase")])
def test_what_is_known_cannot_be_changed(made: object, name: str) -> None:
    """A step makes a new one."""
    with pytest.raises(FrozenInstanceError):
        setattr(made, name, getattr(made, name))


def test_a_child_that_nobody_spoke_of_is_stopped_and_not_wanted() -> None:
    assert (State().phase, State().desired, State().spawned) == ("stopped", "stopped", False)
