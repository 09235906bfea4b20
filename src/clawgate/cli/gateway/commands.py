"""``clawgate gateway``: run it, put it into the background, end it, start it again."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import click

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.gateway.options import SECRET_VARIABLES, plain_flags, run_options, seconds_option
from clawgate.cli.gateway.service import install, uninstall
from clawgate.cli.gateway.status import health, status
from clawgate.cli.paths import Paths, place_options, places, read
from clawgate.cli.terminal.progress import Progress

_AFTER_FORCE_SECONDS = 5.0
_LOOK_EVERY_SECONDS = 0.05


@click.group()
def gateway() -> None:
    """The gateway: one OpenAI-compatible endpoint in front of the providers of OpenClaw's config."""


@gateway.command("run")
@run_options
@click.option("--log-file", metavar="FILE", hidden=True)
@click.option(
    "--exit-on-stdin-eof", is_flag=True, help="Stop when standard input ends: for programs that start us."
)
def run_here(**given: Any) -> None:
    """Run the gateway in the foreground until Ctrl-C."""
    from clawgate.processes.instance.reexec import ignore_restart_signal

    ignore_restart_signal()
    from clawgate.cli.gateway.run import run_gateway

    run_gateway(**given)


@gateway.command("start")
@run_options
@seconds_option(30.0, "How long it may take")
def start(timeout: float, **given: Any) -> None:
    """Start the gateway in the background and wait until it serves."""
    where = places(given["config"])
    running = _find(where)
    if running is not None:
        flags = plain_flags(given)
        click.echo(f"The gateway already runs ({running}).", err=True)
        if flags and flags != running.flags:
            click.echo(
                "  It was started otherwise: clawgate gateway stop, then start again with these flags",
                err=True,
            )
            sys.exit(ExitCode.PORT_TAKEN)
        return
    _start(where, given, timeout)


def _start(where: Paths, given: Mapping[str, Any], timeout: float) -> None:
    from clawgate.processes.instance.daemon import LaunchFailed, gateway_command, launch
    from clawgate.processes.instance.reexec import ignore_restart_signal

    secrets = {variable: given[name] for name, variable in SECRET_VARIABLES.items() if given.get(name)}
    command = gateway_command("gateway", "run", *plain_flags(given), "--log-file", str(where.log.absolute()))
    os.umask(0o077)
    _make_folder()
    ignore_restart_signal()  # inherited: until it can be restarted, the signal for it must not end it
    try:
        with Progress("starting") as progress:
            begun = launch(
                command,
                where.folder,
                output=where.output,
                environment=os.environ | secrets,
                seconds=timeout,
                progress=progress,
            )
    except OSError as error:
        _fail(f"the gateway cannot be started: {error}")
    if isinstance(begun, LaunchFailed):
        _say_why_not(begun, where, timeout)
    click.echo(f"Gateway started: {begun.url} (pid {begun.pid})")
    click.echo(f"  log file: {where.log}")


def _make_folder() -> None:
    from clawgate.settings.paths import own_folder
    from clawgate.settings.problems import SettingsInvalid

    try:
        own_folder(os.environ)
    except SettingsInvalid as error:
        click.echo(f"clawgate: {error}", err=True)
        sys.exit(ExitCode.USAGE)


def _say_why_not(failed: Any, where: Paths, timeout: float) -> NoReturn:
    for line in failed.last_lines:
        click.echo(f"  | {line}", err=True)
    if failed.status is None:
        _fail(f"the gateway did not serve within {timeout:g} s and was stopped; see {where.log}")
    how = f"signal {-failed.status}" if failed.status < 0 else f"status {failed.status}"
    click.echo(f"clawgate: the gateway did not start ({how}); log file: {where.log}", err=True)
    sys.exit(failed.status if failed.status > 0 else ExitCode.FAILED)


@gateway.command("stop")
@place_options
@seconds_option(60.0, "How long answers under way may take")
@click.option("--force", is_flag=True, help="End answers under way after that time")
def stop(config: str | None, timeout: float, force: bool) -> None:
    """Stop the gateway: answers under way may finish, new requests are not taken."""
    running = _find(places(config))
    if running is None:
        click.echo("The gateway does not run.")
        return
    _refuse_if_elsewhere(running)
    if not _stop(running, timeout, force):
        _fail(
            f"the gateway (pid {running.pid}) still finishes what is under way after {timeout:g} s; "
            "wait, or end it with: clawgate gateway stop --force"
        )
    click.echo(f"Gateway stopped (pid {running.pid}).")


