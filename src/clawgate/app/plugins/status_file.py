"""Writes the status of a plugin's services to its folder, and reads it for commands in other processes.

Invariant: a file of another run of the gateway is no status. It names the instance that wrote it, and the reader
compares that with the instance that is running.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from clawgate.plugins.api import ServiceStatus
from clawgate.processes.instance.run_records import read_record, write_record

FILE_NAME = "status.json"


def write_statuses(folder: Path, instance: str, statuses: Sequence[ServiceStatus]) -> None:
    """Replace the file, if its folder and the disk allow it."""
    services = [
        {one.name: getattr(status, one.name) for one in fields(status)} | {"details": dict(status.details)}
        for status in statuses
    ]
    write_record(folder, FILE_NAME, instance, {"services": services})


def remove_statuses(folder: Path) -> None:
    """Remove the file: a service that is stopped has no status that a command may show."""
    with contextlib.suppress(OSError):
        (folder / FILE_NAME).unlink()


def read_statuses(folder: Path, instance: str | None) -> tuple[ServiceStatus, ...]:
    """Return what the gateway with this instance id wrote last; empty if it wrote nothing, or none is running."""
    services = (read_record(folder, FILE_NAME, instance) or {}).get("services")
    encoded = services if isinstance(services, list) else []
    return tuple(_decode(one) for one in encoded if isinstance(one, dict))


def _decode(document: Mapping[str, Any]) -> ServiceStatus:
    details, lines = document.get("details"), document.get("lines")
    return ServiceStatus(
        state=_printable(document.get("state")),
        ok=document.get("ok") is True,
        reason=_printable(document.get("reason")),
        next_step=_printable(document.get("next_step")),
        details=details if isinstance(details, dict) else {},
        lines=tuple(map(_printable, lines)) if isinstance(lines, list) else (),
    )


def _printable(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return value if value.isprintable() else ascii(value)[1:-1]
