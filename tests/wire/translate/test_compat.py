"""A model without compat keys is told apart from one that has any."""

from __future__ import annotations

from clawgate.wire.translate.compat import NO_COMPAT, Compat


def test_only_a_key_of_the_operator_counts_as_set() -> None:
    assert not NO_COMPAT.is_set and not Compat(reasoning=False).is_set
    assert Compat(supports_store=False).is_set and Compat(supported_reasoning_efforts=()).is_set
