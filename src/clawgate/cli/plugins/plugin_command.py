"""How does a plugin's command become a command of ``clawgate``? Found by its manifest, loaded when it is asked for."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.paths import Paths, places

if TYPE_CHECKING:
    from pydantic import BaseModel

    from clawgate.plugins.api import FetchRequest, FetchResponse
    from clawgate.plugins.host.discovery import DiscoveredPlugin
    from clawgate.settings.openclaw.config_file import ConfigFile

_PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def plugin_commands() -> dict[str, str]:
    """The commands of all plugins that are there, enabled or not, with what they are; reads manifests alone."""
    from clawgate.plugins.host.discovery import find_plugins

    try:
        found = find_plugins(places().state)
    except (click.UsageError, OSError):
        return {}
    return {
        name: one.manifest.description
        for one in found
        if one.manifest is not None
        for name in one.manifest.commands
    }


def plugin_command(name: str) -> click.Command | None:
    """The command of that name, if a plugin has it."""
    if name not in plugin_commands():
        return None

    @click.command(name, context_settings=_PASS_ON, add_help_option=False)
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def command(arguments: tuple[str, ...]) -> None:
        _run(name, arguments)

    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """What the command gets."""

    config: BaseModel | None
    problems: tuple[str, ...]
    config_file: Mapping[str, Any]
    environment: Mapping[str, str]
    state: Path
    plugin: str
    gateway_url: str | None
    instance: str | None

    @property
    def state_dir(self) -> Path:
        """Made when it is asked for: help needs none."""
        from clawgate.app.plugins.folders import plugin_folder

        return plugin_folder(self.state, self.plugin)

    def out(self, line: str) -> None:
        click.echo(line)

    def err(self, line: str) -> None:
        click.echo(line, err=True)

    async def fetch(self, plan: FetchRequest) -> FetchResponse:
        from clawgate.app.plugins.fetch import fetched
        from clawgate.relay.upstream.dial import Dialer

        return await fetched(plan, Dialer())


def _run(name: str, arguments: Sequence[str]) -> NoReturn:
    from clawgate.cli.paths import read
    from clawgate.plugins.host.discovery import enabled_reason, find_plugins
    from clawgate.plugins.host.isolation import PluginFailed, reason_of
    from clawgate.plugins.host.loader import load_plugin

    where = places()
    file, problems = read(where)
    if file is None:
        _fail("the config file cannot be used", problems)

    def usable(one: DiscoveredPlugin) -> bool:
        return (
            one.origin == "bundled"
            or enabled_reason(one, file.config.plugins, file.config.models.providers)[0]
        )

    having = [
        one for one in find_plugins(where.state) if one.manifest is not None and name in one.manifest.commands
    ]
    found = next((one for one in having if usable(one)), having[0])  # one that is off hides no other
    if not usable(found):
        _fail(f"the plugin '{found.id}' is not enabled; enable it with: clawgate plugins enable {found.id}")
    try:
        loaded = load_plugin(found)
    except PluginFailed as error:
        _fail(f"the plugin '{found.id}' cannot be used: {error}")
    command = next(one for one in loaded.commands if one.name == name)
    context = _context(loaded, file, where)
    try:
        result = command.run(context, list(arguments))
        status = asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001  # the plugin boundary
        _fail(f"the plugin '{found.id}' failed: {reason_of(error)}")
    if not isinstance(status, int) or isinstance(status, bool) or not 0 <= status <= 255:
        status = ExitCode.FAILED
    sys.exit(status)


async def _awaited(result: object) -> object:
    assert inspect.isawaitable(result)
    return await result


def _context(loaded: object, file: ConfigFile, where: Paths) -> _Context:
    from clawgate.plugins.host.isolation import PluginFailed
    from clawgate.plugins.host.loader import LoadedPlugin, plugin_settings
    from clawgate.processes.instance.instance_lock import find_instance
    from clawgate.settings.problems import SettingsInvalid

    assert isinstance(loaded, LoadedPlugin)
    entry = file.config.plugins.entries.get(loaded.id)
    config: BaseModel | None = None
    problems: tuple[str, ...] = ()
    try:
        config = plugin_settings(loaded, entry.config if entry is not None else {}, file.environment)
    except SettingsInvalid as error:
        problems = tuple(map(str, error.problems))
    except PluginFailed as error:
        problems = (str(error),)
    running = find_instance(where.folder)
    return _Context(
        config=config,
        problems=problems,
        config_file=file.raw,
        environment=dict(os.environ),
        state=where.state,
        plugin=loaded.id,
        gateway_url=running.url if running is not None else None,
        instance=running.instance if running is not None else None,
    )


def _fail(message: str, details: Sequence[str] = ()) -> NoReturn:
    click.echo(f"clawgate: {message}", err=True)
    for detail in details:
        click.echo(f"  - {detail}", err=True)
    sys.exit(ExitCode.FAILED)
