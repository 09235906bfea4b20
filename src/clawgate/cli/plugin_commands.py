"""``clawgate <name>`` of a plugin: whose is it, and what does it get? Only an enabled plugin's code runs for that."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.places import Places, places, read

if TYPE_CHECKING:
    from clawgate.plugins.api import CommandPlugin, Fetched, FetchPlan
    from clawgate.plugins.loading import Loaded
    from clawgate.plugins.registry import Registry
    from clawgate.settings.config_file import ConfigFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a command of a plugin gets."""

    config: Any
    problems: Sequence[str]
    environment: Mapping[str, str]
    state_dir: Path
    gateway_url: str | None
    instance: str | None

    def out(self, line: str) -> None:
        click.echo(line)

    def err(self, line: str) -> None:
        click.echo(line, err=True)

    async def fetch(self, plan: FetchPlan) -> Fetched:
        """Raises `FetchFailed`."""
        from clawgate.app.fetching import fetched
        from clawgate.relay.dial import Dialer

        return await fetched(plan, Dialer())


def plugin_commands(reserved: Collection[str]) -> dict[str, str]:
    """Names and help of the commands of enabled plugins, by their manifests alone: none of them is loaded."""
    from clawgate.plugins.finding import find_plugins, why_on

    found: dict[str, str] = {}
    where, file = _known()
    if where is None or file is None:
        return found
    for plugin in find_plugins(where.state):
        on, _ = why_on(plugin, file.config.plugins, file.config.models.providers)
        if on and plugin.problem is None and plugin.manifest is not None:
            for name in plugin.manifest.commands:
                if name not in reserved:
                    found.setdefault(name, plugin.manifest.description)
    return found


def plugin_command(name: str, reserved: Collection[str]) -> click.Command | None:
    """The command of an enabled plugin that is called ``name``; None where there is none."""
    if name in reserved or name not in plugin_commands(reserved):
        return None

    @click.command(
        name,
        context_settings={
            "ignore_unknown_options": True,
            "allow_interspersed_args": False,
            "help_option_names": [],
        },
        add_help_option=False,
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def command(arguments: tuple[str, ...]) -> None:
        sys.exit(_run(name, arguments, reserved))

    return command


def _known() -> tuple[Places | None, ConfigFile | None]:
    try:
        where = places()
    except click.UsageError:
        return None, None
    return where, read(where)[0]


def _run(name: str, arguments: Sequence[str], reserved: Collection[str]) -> int:
    from clawgate.plugins.registry import load_plugins

    where, file = _known()
    if where is None or file is None:
        return ExitCode.USAGE
    registry = load_plugins(
        file.config,
        where.state,
        reserved_commands=reserved,
        wanted=lambda found: found.manifest is not None and name in found.manifest.commands,
    )
    found = registry.command(name)
    if found is None:
        return _no_command(name, registry)
    loaded, command = found
    return run_command(loaded, command, arguments, _context(loaded, where, file))


def _no_command(name: str, registry: Registry) -> int:
    reasons = [str(failure) for failure in registry.failures] or [f"no plugin has the command '{name}'"]
    click.echo(f"clawgate: {'; '.join(reasons)}", err=True)
    return ExitCode.FAILED


def _context(loaded: Loaded, where: Places, file: ConfigFile) -> Context:
    from clawgate.app.plugin_host import plugin_folder
    from clawgate.plugins.guarding import PluginFailed
    from clawgate.plugins.loading import settings_of
    from clawgate.processes.instance import find
    from clawgate.settings.problems import SettingsInvalid

    entry = file.config.plugins.entries.get(loaded.id)
    config, problems = None, []
    try:
        config = settings_of(loaded, entry.config if entry is not None else {}, file.environment)
    except SettingsInvalid as error:
        problems = [str(problem) for problem in error.problems]
    except PluginFailed as error:
        problems = [str(error)]
    running = find(where.folder)
    here = running if running is not None and running.here else None
    return Context(
        config=config,
        problems=problems,
        environment=dict(os.environ),
        state_dir=plugin_folder(where.state, loaded.id),
        gateway_url=here.url if here is not None else None,
        instance=here.instance if here is not None else None,
    )


def run_command(loaded: Loaded, command: CommandPlugin, arguments: Sequence[str], context: Context) -> int:
    """The exit status: what the command says, 1 where it fails in another way than it should."""
    from clawgate.plugins.guarding import logger, reason_of

    try:
        result: Any = command.run(context, list(arguments))
        if inspect.isawaitable(result):
            result = asyncio.run(_waited(result))
        if type(result) is int and 0 <= result <= 255:
            return result
        reason = "it returned no exit status"
    except SystemExit as error:
        return (
            error.code
            if isinstance(error.code, int)
            else (ExitCode.OK if error.code is None else ExitCode.FAILED)
        )
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001  # the plugin boundary
        logger.debug("the plugin %s failed in its command", loaded.id, exc_info=error)
        reason = reason_of(error)
    click.echo(f"clawgate: the plugin '{loaded.id}' failed: {reason}", err=True)
    return ExitCode.FAILED


async def _waited(result: Any) -> Any:
    return await result
