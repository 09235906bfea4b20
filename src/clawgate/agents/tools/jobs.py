"""Chooses what a process of the sandbox does: read a page, or an image."""

from __future__ import annotations

import json
from typing import Any

from clawgate.agents.tools import picture, readable


def prepare() -> None:
    """Import what the jobs need. Their processes cannot: they open no file."""
    readable.prepare()
    picture.prepare()


def work(job: dict[str, Any], body: bytes) -> bytes:
    """Return the result of a job."""
    if job["kind"] == "image":
        return picture.read(job, body)
    return json.dumps(readable.read(job, body)).encode()
