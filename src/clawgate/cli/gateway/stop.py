"""``clawgate gateway stop``: ends the gateway once its requests have finished."""

from __future__ import annotations

import signal
import time

import click

from clawgate.cli.action_output import action_output
from clawgate.cli.errors import fail
from clawgate.cli.gateway.options import timeout_option
from clawgate.cli.paths import find_paths, json_option, path_options
from clawgate.cli.running import fail_if_elsewhere, find_running, send
from clawgate.cli.terminal.progress import Progress
from clawgate.processes.instance.instance_lock import RunningInstance
from clawgate.processes.instance.pid_identity import send_signal, wait_for_exit

_AFTER_FORCE_SECONDS = 5.0


@click.command("stop", short_help="Stop the gateway.")
@path_options
@json_option
@timeout_option(60.0, "Time limit for the running requests.")
@click.option("--force", is_flag=True, help="Abort the requests that still run after that time.")
def stop(config: str | None, as_json: bool, timeout: float, force: bool) -> None:
    """Stop the gateway. It takes no new requests; running requests may finish."""
    with action_output("stop", as_json=as_json) as output:
        running = find_running(find_paths(config))
        if running is None:
            output.line("The gateway is not running.")
            output.finish("not-running")
            return
        fail_if_elsewhere(running)
        if not _stop(running, timeout, force):
            fail(
                f"the gateway (pid {running.pid}) still has running requests after {timeout:g} s; "
                "wait, or abort them with: clawgate gateway stop --force"
            )
        output.line(f"Gateway stopped (pid {running.pid}).")
        output.finish("stopped", pid=running.pid)


def _stop(running: RunningInstance, timeout: float, force: bool) -> bool:
    send(running, signal.SIGTERM)
    if _ended(running, timeout, "stopping"):
        return True
    if not force:
        return False
    for sig in (signal.SIGTERM, signal.SIGKILL):
        send_signal(running.pid, running.identity, sig)
        if _ended(running, _AFTER_FORCE_SECONDS, "aborting"):
            return True
    return False


def _ended(running: RunningInstance, seconds: float, activity: str) -> bool:
    begun = time.monotonic()
    with Progress(activity) as progress:
        while (elapsed := time.monotonic() - begun) < seconds:
            progress(elapsed)
            if wait_for_exit(running.pid, running.identity, min(0.5, seconds - elapsed)):
                return True
    return False
