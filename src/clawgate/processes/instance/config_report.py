"""Records what the running gateway did with the config file, for commands that change it.

Invariant: a record of another run of the gateway counts for nothing. It names the instance that wrote it, and the bytes
of the file that it is about.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FILE_NAME = "config-report.json"
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReport:
    """What became of one version of the file.

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


def write_report(folder: Path, instance: str, report: ConfigReport) -> None:
    """Replace the record in the gateway's ``folder``; without a folder or disk space there is none."""
    draft = folder / f".{FILE_NAME}.{os.getpid()}"
    with contextlib.suppress(OSError):
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"instance": instance, **asdict(report)}, file)
        draft.replace(folder / FILE_NAME)


def read_report(folder: Path, instance: str | None) -> ConfigReport | None:
    """Return what the gateway with this instance id wrote last, None if it wrote nothing."""
    try:
        with (folder / FILE_NAME).open("rb") as file:
            document = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or instance is None or document.get("instance") != instance:
        return None
    return ConfigReport(
        digest=str(document.get("digest")),
        used=document.get("used") is True,
        admits_callers=document.get("admits_callers") is True,
        problems=_texts(document.get("problems")),
        needs_restart=_texts(document.get("needs_restart")),
        given_elsewhere=_mapping(document.get("given_elsewhere")),
    )


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _mapping(value: Any) -> dict[str, str]:
    return {str(key): str(part) for key, part in value.items()} if isinstance(value, dict) else {}
