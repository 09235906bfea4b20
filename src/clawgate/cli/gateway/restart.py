"""``clawgate gateway restart``: replaces the running gateway by its next program, if that could start."""

from __future__ import annotations

import time
from typing import Any

import click

from clawgate.cli.action_output import ActionOutput, action_output
from clawgate.cli.errors import fail
from clawgate.cli.gateway.options import public_flags, run_options, timeout_option
from clawgate.cli.gateway.start import start_gateway
from clawgate.cli.paths import Paths, find_paths, json_option
from clawgate.cli.running import fail_if_elsewhere, find_running, print_output, send
from clawgate.cli.terminal.progress import Progress
from clawgate.processes.instance.daemon import last_lines, serving_instance
from clawgate.processes.instance.instance_lock import RunningInstance
from clawgate.processes.instance.pid_identity import identity_of
from clawgate.processes.instance.reexec import RESTART_SIGNAL
from clawgate.processes.instance.run_records import clear_refusal, read_refusal

_POLL_SECONDS = 0.05


@click.command("restart", short_help="Restart the gateway without refusing a connection.")
@run_options
@json_option
@timeout_option(60.0, "Time limit for the running requests and the new start.")
def restart(timeout: float, as_json: bool, **flags: Any) -> None:
    """Restart the gateway as the same process, with its flags, its environment and its listener.

    First it checks that it could start again: config, credentials, port. If not, it keeps running as it is. Running
    requests may finish. Connections that clients open meanwhile wait, none is refused. Flags count only for a
    gateway that is not running yet.
    """
    with action_output("restart", as_json=as_json) as output:
        paths = find_paths(flags["config"])
        running = find_running(paths)
        if running is None:
            output.line("The gateway is not running; starting it.")
            start_gateway(paths, flags, timeout, output)
            return
        fail_if_elsewhere(running)
        if set(public_flags(flags)) - set(running.flags) or flags["token"] or flags["password"]:
            fail(
                "a restart keeps the flags of the running gateway; to change them: clawgate gateway stop, "
                "then clawgate gateway start with the new flags"
            )
        if running.instance is None:
            fail(f"the gateway (pid {running.pid}) is still starting; see: clawgate gateway status")
        _restart(running, paths, timeout, output)


def _restart(running: RunningInstance, paths: Paths, timeout: float, output: ActionOutput) -> None:
    clear_refusal(paths.folder)
    send(running, RESTART_SIGNAL)
    output.line(f"Gateway restart request sent to process on port {running.port}: {running.pid}.")
    begun = time.monotonic()
    with Progress("restarting") as progress:
        while (elapsed := time.monotonic() - begun) < timeout:
            progress(elapsed)
            if (refusal := read_refusal(paths.folder, running.instance)) is not None:
                fail(
                    "the gateway keeps running as it is, because it could not start again:",
                    refusal.problems,
                    status=refusal.status,
                )
            now = serving_instance(paths.folder)
            if now is not None and now.instance != running.instance:
                output.line(f"Gateway restarted: {now.url} (pid {now.pid}, after {elapsed:.1f} s)")
                output.finish("restarted", pid=now.pid, url=now.url, port=now.port, seconds=round(elapsed, 1))
                return
            if now is None and identity_of(running.pid) != running.identity:
                print_output(last_lines(paths.output) if running.log else ())
                fail(f"the gateway ended instead of restarting; see {running.log or 'its output'}")
            time.sleep(_POLL_SECONDS)
    fail(
        f"the gateway (pid {running.pid}) has not restarted within {timeout:g} s, requests may still run; "
        "see: clawgate gateway status"
    )
