"""Reads what a client presents to the gateway of this state folder. Must not print it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from clawgate.cli.errors import fail, fail_invalid_config
from clawgate.cli.paths import Paths
from clawgate.cli.running import find_running
from clawgate.processes.instance.run_records import read_report
from clawgate.settings.problems import SettingsInvalid

if TYPE_CHECKING:
    from clawgate.settings.openclaw.config_file import ConfigFile
    from clawgate.settings.openclaw.gateway import CallerSecret

THROUGH_PROXY = "gateway.auth.mode is 'trusted-proxy': the reverse proxy names the caller"


def read_secret(paths: Paths, env_file: str | None = None) -> tuple[ConfigFile, CallerSecret | None]:
    """Return the config, and what it has a client present; None if there is nothing (`why_none`)."""
    from clawgate.settings.openclaw.gateway import GatewayFlags, caller_secret

    try:
        file = paths.read_config(env_file)
        secret = caller_secret(file, GatewayFlags())
    except SettingsInvalid as error:
        fail_invalid_config(error.problems)
    return file, secret


def why_none(file: ConfigFile) -> str:
    from clawgate.settings.openclaw.gateway import GatewayFlags, lacks_token

    mode = file.config.gateway.auth.mode
    if mode == "none":
        return "gateway.auth.mode is 'none': clients need no token"
    if mode == "trusted-proxy":
        return f"{THROUGH_PROXY}; for programs of this machine set gateway.auth.password"
    if mode == "password":
        return "no password is set; set gateway.auth.password or OPENCLAW_GATEWAY_PASSWORD"
    if lacks_token(file, GatewayFlags()):
        return "no token is set; the gateway makes one at its first start: clawgate gateway start"
    return "no token is set; make one with: clawgate doctor --fix"


def fail_if_another_counts(paths: Paths, secret: CallerSecret) -> None:
    """End the command if the running gateway got its secret by a flag or a variable that this shell does not have."""
    running = find_running(paths)
    if running is not None and running.config is not None and Path(running.config) != paths.config.absolute():
        click.echo(f"note: the running gateway uses another config: {running.config}", err=True)
        return
    report = read_report(paths.folder, running.instance) if running is not None else None
    if running is None or report is None:
        return
    origin = report.given_elsewhere.get(f"gateway.auth.{secret.kind}")
    if origin is not None and origin != secret.origin:
        fail(
            f"the running gateway (pid {running.pid}) does not use the {secret.kind} of the config: "
            f"it has one from {origin}; use that"
        )