def _stop(running: Any, timeout: float, force: bool) -> bool:
    """Whether it has ended."""
    from clawgate.processes.instance.pid_identity import send_signal

    _signal(running, signal.SIGTERM)
    if _ended(running, timeout, "stopping"):
        return True
    if not force:
        return False
    for sig in (signal.SIGTERM, signal.SIGKILL):
        send_signal(running.pid, running.identity, sig)
        if _ended(running, _AFTER_FORCE_SECONDS, "ending"):
            return True
    return False


def _ended(running: Any, seconds: float, doing: str) -> bool:
    import time

    from clawgate.processes.instance.pid_identity import wait_for_exit

    begun = time.monotonic()
    with Progress(doing) as progress:
        while (passed := time.monotonic() - begun) < seconds:
            progress(passed)
            if wait_for_exit(running.pid, running.identity, min(0.5, seconds - passed)):
                return True
    return False


@gateway.command("restart")
@run_options
@seconds_option(60.0, "How long answers under way and the start may take")
def restart(timeout: float, **given: Any) -> None:
    """Start the gateway again, as the same process: with its flags, its environment and its listener.

    Answers under way may finish; connections that are made meanwhile wait and are not refused. Flags are for a
    gateway that does not run yet.
    """
    where = places(given["config"])
    running = _find(where)
    if running is None:
        click.echo("The gateway does not run; starting it.")
        _start(where, given, timeout)
        return
    _refuse_if_elsewhere(running)
    if set(plain_flags(given)) - set(running.flags) or given["token"] or given["password"]:
        _fail("it keeps the flags that it was started with; for others: clawgate gateway stop, then start")
    if running.instance is None:
        _fail(f"the gateway (pid {running.pid}) is still starting; see clawgate gateway status")
    _, problems = read(Paths(Path(running.config or where.config), False, where.state))
    if problems:
        for problem in problems:
            click.echo(f"  - {problem}", err=True)
        _fail("the config cannot be used, so the gateway goes on as it is")
    _again(running, where, timeout)


def _again(running: Any, where: Paths, timeout: float) -> None:
    import time

    from clawgate.processes.instance.daemon import last_lines, serving_instance
    from clawgate.processes.instance.pid_identity import identity_of
    from clawgate.processes.instance.reexec import RESTART_SIGNAL

    _signal(running, RESTART_SIGNAL)
    click.echo(f"Gateway restart request sent to process on port {running.port}: {running.pid}.")
    begun = time.monotonic()
    with Progress("restarting") as progress:
        while (passed := time.monotonic() - begun) < timeout:
            progress(passed)
            now = serving_instance(where.folder)
            if now is not None and now.instance != running.instance:
                click.echo(f"Gateway restarted: {now.url} (pid {now.pid}, after {passed:.1f} s)")
                return
            if now is None and identity_of(running.pid) != running.identity:
                for line in last_lines(where.output) if running.log else ():
                    click.echo(f"  | {line}", err=True)
                _fail(f"the gateway ended instead of starting again; see {running.log or 'its output'}")
            time.sleep(_LOOK_EVERY_SECONDS)
    _fail(
        f"the gateway (pid {running.pid}) has not started again within {timeout:g} s: it may still finish what is "
        "under way; see clawgate gateway status"
    )


def _find(where: Paths) -> Any:
    from clawgate.processes.instance.instance_lock import find_instance

    try:
        return find_instance(where.folder)
    except OSError as error:
        _fail(f"the state folder cannot be looked at: {error}")


def _refuse_if_elsewhere(running: Any) -> None:
    if not running.is_visible:
        _fail(
            f"a gateway holds this state folder ({running}), but its process cannot be seen from here: "
            "it runs in another container or on another machine; do it there"
        )


def _signal(running: Any, sig: signal.Signals) -> None:
    from clawgate.processes.instance.pid_identity import send_signal

    try:
        send_signal(running.pid, running.identity, sig)
    except PermissionError:
        _fail(f"the gateway (pid {running.pid}) belongs to another user")


def _fail(message: str) -> NoReturn:
    click.echo(f"clawgate: {message}", err=True)
    sys.exit(ExitCode.FAILED)


gateway.add_command(status)
gateway.add_command(health)
gateway.add_command(install)
gateway.add_command(uninstall)
