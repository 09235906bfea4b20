"""What holds for every test: hypothesis judges claims, and never how fast a busy machine was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

_chosen = settings.get_current_profile_name()
settings.register_profile(
    "untimed",
    settings.get_profile(_chosen),  # hypothesis itself chooses another in CI, where examples do not vary
    deadline=None,
    suppress_health_check={*settings.get_profile(_chosen).suppress_health_check, HealthCheck.too_slow},
)
settings.load_profile("untimed")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """The event loop that serves in production."""
    return "asyncio", {"use_uvloop": True}
