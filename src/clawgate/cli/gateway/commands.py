"""``clawgate gateway``: run it, start it in the background, stop it, restart it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import click

from clawgate.cli.errors import fail
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.gateway.options import SECRET_VARIABLES, public_flags, run_options, timeout_option
from clawgate.cli.gateway.service import install, uninstall
from clawgate.cli.gateway.status import health, status
from clawgate.cli.paths import Paths, find_paths, path_options, read_config_at
from clawgate.cli.terminal.progress import Progress

_AFTER_FORCE_SECONDS = 5.0
_POLL_SECONDS = 0.05


@click.group()
def gateway() -> None:
    """The gateway: one OpenAI-compatible endpoint in front of the providers of OpenClaw's config."""


@gateway.command("run", short_help="Run the gateway in the foreground.")
@run_options
@click.option("--log-file", metavar="FILE", hidden=True)
@click.option(
    "--exit-on-stdin-eof",
    is_flag=True,
    help="Stop when standard input ends, for programs that start the gateway.",
)
def run_in_foreground(**flags: Any) -> None:
    """Run the gateway in the foreground until Ctrl-C."""
    from clawgate.processes.instance.reexec import ignore_restart_signal

    ignore_restart_signal()
    from clawgate.cli.gateway.run import GatewayRun, RunOptions

    GatewayRun(RunOptions(**flags)).serve()


@gateway.command("start", short_help="Start the gateway in the background.")
@run_options
@timeout_option(30.0, "Time limit for the start.")
def start(timeout: float, **flags: Any) -> None:
    """Start the gateway in the background and wait until it serves."""
    paths = find_paths(flags["config"])
    running = _find(paths)
    if running is None:
        _start(paths, flags, timeout)
        return
    click.echo(f"The gateway is already running ({running}).", err=True)
    arguments = public_flags(flags)
    if arguments and arguments != running.flags:
        fail(
            "the gateway was started with different flags; to change them: clawgate gateway stop, "
            f"then clawgate gateway start {' '.join(arguments)}",
            status=ExitCode.PORT_TAKEN,
        )


def _start(paths: Paths, flags: Mapping[str, Any], timeout: float) -> None:
    from clawgate.processes.instance.daemon import LaunchFailed, gateway_command, launch
    from clawgate.processes.instance.reexec import ignore_restart_signal

    secrets = {variable: flags[name] for name, variable in SECRET_VARIABLES.items() if flags.get(name)}
    command = gateway_command("gateway", "run", *public_flags(flags), "--log-file", str(paths.log.absolute()))
    os.umask(0o077)
    _make_folder()
    ignore_restart_signal()  # inherited: the signal must not end a gateway that cannot restart yet
    try:
        with Progress("starting") as progress:
            started = launch(
                command,
                paths.folder,
                output=paths.output,
                environment=os.environ | secrets,
                seconds=timeout,
                progress=progress,
            )
    except OSError as error:
        fail(f"the gateway cannot be started: {error}")
    if isinstance(started, LaunchFailed):
        _fail_to_start(started, paths, timeout)
    click.echo(f"Gateway started: {started.url} (pid {started.pid})")
    click.echo(f"  log file: {paths.log}")


def _make_folder() -> None:
    from clawgate.settings.paths import own_folder
    from clawgate.settings.problems import SettingsInvalid

    try:
        own_folder(os.environ)
    except SettingsInvalid as error:
        fail(str(error), status=ExitCode.USAGE)


def _fail_to_start(failed: Any, paths: Paths, timeout: float) -> NoReturn:
    _print_output(failed.last_lines)
    see = "see its output above" if failed.last_lines else f"see {paths.log}"
    if failed.status is None:
        fail(f"the gateway did not serve within {timeout:g} s and was stopped; {see}")
    how = f"signal {-failed.status}" if failed.status < 0 else f"status {failed.status}"
    fail(
        f"the gateway did not start ({how}); {see}",
        status=failed.status if failed.status > 0 else ExitCode.FAILED,
    )


@gateway.command("stop", short_help="Stop the gateway.")
@path_options
@timeout_option(60.0, "Time limit for the running requests.")
@click.option("--force", is_flag=True, help="Abort the requests that still run after that time.")
def stop(config: str | None, timeout: float, force: bool) -> None:
    """Stop the gateway. It takes no new requests; running requests may finish."""
    running = _find(find_paths(config))
    if running is None:
        click.echo("The gateway is not running.")
        return
    _fail_if_elsewhere(running)
    if not _stop(running, timeout, force):
        fail(
            f"the gateway (pid {running.pid}) still has running requests after {timeout:g} s; "
            "wait, or abort them with: clawgate gateway stop --force"
        )
    click.echo(f"Gateway stopped (pid {running.pid}).")


