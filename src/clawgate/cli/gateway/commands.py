"""``clawgate gateway``: the group of its commands, and ``run``."""

from __future__ import annotations

from typing import Any

import click

from clawgate.cli.gateway.options import run_options
from clawgate.cli.gateway.restart import restart
from clawgate.cli.gateway.service import install, uninstall
from clawgate.cli.gateway.start import start
from clawgate.cli.gateway.status import health, status
from clawgate.cli.gateway.stop import stop
from clawgate.cli.gateway.token import token
from clawgate.processes.instance.reexec import ignore_restart_signal


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
    ignore_restart_signal()
    from clawgate.cli.gateway.run import GatewayRun, RunOptions

    GatewayRun(RunOptions(**flags)).serve()


for command in (start, stop, restart, status, health, token, install, uninstall):
    gateway.add_command(command)
