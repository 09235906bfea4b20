"""``clawgate gateway install`` and ``uninstall``: the gateway as a service of systemd or launchd."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from clawgate.cli.action_output import action_output
from clawgate.cli.gateway.service_environment import check_service
from clawgate.cli.paths import Paths, find_paths, json_option, path_options
from clawgate.cli.service import (
    SERVICE_DRAIN_SECONDS,
    ServicePlan,
    SystemFlags,
    carried_variables,
    install_service,
    service_state,
    stop_seconds,
    system_options,
    system_plan,
    take_system_flags,
    uninstall_service,
    user_plan,
)
from clawgate.processes.instance.unit_files import SystemUnit, UnitFile

_ROLE = "gateway"


@click.command("install", short_help="Install the gateway as a service.")
@path_options
@json_option
@system_options
@click.option("--port", type=click.IntRange(1, 65_535), help="Port to listen on.  [default: the config's]")
@click.option("--dry-run", is_flag=True, help="Print the file and the commands, and change nothing.")
@click.option("--force", is_flag=True, help="Replace a service file that differs.")
def install(
    config: str | None, as_json: bool, port: int | None, dry_run: bool, force: bool, **flags: Any
) -> None:
    """Install the gateway as a service of this user, or with --system of the machine, enable it and start it.

    It checks first that the gateway could start there. The service gets PATH and the places of the files from this
    shell; other variables that the config needs belong into .env of the state folder (mode 0600).
    """
    from clawgate.settings.openclaw.gateway import GatewayFlags

    system = take_system_flags(flags)
    with action_output("install", as_json=as_json) as output:
        paths = find_paths(config)
        is_active = bool(system.unit_folder) or service_state(_ROLE)["state"] == "active"
        notes = check_service(
            paths,
            GatewayFlags(port=port),
            os.environ,
            is_active=is_active,
            log_file=str(paths.log)
            if system.system is None
            else None,  # the journal has that of the machine's
            env_file=system.environment_file,
        )
        plan = _plan(paths, config, port, system)
        install_service(output, _ROLE, plan, notes, dry_run=dry_run, force=force)
        if dry_run or system.unit_folder:
            return
        output.line("Installed. See: clawgate gateway status, clawgate logs --follow")
        if sys.platform != "darwin" and system.system is None:
            output.line("  to keep it running while you are logged out: loginctl enable-linger")


@click.command("uninstall", short_help="Stop the service and remove its file.")
@path_options
@json_option
@click.option("--dry-run", is_flag=True, help="Print the commands and the file, and change nothing.")
def uninstall(config: str | None, as_json: bool, dry_run: bool) -> None:
    """Stop the service of this user and remove its file; config, state and logs stay."""
    with action_output("uninstall", as_json=as_json) as output:
        stays = f"Config, state and logs are still in {find_paths(config).state}"
        uninstall_service(output, _ROLE, stays, dry_run=dry_run)


def _plan(paths: Paths, config: str | None, port: int | None, system: SystemFlags) -> ServicePlan:
    from clawgate.processes.instance.daemon import gateway_command
    from clawgate.settings.openclaw.gateway import DRAIN_SECONDS, GatewayFlags, listens_at
    from clawgate.settings.openclaw.own_settings import own_settings

    flags = ["--config", str(Path(config).expanduser().absolute())] if config else []
    flags += ["--port", str(port)] if port else []
    carried = carried_variables(os.environ)
    file = paths.read_config()
    drain = own_settings(file.config).drain_timeout
    if system.system is None:
        command = gateway_command("gateway", "run", *flags, "--log-file", str(paths.log.absolute()))
        service = UnitFile(command, Path.home(), carried, stop_seconds(drain or DRAIN_SECONDS))
        return user_plan(service, paths.output.absolute())
    if drain is None:
        drain = SERVICE_DRAIN_SECONDS
        flags += ["--drain-timeout", str(drain)]
    host, number = listens_at(file, GatewayFlags(port=port))
    unit = SystemUnit(
        gateway_command("gateway", "run", *flags),
        paths.state.absolute(),
        carried,
        stop_seconds(drain),
        user=system.system,
        listen=[f"[{host}]:{number}" if ":" in host else f"{host}:{number}"],
        environment_file=Path(system.environment_file).absolute() if system.environment_file else None,
        instance=system.instance,
    )
    return system_plan(unit, system.unit_folder)
