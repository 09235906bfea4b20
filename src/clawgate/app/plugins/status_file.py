"""Writes the status of a plugin's services to its folder, and reads it for commands in other processes.

Invariant: a file of another run of the gateway is no status. It names the instance that wrote it, and the reader
compares that with the instance that is running.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clawgate.plugins.api import ServiceStatus

FILE_NAME = "status.json"
_MAX_BYTES = 1_000_000


def write_statuses(folder: Path, instance: str, statuses: Sequence[ServiceStatus]) -> None:
    """Replace the file at once. Raises OSError."""
    document = {"instance": instance, "services": [_encode(status) for status in statuses]}
    draft = folder / f".{FILE_NAME}.{os.getpid()}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(document, file, default=str)
    draft.replace(folder / FILE_NAME)


def remove_statuses(folder: Path) -> None:
    """Remove the file: a service that is stopped has no status that a command may show."""
    with contextlib.suppress(OSError):
        (folder / FILE_NAME).unlink()


def read_statuses(folder: Path, instance: str | None) -> tuple[ServiceStatus, ...]:
    """Return what the gateway with this instance id wrote last; empty if it wrote nothing, or none is running."""
    try:
        with (folder / FILE_NAME).open("rb") as file:
            document = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return ()
    if not isinstance(document, dict) or instance is None or document.get("instance") != instance:
        return ()
    services = document.get("services")
    encoded = services if isinstance(services, list) else []
    return tuple(_decode(one) for one in encoded if isinstance(one, dict))


def _encode(status: ServiceStatus) -> dict[str, object]:
    return {
        "state": status.state,
        "ok": status.ok,
        "reason": status.reason,
        "nextStep": status.next_step,
        "details": dict(status.details),
        "lines": list(status.lines),
    }


def _decode(document: Mapping[str, Any]) -> ServiceStatus:
    details, lines = document.get("details"), document.get("lines")
    return ServiceStatus(
        state=_printable(document.get("state")),
        ok=document.get("ok") is True,
        reason=_printable(document.get("reason")),
        next_step=_printable(document.get("nextStep")),
        details=details if isinstance(details, dict) else {},
        lines=tuple(map(_printable, lines)) if isinstance(lines, list) else (),
    )


def _printable(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return value if value.isprintable() else ascii(value)[1:-1]
