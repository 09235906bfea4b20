"""Waiting for a fact outside of any event loop: another process's port, another process's end."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.e2e.stand import PATIENCE


def poll(ready: Callable[[], bool], what: str, within: float = PATIENCE) -> None:
    """Return once ``ready()`` holds; fails with ``what`` otherwise."""
    end = time.monotonic() + within
    while not ready():
        assert time.monotonic() < end, f"not within {within} s: {what}"
        time.sleep(0.01)
