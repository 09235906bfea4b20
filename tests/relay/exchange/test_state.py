"""The states have an order, and a short name each in their module."""

from __future__ import annotations

from clawgate.relay.exchange import state
from clawgate.relay.exchange.state import State


def test_each_state_has_a_name_of_the_module() -> None:
    assert all(getattr(state, each.name) is each for each in State)


def test_the_states_are_in_their_order() -> None:
    assert list(State) == sorted(State)