def _stop(running: Any, timeout: float, force: bool) -> bool:
    """Return whether the gateway has ended."""
    from clawgate.processes.instance.pid_identity import send_signal

    _signal(running, signal.SIGTERM)
    if _ended(running, timeout, "stopping"):
        return True
    if not force:
        return False
    for sig in (signal.SIGTERM, signal.SIGKILL):
        send_signal(running.pid, running.identity, sig)
        if _ended(running, _AFTER_FORCE_SECONDS, "aborting"):
            return True
    return False


def _ended(running: Any, seconds: float, activity: str) -> bool:
    from clawgate.processes.instance.pid_identity import wait_for_exit

    begun = time.monotonic()
    with Progress(activity) as progress:
        while (elapsed := time.monotonic() - begun) < seconds:
            progress(elapsed)
            if wait_for_exit(running.pid, running.identity, min(0.5, seconds - elapsed)):
                return True
    return False


@gateway.command("restart", short_help="Restart the gateway without refusing a connection.")
@run_options
@timeout_option(60.0, "Time limit for the running requests and the new start.")
def restart(timeout: float, **flags: Any) -> None:
    """Restart the gateway as the same process, with its flags, its environment and its listener.

    Running requests may finish. Connections that clients open meanwhile wait, none is refused. Flags count only for
    a gateway that is not running yet.
    """
    paths = find_paths(flags["config"])
    running = _find(paths)
    if running is None:
        click.echo("The gateway is not running; starting it.")
        _start(paths, flags, timeout)
        return
    _fail_if_elsewhere(running)
    if set(public_flags(flags)) - set(running.flags) or flags["token"] or flags["password"]:
        fail(
            "a restart keeps the flags of the running gateway; to change them: clawgate gateway stop, "
            "then clawgate gateway start with the new flags"
        )
    if running.instance is None:
        fail(f"the gateway (pid {running.pid}) is still starting; see: clawgate gateway status")
    _, problems = read_config_at(Paths(Path(running.config or paths.config), False, paths.state))
    if problems:
        fail("the config is invalid, the running gateway keeps its old config:", problems)
    _restart(running, paths, timeout)


def _restart(running: Any, paths: Paths, timeout: float) -> None:
    from clawgate.processes.instance.daemon import last_lines, serving_instance
    from clawgate.processes.instance.pid_identity import identity_of
    from clawgate.processes.instance.reexec import RESTART_SIGNAL

    _signal(running, RESTART_SIGNAL)
    click.echo(f"Gateway restart request sent to process on port {running.port}: {running.pid}.")
    begun = time.monotonic()
    with Progress("restarting") as progress:
        while (elapsed := time.monotonic() - begun) < timeout:
            progress(elapsed)
            now = serving_instance(paths.folder)
            if now is not None and now.instance != running.instance:
                click.echo(f"Gateway restarted: {now.url} (pid {now.pid}, after {elapsed:.1f} s)")
                return
            if now is None and identity_of(running.pid) != running.identity:
                _print_output(last_lines(paths.output) if running.log else ())
                fail(f"the gateway ended instead of restarting; see {running.log or 'its output'}")
            time.sleep(_POLL_SECONDS)
    fail(
        f"the gateway (pid {running.pid}) has not restarted within {timeout:g} s, requests may still run; "
        "see: clawgate gateway status"
    )


def _print_output(lines: tuple[str, ...]) -> None:
    """Print the last output of a gateway that failed."""
    for line in lines:
        click.echo(f"  | {line}", err=True)


def _find(paths: Paths) -> Any:
    from clawgate.processes.instance.instance_lock import find_instance

    try:
        return find_instance(paths.folder)
    except OSError as error:
        fail(f"the state folder cannot be read: {error}")


def _fail_if_elsewhere(running: Any) -> None:
    if not running.is_visible:
        fail(
            f"a gateway uses this state folder ({running}), but its process is not visible from here: "
            "it runs in another container or on another machine; run the command there"
        )


def _signal(running: Any, sig: signal.Signals) -> None:
    from clawgate.processes.instance.pid_identity import send_signal

    try:
        send_signal(running.pid, running.identity, sig)
    except PermissionError:
        fail(f"the gateway (pid {running.pid}) belongs to another user; run the command as that user")


gateway.add_command(status)
gateway.add_command(health)
gateway.add_command(install)
gateway.add_command(uninstall)
