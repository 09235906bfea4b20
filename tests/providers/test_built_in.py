"""What exists without config."""

from __future__ import annotations

import pytest

from clawgate.policy.model_routing import is_provider_id
from clawgate.providers.built_in import BUILT_IN, SUPPORTED_APIS
from clawgate.wire.dialect import Dialect
from clawgate.wire.http.url import parse_url


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_is_what_the_config_could_hold(name: str) -> None:
    """An id, an https address, and a supported API."""
    built_in = BUILT_IN[name]
    assert is_provider_id(name) and built_in.api in SUPPORTED_APIS and built_in.variable.endswith("_API_KEY")
    assert parse_url(built_in.base_url)[0].scheme == "https"


def test_the_supported_apis_are_the_dialects() -> None:
    assert set(SUPPORTED_APIS) == set(Dialect)
