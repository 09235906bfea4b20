"""Decides whether a program that looks for news of its own on the network can be run here: only where it finds none."""

from __future__ import annotations

from pathlib import Path

ROUTES = Path("/proc/net/route")


def why_not(program: Path, absent: str) -> str:
    """Return why the program cannot be run here, ``absent`` where it is not there; empty where it can."""
    if not program.exists():
        return absent
    if not ROUTES.is_file() or len(ROUTES.read_text().splitlines()) > 1:
        return "this is no network namespace without routes, see .ci/run"
    return ""
