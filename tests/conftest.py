"""Sets up what holds for every test: no time limits of hypothesis or for readers, Ctrl-C, the umask, the loop."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from clawgate.relay.downstream import client_timeouts

_chosen = settings.get_current_profile_name()
settings.register_profile(
    "untimed",
    settings.get_profile(_chosen),  # hypothesis itself chooses another in CI, where examples do not vary
    deadline=None,
    suppress_health_check={*settings.get_profile(_chosen).suppress_health_check, HealthCheck.too_slow},
)
settings.load_profile("untimed")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Inherited from a job in the background (`pytest &` in a script): programs that tests start would ignore it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

client_timeouts.ERROR_READ_SECONDS = 0.0  # thousands of tests read a broken stream to its end


_UMASK = os.umask(0o022)
os.umask(_UMASK)


@pytest.fixture(autouse=True)
def umask_stays() -> Iterator[None]:
    """A role takes all rights from others for the files of its process; here that would be those of all later tests."""
    yield
    left = os.umask(_UMASK)
    assert left == _UMASK, f"the test left the umask {left:03o}"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """The event loop that serves in production."""
    return "asyncio", {"use_uvloop": True}
