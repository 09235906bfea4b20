"""Reports what the running gateway did with a change of the config file, as it says itself.

Must not say what a gateway should do: without its own report the command says that there is none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from clawgate.cli.paths import Paths
from clawgate.processes.instance.instance_lock import RunningInstance, find_instance
from clawgate.processes.instance.run_records import ConfigReport, read_report
from clawgate.settings.key_path import KeyPath, format_key_path
from clawgate.settings.openclaw.update import WriteResult

WAIT_SECONDS = 10.0
"""A running gateway looks at its config twice a second, and may have to import agents, which takes a second or more."""
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Effect:
    """``text`` is a sentence, empty if no gateway runs; ``warnings`` say what the change does not do.

    ``is_used`` is None where it is not known.
    """

    text: str = ""
    is_used: bool | None = None
    warnings: tuple[str, ...] = ()
    pid: int | None = None

    def to_json(self) -> dict[str, object]:
        return {
            "running": self.pid is not None,
            "pid": self.pid,
            "used": self.is_used,
            "message": self.text or None,
            "warnings": list(self.warnings),
        }


def effect_of(
    paths: Paths,
    written: WriteResult,
    changed: tuple[KeyPath, ...] = (),
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Effect:
    """Wait until the gateway of this state folder has reported on the new version of the file; return its report."""
    try:
        running = find_instance(paths.folder)
    except OSError as error:
        return Effect(f"Whether a gateway runs cannot be seen: {error.strerror}.")
    if (role := _role_of(changed)) is not None:
        return Effect(f"A running 'clawgate {role} run' uses it after a restart.")
    if running is None:
        return Effect()
    name = f"gateway (pid {running.pid})"
    if running.config is None or running.instance is None:
        return Effect(f"The {name} is still starting; see: clawgate gateway status", pid=running.pid)
    if Path(running.config).resolve() != written.path:
        return Effect(f"The running {name} uses another config: {running.config}", pid=running.pid)
    for attempt in range(round(WAIT_SECONDS / _POLL_SECONDS)):
        if attempt:
            sleep(_POLL_SECONDS)
        report = read_report(paths.folder, running.instance)
        if report is not None and report.digest == written.digest:
            return _reported(report, running, changed)
    text = f"The running {name} has not reported within {WAIT_SECONDS:g} s whether it uses the change"
    return Effect(f"{text}; see: clawgate logs", pid=running.pid)


def is_used(paths: Paths, digest: str) -> bool:
    """Whether the running gateway of this state folder uses the version of the config file with this digest."""
    try:
        running = find_instance(paths.folder)
    except OSError:
        return False
    report = read_report(paths.folder, running.instance) if running is not None else None
    return report is not None and report.used and report.digest == digest


def print_effect(effect: Effect) -> None:
    if effect.text:
        click.echo(effect.text)
    print_warnings(effect)


def print_warnings(effect: Effect) -> None:
    for warning in effect.warnings:
        click.echo(f"Warning: {warning}", err=True)


def _role_of(changed: tuple[KeyPath, ...]) -> str | None:
    """Return the role that is no part of a gateway and that the keys belong to."""
    from clawgate.settings.roles.server import ServerSettings

    entry = ("plugins", "entries", ServerSettings.ENTRY)
    return "server" if changed and all(path[:3] == entry for path in changed) else None


def _is_read(path: KeyPath) -> bool:
    from clawgate.settings.openclaw.unknown_keys import unknown_keys_at

    return not any(unknown_keys_at(path, None))


def _reported(report: ConfigReport, running: RunningInstance, changed: tuple[KeyPath, ...]) -> Effect:
    keys = [format_key_path(path) for path in changed]
    warnings = [
        f"the running gateway takes {key} from {origin}, which wins over the file"
        for key, origin in report.given_elsewhere.items()
        if any(key == one or key.startswith(f"{one}.") for one in keys)
    ]
    if report.used:
        text = f"The running gateway (pid {running.pid}) uses it."
        if changed and not any(map(_is_read, changed)):
            text = f"The running gateway (pid {running.pid}) does not read it."
        elif report.needs_restart:
            text = (
                f"Restart the gateway to apply {' and '.join(report.needs_restart)}: clawgate gateway restart"
            )
        return Effect(text, True, tuple(warnings), running.pid)
    warnings += report.problems
    if not report.admits_callers:
        warnings.append("the running gateway admits no caller until that is fixed; see: clawgate doctor")
    text = f"The running gateway (pid {running.pid}) does NOT use the changed config, except for what it revokes."
    return Effect(text, False, tuple(warnings), running.pid)
