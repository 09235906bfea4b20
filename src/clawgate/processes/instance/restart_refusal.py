"""Records why the running gateway refuses to restart, for the command that requested it.

Invariant: a record of another run of the gateway counts for nothing: it names the instance that wrote it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FILE_NAME = "restart-refused.json"
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class RestartRefusal:
    """``status`` is the exit status that a start would have ended with; ``problems`` are the reasons."""

    status: int
    problems: tuple[str, ...]


def write_refusal(folder: Path, instance: str, refusal: RestartRefusal) -> None:
    """Replace the record in the gateway's ``folder``; without a folder or disk space there is none."""
    draft = folder / f".{FILE_NAME}.{os.getpid()}"
    with contextlib.suppress(OSError):
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"instance": instance, "status": refusal.status, "problems": refusal.problems}, file)
        draft.replace(folder / FILE_NAME)


def read_refusal(folder: Path, instance: str | None) -> RestartRefusal | None:
    """Return what the gateway with this instance id wrote, None if it wrote nothing."""
    try:
        with (folder / FILE_NAME).open("rb") as file:
            document = json.loads(file.read(_MAX_BYTES))
        if instance is None or document["instance"] != instance:
            return None
        status, problems = document["status"], document["problems"]
        return RestartRefusal(
            int(status), tuple(map(str, problems if isinstance(problems, Sequence) else ()))
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def clear_refusal(folder: Path) -> None:
    """Remove the record of an earlier request."""
    with contextlib.suppress(OSError):
        (folder / FILE_NAME).unlink(missing_ok=True)
