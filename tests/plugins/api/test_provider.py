"""Values that providers hand over."""

from __future__ import annotations

import pytest

from clawgate.plugins.api.provider import (
    ConfigChange,
    MappedError,
    MapsErrors,
    TransformsRequests,
    UpstreamRequest,
)


def test_a_change_does_not_show_what_it_writes() -> None:
    change = ConfigChange(
        plugin_config={"token": "canary"}, provider={"apiKey": "canary"}, aliases={"a": "p/m"}
    )
    assert "canary" not in repr(change) and "p/m" in repr(change)


def test_a_default_model_comes_without_fallbacks() -> None:
    """Fallbacks are the operator's to write."""
    assert ConfigChange(plugin_config={}, provider={}, default_model="p/m").fallbacks == ()


def test_what_is_handed_over_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        UpstreamRequest(model="m").model = "other"  # type: ignore[misc]  # that is the claim


def test_abilities_are_optional_and_told_apart() -> None:
    class Judge:
        def map_error(self, status: int, body: bytes) -> MappedError | None:
            return None

    assert isinstance(Judge(), MapsErrors) and not isinstance(Judge(), TransformsRequests)
