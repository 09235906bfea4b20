"""Runs a plugin's command as a command of ``clawgate``: found by manifest, loaded only when it is called."""

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

from clawgate.app.plugins.fetch import fetch_for_plugin
from clawgate.app.plugins.folders import plugin_folder
from clawgate.app.plugins.restart_request import request_restart, restart_requested, withdraw_restart
from clawgate.app.plugins.status_file import read_statuses
from clawgate.cli.context import LoadedConfig, load_config
from clawgate.cli.errors import fail
from clawgate.cli.exit_codes import ExitCode
from clawgate.cli.hosted import find_hosted
from clawgate.cli.paths import find_paths
from clawgate.plugins.api import FetchRequest, FetchResponse, ServiceStatus
from clawgate.plugins.host.discovery import DiscoveredPlugin, enabled_reason, find_plugins
from clawgate.plugins.host.isolation import PluginFailed, reason_of
from clawgate.plugins.host.loader import LoadedPlugin, load_plugin, plugin_settings
from clawgate.policy.egress.policy import NetworkRules
from clawgate.processes.instance.instance_lock import find_instance
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.openclaw.own_settings import network_rules
from clawgate.settings.problems import SettingsInvalid

if TYPE_CHECKING:
    from pydantic import BaseModel

    from clawgate.providers.availability import Availability

_RESTART_SECONDS = 60.0
_POLL_SECONDS = 0.1
_PASS_ALL = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def plugin_commands() -> dict[str, str]:
    """Return the description of each plugin command by name, of enabled and disabled plugins; reads manifests alone."""
    try:
        plugins = find_plugins(find_paths().state)
    except (click.UsageError, OSError):
        return {}
    return {
        name: one.manifest.description
        for one in plugins
        if one.manifest is not None
        for name in one.manifest.commands
    }


def plugin_command(name: str) -> click.Command | None:
    if name not in plugin_commands():
        return None

    @click.command(name, context_settings=_PASS_ALL, add_help_option=False)
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def command(arguments: tuple[str, ...]) -> None:
        _run(name, arguments)

    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """Implements `plugins.api.CommandContext`."""

    config: BaseModel | None
    problems: tuple[str, ...]
    config_file: Mapping[str, Any]
    environment: Mapping[str, str]
    state: Path
    plugin: str
    gateway_url: str | None
    instance: str | None
    availability: Availability
    providers: tuple[str, ...]
    network: NetworkRules

    @property
    def request_error(self) -> str | None:
        catalog = self.availability.catalog
        known = (catalog.providers[name] for name in self.providers if name in catalog.providers)
        errors = (self.availability.error_of(provider) for provider in known)
        return next((error.message for error in errors if error is not None), None)

    @property
    def state_dir(self) -> Path:
        """The plugin's own state folder, created on first use: help needs none."""
        return plugin_folder(self.state, self.plugin)

    @property
    def services(self) -> tuple[ServiceStatus, ...]:
        return read_statuses(self.state_dir, self.instance)

    def out(self, line: str) -> None:
        click.echo(line)

    def err(self, line: str) -> None:
        click.echo(line, err=True)

    async def restart_services(self) -> bool:
        if self.instance is None:
            return False
        folder = self.state_dir
        request = request_restart(folder, self.instance)
        try:
            for _ in range(int(_RESTART_SECONDS / _POLL_SECONDS)):
                if not restart_requested(folder, self.instance):
                    return True
                await asyncio.sleep(_POLL_SECONDS)
            return False
        finally:
            withdraw_restart(folder, request)

    async def fetch(self, plan: FetchRequest) -> FetchResponse:
        requester = f"plugin:{self.plugin}"
        return await fetch_for_plugin(plan, Dialer(), requester=requester, network=self.network)


def _run(name: str, arguments: Sequence[str]) -> NoReturn:
    loaded = load_config(None)
    plugin = _find(name, loaded)
    try:
        loaded_plugin = load_plugin(plugin)
    except PluginFailed as error:
        fail(f"the plugin '{plugin.id}' cannot be used: {error}")
    command = next(one for one in loaded_plugin.commands if one.name == name)
    context = _context(loaded_plugin, loaded)
    try:
        result = command.run(context, list(arguments))
        status = asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:  # noqa: BLE001  # the plugin boundary
        fail(f"the plugin '{plugin.id}' failed: {reason_of(error)}")
    if not isinstance(status, int) or isinstance(status, bool) or not 0 <= status <= 255:
        status = ExitCode.FAILED
    sys.exit(status)


def _find(name: str, loaded: LoadedConfig) -> DiscoveredPlugin:
    """Return the first usable plugin with a command of that name; a disabled one does not hide an enabled one."""
    config = loaded.file.config

    def usable(plugin: DiscoveredPlugin) -> bool:
        return (
            plugin.origin == "bundled" or enabled_reason(plugin, config.plugins, config.models.providers)[0]
        )

    plugins = [
        one
        for one in find_plugins(loaded.paths.state)
        if one.manifest is not None and name in one.manifest.commands
    ]
    plugin = next((one for one in plugins if usable(one)), None)
    if plugin is None:
        disabled = plugins[0].id
        fail(f"the plugin '{disabled}' is not enabled; enable it with: clawgate plugins enable {disabled}")
    return plugin


async def _awaited(result: object) -> object:
    assert inspect.isawaitable(result)
    return await result


def _context(plugin: LoadedPlugin, loaded: LoadedConfig) -> _Context:
    file, paths = loaded.file, loaded.paths
    config: BaseModel | None = None
    problems: tuple[str, ...] = ()
    try:
        config = plugin_settings(plugin, file.plugin_config(plugin.id), file.environment)
    except SettingsInvalid as error:
        problems = tuple(map(str, error.problems))
    except PluginFailed as error:
        problems = (str(error),)
    running = find_instance(paths.folder) or find_hosted(paths.folder, plugin.id)
    return _Context(
        network=network_rules(file.config),
        config=config,
        problems=problems,
        config_file=file.raw,
        environment=dict(os.environ),
        state=paths.state,
        plugin=plugin.id,
        gateway_url=running.url if running is not None else None,
        instance=running.instance if running is not None else None,
        availability=loaded.known.availability,
        providers=tuple(provider.id for provider in plugin.providers),
    )
