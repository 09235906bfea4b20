"""Installs a role as a service of systemd or launchd, of this user or of the whole machine, and removes it.

The file of a service holds no secret, since other users may be able to read it.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from clawgate.cli.action_output import ActionOutput
from clawgate.cli.errors import fail
from clawgate.processes.instance.unit_files import (
    CARRIED_VARIABLES,
    SystemUnit,
    UnitFile,
    agent_label,
    launchd_agent,
    system_service,
    system_socket,
    systemd_unit,
    unit_name,
)
from clawgate.settings.private_folder import make_private_folder, replace_private

_F = TypeVar("_F", bound=Callable[..., Any])
SERVICE_DRAIN_SECONDS = 300
"""Of a service that systemd holds the port for: a stream of a model may take minutes."""
_RESERVE_SECONDS = 30
_STEP_SECONDS = 30.0
_QUERY_SECONDS = 3.0
_SYSTEM_UNITS = Path("/etc/systemd/system")


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """The files of a service by path, and the commands that enable and start it."""

    files: Mapping[Path, bytes]
    steps: Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class SystemFlags:
    """What `system_options` give."""

    system: str | None
    environment_file: str | None
    instance: str
    unit_folder: str | None


def system_options(command: _F) -> _F:
    """Add the flags of a service of the whole machine."""
    for option in (
        click.option(
            "--unit-folder", metavar="FOLDER", hidden=True, help="Write the units there, run nothing."
        ),
        click.option(
            "--instance", default="", hidden=True, help="Distinguishes services that share the socket."
        ),
        click.option(
            "--environment-file",
            metavar="FILE",
            help="With --system: the variables of the service (mode 0600).",
        ),
        click.option(
            "--system", metavar="USER", help="Install a hardened service of the whole machine, run as USER."
        ),
    ):
        command = option(command)
    return command


def take_system_flags(flags: dict[str, Any]) -> SystemFlags:
    """Take the values of `system_options` from ``flags``."""
    given = SystemFlags(
        *(flags.pop(name) for name in ("system", "environment_file", "instance", "unit_folder"))
    )
    if given.system is None and (given.environment_file or given.instance or given.unit_folder):
        raise click.UsageError("--environment-file is for a service of the whole machine: add --system USER")
    return given


def carried_variables(process: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for the service's file: where the files are, and where programs are found."""
    carried = {
        name: str(Path(process[name]).expanduser().absolute())
        for name in CARRIED_VARIABLES
        if process.get(name)
    }
    folders = [folder for folder in process.get("PATH", "").split(os.pathsep) if Path(folder).is_absolute()]
    return carried | ({"PATH": os.pathsep.join(dict.fromkeys(folders))} if folders else {})


def stop_seconds(drain: float) -> int:
    """Return after how many seconds the service manager may kill what drains for ``drain``."""
    return math.ceil(drain) + _RESERVE_SECONDS


def service_path(role: str) -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "LaunchAgents" / f"{agent_label(role)}.plist"
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "systemd" / "user" / unit_name(role)


def service_state(role: str) -> dict[str, Any]:
    """Return the `service` part of `gateway status --json`."""
    kind = "launchd" if sys.platform == "darwin" else "systemd"
    path = service_path(role)
    if not path.exists():
        return {"kind": kind, "installed": False, "state": "not installed"}
    state = "installed"
    if kind == "systemd" and shutil.which("systemctl"):
        state = (
            _query(("systemctl", "--user", "is-active", path.name)) or "installed; systemd does not respond"
        )
    return {"kind": kind, "installed": True, "state": state, "file": str(path)}


def user_plan(unit: UnitFile, output: Path) -> ServicePlan:
    """Return the service of this user. ``output`` is where launchd writes what it prints."""
    path = service_path(unit.role)
    if sys.platform == "darwin":
        step = ("launchctl", "bootstrap", f"gui/{os.getuid()}", str(path))
        return ServicePlan({path: launchd_agent(unit, output)}, [step])
    steps = [("systemctl", "--user", "daemon-reload"), ("systemctl", "--user", "enable", "--now", path.name)]
    return ServicePlan({path: systemd_unit(unit).encode()}, steps)


