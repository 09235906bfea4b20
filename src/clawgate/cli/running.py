"""Finds the gateway that uses this state folder and signals it; what prevents that ends the command."""

from __future__ import annotations

import signal

import click

from clawgate.cli.errors import fail
from clawgate.cli.paths import Paths
from clawgate.processes.instance.instance_lock import RunningInstance, find_instance
from clawgate.processes.instance.pid_identity import send_signal


def find_running(paths: Paths) -> RunningInstance | None:
    try:
        return find_instance(paths.folder)
    except OSError as error:
        fail(f"the state folder cannot be read: {error}")


def fail_if_elsewhere(running: RunningInstance) -> None:
    """End the command if the process cannot be signalled from here."""
    if not running.is_visible:
        fail(
            f"a gateway uses this state folder ({running}), but its process is not visible from here: "
            "it runs in another container or on another machine; run the command there"
        )


def send(running: RunningInstance, sig: signal.Signals) -> None:
    """Send a signal to the gateway and to no other process that has its number now."""
    try:
        send_signal(running.pid, running.identity, sig)
    except PermissionError:
        fail(f"the gateway (pid {running.pid}) belongs to another user; run the command as that user")


def print_output(lines: tuple[str, ...]) -> None:
    for line in lines:
        click.echo(f"  | {line}", err=True)
