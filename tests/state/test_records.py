from __future__ import annotations

import dataclasses

import pytest

from tests.state.runs import run


def test_a_record_is_not_changed_once_it_is_made() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        run().caller = "bob"  # type: ignore[misc] # the claim of this test


def test_a_cost_that_is_not_known_is_not_zero() -> None:
    from clawgate.state.records import ModelUsage

    assert ModelUsage(provider="p", model="m", input_tokens=1, output_tokens=1).cost is None