def system_plan(unit: SystemUnit, folder: str | None) -> ServicePlan:
    """Return the service of the whole machine; with ``folder`` its files are written there, and nothing is run."""
    place = Path(folder) if folder else _SYSTEM_UNITS
    files = {
        place / unit.socket_name: system_socket(unit).encode(),
        place / unit.service_name: system_service(unit).encode(),
    }
    names = unit.socket_name, unit.service_name
    steps = [("systemctl", "daemon-reload"), *(("systemctl", "enable", "--now", name) for name in names)]
    return ServicePlan(files, [] if folder else steps)


def install_service(
    output: ActionOutput, role: str, plan: ServicePlan, notes: Sequence[str], *, dry_run: bool, force: bool
) -> None:
    """Write the files and run the steps, or with ``dry_run`` print both."""
    facts: dict[str, object] = {
        "file": str([*plan.files][-1]),
        "commands": [" ".join(step) for step in plan.steps],
    }
    if dry_run:
        for path, content in plan.files.items():
            output.line(f"Would write {path}:\n{content.decode().removesuffix(chr(10))}")
        for step in plan.steps:
            output.line(f"Would run: {' '.join(step)}")
        for note in notes:
            output.warn(note)
        output.finish("dry-run", **facts, content=[*plan.files.values()][-1].decode())
        return
    for path, content in plan.files.items():
        if path.exists() and path.read_bytes() != content and not force:
            fail(f"{path} exists and differs; compare it with --dry-run, replace it with --force")
    for path, content in plan.files.items():
        make_private_folder(path.parent)
        replace_private(path, content)
        output.line(f"Wrote {path}")
    for note in notes:
        output.warn(note)
    _run_steps(role, plan.steps)
    output.finish("installed", **facts)


def uninstall_service(output: ActionOutput, role: str, stays: str, *, dry_run: bool) -> None:
    """Stop the service of this user and remove its file; ``stays`` is a sentence on what is left."""
    path = service_path(role)
    if sys.platform == "darwin":
        stop: tuple[str, ...] = ("launchctl", "bootout", f"gui/{os.getuid()}", str(path))
    else:
        stop = ("systemctl", "--user", "disable", "--now", path.name)
    if not path.exists():
        output.line(f"No service is installed ({path} does not exist).")
        output.finish("not-installed", file=str(path))
        return
    facts: dict[str, object] = {"file": str(path), "commands": [" ".join(stop)]}
    if dry_run:
        output.line(f"Would run: {' '.join(stop)}")
        output.line(f"Would remove {path}")
        output.finish("dry-run", **facts)
        return
    _run(stop)
    path.unlink(missing_ok=True)
    if sys.platform != "darwin":
        _run(("systemctl", "--user", "daemon-reload"))
    output.line(f"Removed {path}. {stays}")
    output.finish("uninstalled", **facts)


def _run_steps(role: str, steps: Sequence[tuple[str, ...]]) -> None:
    """Run the steps; if one fails, the command ends with those that the user has to run."""
    for number, step in enumerate(steps):
        reason = _run(step)
        if reason is not None:
            other = "clawgate gateway start" if role == "gateway" else "clawgate server run"
            fail(
                f"'{' '.join(step)}' failed: {reason}; start the {role} without a service ({other}), "
                "or run yourself:",
                [" ".join(remaining) for remaining in steps[number:]],
            )


def _run(step: tuple[str, ...]) -> str | None:
    """Run one step; return why it failed, or None."""
    done = _call(step, _STEP_SECONDS)
    if isinstance(done, str):
        return done
    return None if done.returncode == 0 else (done.stderr.strip() or f"status {done.returncode}")


def _query(step: tuple[str, ...]) -> str:
    """Return the output of a command, "" if it cannot be had."""
    done = _call(step, _QUERY_SECONDS)
    return "" if isinstance(done, str) else done.stdout.strip()


def _call(step: tuple[str, ...], seconds: float) -> subprocess.CompletedProcess[str] | str:
    """Run a command to its end; return why it could not be run instead."""
    program = shutil.which(step[0])
    if program is None:
        return f"there is no {step[0]}"
    try:
        return subprocess.run(
            [program, *step[1:]], capture_output=True, text=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
