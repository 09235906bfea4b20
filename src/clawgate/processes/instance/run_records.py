"""Records what the running gateway did, for commands: with the config file, and why it refuses to restart.

Invariant: a record of another run of the gateway counts for nothing: it names the instance that wrote it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from clawgate.settings.private_folder import replace_private

REPORT_NAME = "config-report.json"
REFUSAL_NAME = "restart-refused.json"
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReport:
    """What became of one version of the config file.

    ``digest`` is the SHA-256 of its bytes. ``used``: all of it counts; if not, ``problems`` say why, and of the file
    only what it revokes counts. ``admits_callers`` is whether any caller can be admitted now. ``needs_restart`` are
    keys that a restart applies; ``given_elsewhere`` maps keys to the flag or variable that wins over the file.
    """

    digest: str
    used: bool
    admits_callers: bool = True
    problems: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()
    given_elsewhere: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RestartRefusal:
    """``status`` is the exit status that a start would have ended with; ``problems`` are the reasons."""

    status: int
    problems: tuple[str, ...]


def write_report(folder: Path, instance: str, report: ConfigReport) -> None:
    """Replace the report in the gateway's ``folder``; without a folder or disk space there is none."""
    write_record(folder, REPORT_NAME, instance, asdict(report))


def read_report(folder: Path, instance: str | None) -> ConfigReport | None:
    """Return what the gateway with this instance id wrote last, None if it wrote nothing."""
    record = read_record(folder, REPORT_NAME, instance)
    if record is None:
        return None
    elsewhere = record.get("given_elsewhere")
    return ConfigReport(
        digest=str(record.get("digest")),
        used=record.get("used") is True,
        admits_callers=record.get("admits_callers") is True,
        problems=_texts(record.get("problems")),
        needs_restart=_texts(record.get("needs_restart")),
        given_elsewhere={key: str(part) for key, part in elsewhere.items()}
        if isinstance(elsewhere, dict)
        else {},
    )


def write_refusal(folder: Path, instance: str, refusal: RestartRefusal) -> None:
    """As `write_report`."""
    write_record(folder, REFUSAL_NAME, instance, asdict(refusal))


def read_refusal(folder: Path, instance: str | None) -> RestartRefusal | None:
    """As `read_report`."""
    record = read_record(folder, REFUSAL_NAME, instance) or {}
    status = record.get("status")
    return RestartRefusal(status, _texts(record.get("problems"))) if isinstance(status, int) else None


def clear_refusal(folder: Path) -> None:
    """Remove the record of an earlier request."""
    with contextlib.suppress(OSError):
        (folder / REFUSAL_NAME).unlink(missing_ok=True)


def write_record(folder: Path, name: str, instance: str, record: Mapping[str, object]) -> None:
    """Replace a record of this instance; without a folder or disk space there is none."""
    with contextlib.suppress(OSError):
        replace_private(folder / name, json.dumps({"instance": instance, **record}, default=str).encode())


def read_record(folder: Path, name: str, instance: str | None) -> dict[str, Any] | None:
    """Return a record of this instance, None if there is none."""
    try:
        with (folder / name).open("rb") as file:
            record = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or instance is None or record.get("instance") != instance:
        return None
    return record


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
