"""The names of the dialects are those of OpenClaw's config."""

from __future__ import annotations

import pytest

from clawgate.wire.dialect import Dialect


@pytest.mark.parametrize("name", ["openai-completions", "openai-responses", "anthropic-messages"])
def test_a_dialect_is_read_from_its_name_in_the_config(name: str) -> None:
    assert Dialect(name) == name
    assert len(Dialect) == 3
