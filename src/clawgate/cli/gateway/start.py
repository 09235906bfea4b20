"""``clawgate gateway start``: runs the gateway in the background, and prints the first request to it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NoReturn

import click

from clawgate.cli.action_output import ActionOutput, action_output
from clawgate.cli.errors import fail
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.first_request import print_request_to, read_config_with
from clawgate.cli.gateway.options import SECRET_VARIABLES, public_flags, run_options, timeout_option
from clawgate.cli.paths import Paths, find_paths, json_option
from clawgate.cli.running import find_running, print_output
from clawgate.cli.terminal.progress import Progress
from clawgate.processes.instance.daemon import LaunchFailed, gateway_command, launch
from clawgate.processes.instance.instance_lock import RunningInstance
from clawgate.processes.instance.reexec import ignore_restart_signal
from clawgate.settings.paths import own_folder
from clawgate.settings.problems import SettingsInvalid


@click.command("start", short_help="Start the gateway in the background.")
@run_options
@json_option
@timeout_option(30.0, "Time limit for the start.")
def start(timeout: float, as_json: bool, **flags: Any) -> None:
    """Start the gateway in the background and wait until it serves."""
    with action_output("start", as_json=as_json) as output:
        paths = find_paths(flags["config"])
        running = find_running(paths)
        if running is None:
            start_gateway(paths, flags, timeout, output)
            return
        output.warn(f"The gateway is already running ({running}).")
        arguments = public_flags(flags)
        if arguments and arguments != running.flags:
            fail(
                "the gateway was started with different flags; to change them: clawgate gateway stop, "
                f"then clawgate gateway start {' '.join(arguments)}",
                status=ExitCode.PORT_TAKEN,
            )
        request = print_request_to(paths, flags, running, output.line)
        first = request.to_json() if request else None
        output.finish("already-running", pid=running.pid, url=running.url, firstRequest=first)


def start_gateway(paths: Paths, flags: Mapping[str, Any], timeout: float, output: ActionOutput) -> None:
    """Start a gateway, wait until it serves, and print where, and the first request."""
    makes_token = _makes_token(paths, flags)
    started = _launch(paths, flags, timeout)
    output.line(f"Gateway started: {started.url} (pid {started.pid})")
    output.line(f"  log file: {paths.log}")
    token_file = str(paths.config) if makes_token else None
    if token_file:
        output.line(
            f"  a token was made: gateway.auth.token in {token_file}; to print it: clawgate gateway token"
        )
    request = print_request_to(paths, flags, started, output.line)
    output.finish(
        "started",
        pid=started.pid,
        url=started.url,
        port=started.port,
        logFile=str(paths.log),
        tokenMadeIn=token_file,
        firstRequest=request.to_json() if request else None,
    )


def _launch(paths: Paths, flags: Mapping[str, Any], timeout: float) -> RunningInstance:
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
    return started


def _make_folder() -> None:
    try:
        own_folder(os.environ)
    except SettingsInvalid as error:
        fail(str(error), status=ExitCode.USAGE)


def _fail_to_start(failed: LaunchFailed, paths: Paths, timeout: float) -> NoReturn:
    print_output(failed.last_lines)
    see = "see its output above" if failed.last_lines else f"see {paths.log}, or run: clawgate gateway run"
    if failed.status is None:
        fail(f"the gateway did not serve within {timeout:g} s and was stopped; {see}")
    how = f"signal {-failed.status}" if failed.status < 0 else f"status {failed.status}"
    fail(
        f"the gateway did not start ({how}); {see}",
        status=failed.status if failed.status > 0 else ExitCode.FAILED,
    )


def _makes_token(paths: Paths, flags: Mapping[str, Any]) -> bool:
    from clawgate.settings.openclaw.gateway import lacks_token

    found = read_config_with(paths, flags)
    return found is not None and lacks_token(*found)
