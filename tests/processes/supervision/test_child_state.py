"""Events and actions are immutable values."""

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


def test_each_value_is_either_an_event_or_an_action() -> None:
    events, actions = set(get_args(Event)), set(get_args(Action))
    assert not events & actions
    assert events | actions | {PortStatus, State, SupervisionLimits} == set(VALUES)


@pytest.mark.parametrize(("made", "name"), [(SupervisionLimits(), "grace"), (State(), "phase")])
def test_values_are_immutable(made: object, name: str) -> None:
    """A step makes a new one."""
    with pytest.raises(FrozenInstanceError):
        setattr(made, name, getattr(made, name))


def test_the_initial_state_is_stopped() -> None:
    assert (State().phase, State().desired, State().spawned) == ("stopped", "stopped", False)
