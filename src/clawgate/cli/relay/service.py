"""``clawgate server install`` and ``uninstall``: the server as a service of systemd or launchd."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from clawgate.cli.action_output import action_output
from clawgate.cli.errors import fail
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import find_paths, json_option, path_options
from clawgate.cli.service import (
    SERVICE_DRAIN_SECONDS,
    carried_variables,
    install_service,
    stop_seconds,
    system_options,
    system_plan,
    take_system_flags,
    uninstall_service,
    user_plan,
)
from clawgate.processes.instance.daemon import gateway_command
from clawgate.processes.instance.unit_files import SystemUnit, UnitFile
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.roles.loader import load, read_sources
from clawgate.settings.roles.server import ServerSettings

_ROLE = "server"


@click.command("install", short_help="Install the server as a service.")
@path_options
@json_option
@system_options
@click.option("--dry-run", is_flag=True, help="Print the file and the commands, and change nothing.")
@click.option("--force", is_flag=True, help="Replace a service file that differs.")
def install(config: str | None, as_json: bool, dry_run: bool, force: bool, **flags: Any) -> None:
    """Install the server as a service of this user, or with --system of the machine, enable it and start it.

    It checks first that the server could start there. The key and the tokens belong into .env of the state folder or,
    with --system, into the file of --environment-file; variables of this shell do not reach the service.
    """
    system = take_system_flags(flags)
    with action_output("install", as_json=as_json) as output:
        paths = find_paths(config)
        carried = carried_variables(os.environ)
        settings = _usable_settings(config, system.environment_file, carried, paths.state / ".env")
        arguments = _named(config)
        drain = settings.drain_timeout
        if "drain_timeout" not in settings.model_fields_set:
            drain = SERVICE_DRAIN_SECONDS
            arguments += ["--drain-timeout", str(drain)]
        command, stop = gateway_command("server", "run", *arguments), stop_seconds(drain)
        if system.system is None:
            unit = UnitFile(command, Path.home(), carried, stop, _ROLE)
            plan = user_plan(unit, (paths.folder / "logs" / "server.out").absolute())
        else:
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            file = system.environment_file
            whole = SystemUnit(
                command,
                paths.state.absolute(),
                carried,
                stop,
                _ROLE,
                user=system.system,
                listen=[f"{host}:{settings.port}"],
                environment_file=Path(file).absolute() if file else None,
                instance=system.instance,
            )
            plan = system_plan(whole, system.unit_folder)
        install_service(output, _ROLE, plan, [], dry_run=dry_run, force=force)


@click.command("uninstall", short_help="Stop the service and remove its file.")
@path_options
@json_option
@click.option("--dry-run", is_flag=True, help="Print the commands and the file, and change nothing.")
def uninstall(config: str | None, as_json: bool, dry_run: bool) -> None:
    """Stop the service of this user and remove its file; config and tokens stay."""
    with action_output("uninstall", as_json=as_json) as output:
        stays = f"Config and tokens are still in {find_paths(config).state}"
        uninstall_service(output, _ROLE, stays, dry_run=dry_run)


def _named(config: str | None) -> list[str]:
    return ["--config", str(Path(config).expanduser().absolute())] if config else []


def _usable_settings(
    config: str | None, environment_file: str | None, carried: Mapping[str, str], own_file: Path
) -> ServerSettings:
    """Return the settings that the service would have; end the command if it could not start with them."""
    from clawgate.settings.roles.tokens_file import gather_tokens

    try:
        sources = read_sources(
            entry=ServerSettings.ENTRY, config=config, env_file=environment_file, process=carried
        )
        settings = load(ServerSettings, {}, sources)
        gather_tokens(settings)
    except SettingsInvalid as error:
        fail(
            "the service could not start, nothing was installed (variables of this shell do not reach it; those of "
            f"{environment_file or own_file} do):",
            error.problems,
            status=ExitCode.USAGE,
        )
    return settings
