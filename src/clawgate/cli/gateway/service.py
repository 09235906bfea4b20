"""``clawgate gateway install`` and ``uninstall``: the machine starts the gateway and keeps it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import Paths, place_options, places, read

_SECONDS = 30.0
_SECRET_VARIABLES = ("OPENCLAW_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_PASSWORD")


@click.command("install")
@place_options
@click.option("--port", type=click.IntRange(1, 65_535), help="Port to listen on  [default as in the config]")
@click.option("--dry-run", is_flag=True, help="Print what would be written and done, and do nothing")
@click.option("--force", is_flag=True, help="Replace a service file that differs")
def install(config: str | None, port: int | None, dry_run: bool, force: bool) -> None:
    """Install the gateway as a service of this user, enable it and start it."""
    where = places(config)
    path, content = _service_file(where, config, port)
    steps = _steps_in(path)
    if dry_run:
        click.echo(f"Would write {path}:")
        click.echo(content.decode(), nl=False)
        for step in steps:
            click.echo(f"Would run: {' '.join(step)}")
        return
    _, problems = read(where)
    if problems:
        for problem in problems:
            click.echo(f"  - {problem}", err=True)
        _fail("the config cannot be used, so nothing was installed; see clawgate doctor")
    if path.exists() and path.read_bytes() != content and not force:
        _fail(f"{path} is there and differs; look at it, or replace it with --force")
    _write(path, content)
    click.echo(f"Wrote {path}")
    for name in _SECRET_VARIABLES:
        if os.environ.get(name):
            click.echo(
                f"  note: {name} is set in this shell only; the service needs it in {where.state / '.env'} "
                "or in the config",
                err=True,
            )
    _take(steps, f"Installed. See: clawgate gateway status, {_log_hint()}")


@click.command("uninstall")
@place_options
@click.option("--dry-run", is_flag=True, help="Print what would be removed and done, and do nothing")
def uninstall(config: str | None, dry_run: bool) -> None:
    """Stop the service and remove its file; config, state and logs stay."""
    path = service_path()
    steps = _steps_out(path)
    if not path.exists():
        click.echo(f"No service is installed ({path} does not exist).")
        return
    if dry_run:
        for step in steps:
            click.echo(f"Would run: {' '.join(step)}")
        click.echo(f"Would remove {path}")
        return
    for step in steps:
        _do(step)
    path.unlink(missing_ok=True)
    if sys.platform != "darwin":
        _do(("systemctl", "--user", "daemon-reload"))
    click.echo(f"Removed {path}. Config, state and logs are still in {places(config).state}")


def service_path() -> Path:
    """Where the file of this user's service belongs."""
    from clawgate.processes.instance.unit_files import AGENT_LABEL, UNIT_NAME

    if sys.platform == "darwin":
        return Path.home() / "Library" / "LaunchAgents" / f"{AGENT_LABEL}.plist"
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "systemd" / "user" / UNIT_NAME


def service_state() -> dict[str, Any]:
    """What `gateway status` says of the service."""
    kind = "launchd" if sys.platform == "darwin" else "systemd"
    path = service_path()
    if not path.exists():
        return {"kind": kind, "installed": False, "state": "not installed"}
    state = "installed"
    if kind == "systemd" and shutil.which("systemctl"):
        state = (
            _ask(("systemctl", "--user", "is-active", path.name)) or "installed; its manager does not answer"
        )
    return {"kind": kind, "installed": True, "state": state, "file": str(path)}


def _service_file(where: Paths, config: str | None, port: int | None) -> tuple[Path, bytes]:
    from clawgate.processes.instance.daemon import gateway_command
    from clawgate.processes.instance.unit_files import (
        CARRIED_VARIABLES,
        UnitFile,
        launchd_agent,
        systemd_unit,
    )

    given = {
        name: str(Path(os.environ[name]).expanduser().absolute())
        for name in CARRIED_VARIABLES
        if os.environ.get(name)
    }
    flags = ["--config", str(Path(config).expanduser().absolute())] if config else []
    flags += ["--port", str(port)] if port else []
    command = gateway_command("gateway", "run", *flags, "--log-file", str(where.log.absolute()))
    plan = UnitFile(command, Path.home(), given)
    if sys.platform == "darwin":
        return service_path(), launchd_agent(plan, where.output.absolute())
    return service_path(), systemd_unit(plan).encode()


def _steps_in(path: Path) -> list[tuple[str, ...]]:
    if sys.platform == "darwin":
        return [("launchctl", "bootstrap", f"gui/{os.getuid()}", str(path))]
    return [
        ("systemctl", "--user", "daemon-reload"),
        ("systemctl", "--user", "enable", "--now", path.name),
    ]


def _steps_out(path: Path) -> list[tuple[str, ...]]:
    if sys.platform == "darwin":
        return [("launchctl", "bootout", f"gui/{os.getuid()}", str(path))]
    return [("systemctl", "--user", "disable", "--now", path.name)]


def _take(steps: list[tuple[str, ...]], at_end: str) -> None:
    """Do the steps; where the service manager is not there, say them."""
    for number, step in enumerate(steps):
        why = _do(step)
        if why is not None:
            click.echo(f"  the service manager did not do it ({why}); next steps:", err=True)
            for left in steps[number:]:
                click.echo(f"    {' '.join(left)}", err=True)
            click.echo("  or without a service: clawgate gateway start", err=True)
            sys.exit(ExitCode.FAILED)
    click.echo(at_end)
    if sys.platform != "darwin":
        click.echo("  to have it run while you are not logged in: loginctl enable-linger")


def _do(step: tuple[str, ...]) -> str | None:
    """Run one step; why it did not work, or None."""
    program = shutil.which(step[0])
    if program is None:
        return f"there is no {step[0]}"
    try:
        done = subprocess.run(
            [program, *step[1:]], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else (done.stderr.strip() or f"status {done.returncode}")


def _ask(step: tuple[str, ...]) -> str:
    program = shutil.which(step[0])
    if program is None:
        return ""
    try:
        return subprocess.run(
            [program, *step[1:]], capture_output=True, text=True, timeout=3, check=False
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content)
    temporary.chmod(0o600)
    temporary.replace(path)


def _log_hint() -> str:
    return "clawgate logs --follow"


def _fail(message: str) -> NoReturn:
    click.echo(f"clawgate: {message}", err=True)
    sys.exit(ExitCode.FAILED)
