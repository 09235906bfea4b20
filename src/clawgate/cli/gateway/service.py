"""``clawgate gateway install`` and ``uninstall``: the gateway as a systemd or launchd service of this user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from clawgate.cli.action_output import action_output
from clawgate.cli.errors import fail
from clawgate.cli.gateway.service_environment import carried_variables, check_service
from clawgate.cli.paths import Paths, find_paths, json_option, path_options
from clawgate.processes.instance.unit_files import (
    AGENT_LABEL,
    UNIT_NAME,
    UnitFile,
    launchd_agent,
    systemd_unit,
)
from clawgate.settings.private_folder import make_private_folder, replace_private

_STEP_SECONDS = 30.0
_QUERY_SECONDS = 3.0


@click.command("install", short_help="Install the gateway as a service of this user.")
@path_options
@json_option
@click.option("--port", type=click.IntRange(1, 65_535), help="Port to listen on.  [default: the config's]")
@click.option("--dry-run", is_flag=True, help="Print the file and the commands, and change nothing.")
@click.option("--force", is_flag=True, help="Replace a service file that differs.")
def install(config: str | None, as_json: bool, port: int | None, dry_run: bool, force: bool) -> None:
    """Install the gateway as a service of this user, enable it and start it.

    It checks first that the gateway could start there. The service gets PATH and the places of the files from this
    shell; other variables that the config needs belong into .env of the state folder (mode 0600).
    """
    from clawgate.settings.openclaw.gateway import GatewayFlags

    with action_output("install", as_json=as_json) as output:
        paths = find_paths(config)
        path, content = _service_file(paths, config, port)
        is_active = service_state()["state"] == "active"
        notes = check_service(paths, GatewayFlags(port=port), os.environ, is_active=is_active)
        steps = _install_steps(path)
        facts: dict[str, object] = {"file": str(path), "commands": [" ".join(step) for step in steps]}
        if dry_run:
            text = content.decode().removesuffix("\n")
            output.line(f"Would write {path}:\n{text}")
            for step in steps:
                output.line(f"Would run: {' '.join(step)}")
            for note in notes:
                output.warn(note)
            output.finish("dry-run", **facts, content=content.decode())
            return
        if path.exists() and path.read_bytes() != content and not force:
            fail(f"{path} exists and differs; compare it with --dry-run, replace it with --force")
        make_private_folder(path.parent)
        replace_private(path, content)
        output.line(f"Wrote {path}")
        for note in notes:
            output.warn(note)
        _run_steps(steps)
        output.line("Installed. See: clawgate gateway status, clawgate logs --follow")
        if sys.platform != "darwin":
            output.line("  to keep it running while you are logged out: loginctl enable-linger")
        output.finish("installed", **facts)


@click.command("uninstall", short_help="Stop the service and remove its file.")
@path_options
@json_option
@click.option("--dry-run", is_flag=True, help="Print the commands and the file, and change nothing.")
def uninstall(config: str | None, as_json: bool, dry_run: bool) -> None:
    """Stop the service and remove its file; config, state and logs stay."""
    with action_output("uninstall", as_json=as_json) as output:
        path = service_path()
        steps = _uninstall_steps(path)
        facts: dict[str, object] = {"file": str(path), "commands": [" ".join(step) for step in steps]}
        if not path.exists():
            output.line(f"No service is installed ({path} does not exist).")
            output.finish("not-installed", file=str(path))
            return
        if dry_run:
            for step in steps:
                output.line(f"Would run: {' '.join(step)}")
            output.line(f"Would remove {path}")
            output.finish("dry-run", **facts)
            return
        for step in steps:
            _run(step)
        path.unlink(missing_ok=True)
        if sys.platform != "darwin":
            _run(("systemctl", "--user", "daemon-reload"))
        output.line(f"Removed {path}. Config, state and logs are still in {find_paths(config).state}")
        output.finish("uninstalled", **facts)


def service_path() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "LaunchAgents" / f"{AGENT_LABEL}.plist"
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "systemd" / "user" / UNIT_NAME


def service_state() -> dict[str, Any]:
    """Return the `service` part of `gateway status --json`."""
    kind = "launchd" if sys.platform == "darwin" else "systemd"
    path = service_path()
    if not path.exists():
        return {"kind": kind, "installed": False, "state": "not installed"}
    state = "installed"
    if kind == "systemd" and shutil.which("systemctl"):
        state = (
            _query(("systemctl", "--user", "is-active", path.name)) or "installed; systemd does not respond"
        )
    return {"kind": kind, "installed": True, "state": state, "file": str(path)}


def _service_file(paths: Paths, config: str | None, port: int | None) -> tuple[Path, bytes]:
    from clawgate.processes.instance.daemon import gateway_command

    flags = ["--config", str(Path(config).expanduser().absolute())] if config else []
    flags += ["--port", str(port)] if port else []
    command = gateway_command("gateway", "run", *flags, "--log-file", str(paths.log.absolute()))
    unit = UnitFile(command, Path.home(), carried_variables(os.environ))
    if sys.platform == "darwin":
        return service_path(), launchd_agent(unit, paths.output.absolute())
    return service_path(), systemd_unit(unit).encode()


def _install_steps(path: Path) -> list[tuple[str, ...]]:
    if sys.platform == "darwin":
        return [("launchctl", "bootstrap", f"gui/{os.getuid()}", str(path))]
    return [
        ("systemctl", "--user", "daemon-reload"),
        ("systemctl", "--user", "enable", "--now", path.name),
    ]


def _uninstall_steps(path: Path) -> list[tuple[str, ...]]:
    if sys.platform == "darwin":
        return [("launchctl", "bootout", f"gui/{os.getuid()}", str(path))]
    return [("systemctl", "--user", "disable", "--now", path.name)]


def _run_steps(steps: list[tuple[str, ...]]) -> None:
    """Run the steps; if one fails, the command ends with those that the user has to run."""
    for number, step in enumerate(steps):
        reason = _run(step)
        if reason is not None:
            fail(
                f"'{' '.join(step)}' failed: {reason}; start the gateway without a service "
                "(clawgate gateway start), or run yourself:",
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
