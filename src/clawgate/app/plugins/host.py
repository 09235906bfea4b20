"""What keeps the gateway's plugins running, and what do their providers' requests depend on?

The services of every plugin that the config wants are started beside the listener, stopped at its end, and started anew
when their config changes. While one does not run, the providers of its plugin cannot be asked, and nobody else is.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel

from clawgate.app.plugins.fetch import fetch_for_plugin
from clawgate.app.plugins.folders import child_folder, plugin_folder
from clawgate.app.plugins.relay import serve_relay
from clawgate.errors import ProviderUnavailable
from clawgate.plugins.api import (
    ChildHandle,
    ChildSpec,
    FetchRequest,
    FetchResponse,
    MapsErrors,
    PluginError,
    Probe,
    RelaySpec,
    RunningRelay,
    ServiceStatus,
    TransformsRequests,
    Unavailable,
)
from clawgate.plugins.host import hooks
from clawgate.plugins.host.isolation import IsolatedService, PluginFailed
from clawgate.plugins.host.loader import LoadedPlugin, plugin_settings, secrets_in
from clawgate.plugins.host.registry import Registry, load_plugins
from clawgate.processes.supervision.supervisor import Supervisor
from clawgate.relay.upstream.dial import Dialer
from clawgate.routing.plugin_hooks import MapError, TransformRequest
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.problems import SettingsInvalid

logger = logging.getLogger("clawgate.plugins")

_STARTING_SECONDS = 2
_ONLY_SUPERVISED = frozenset({"anthropic-claude-proxy"})
"""Providers whose address says nothing of who listens there: without the plugin nobody has looked."""


@dataclass(slots=True, kw_only=True)
class HostEnvironment:
    """What the host has for plugins. ``state`` is OpenClaw's state folder, ``add_secrets`` is told of secrets;
    ``gateway_url`` is right once the gateway listens, before any service starts."""

    state: Path
    dialer: Dialer
    instance: str
    gateway_url: str
    add_secrets: Callable[[Iterable[str]], None]


def plugin_logger(plugin: str) -> logging.Logger:
    """A logger whose lines begin with the plugin's id, as people look for them."""
    found = logging.getLogger(f"clawgate.plugins.{plugin}")
    if not found.filters:

        def add_plugin_name(record: logging.LogRecord) -> bool:
            record.msg = f"{plugin}: {record.msg}"
            return True

        found.addFilter(add_plugin_name)
    return found


class Context:
    """What one service gets."""

    def __init__(
        self, plugin: str, config: BaseModel, environment: Mapping[str, str], around: HostEnvironment
    ) -> None:
        self.config = config
        self.environment = environment
        self.log = plugin_logger(plugin)
        self.state_dir = plugin_folder(around.state, plugin)
        self.gateway_url = around.gateway_url
        self.instance = around.instance
        self._dialer = around.dialer
        self._lent: list[RunningRelay | ChildHandle] = []

    async def serve_relay(self, plan: RelaySpec) -> RunningRelay:
        relay = await serve_relay(plan, self._dialer, instance=self.instance)
        self._lent.append(relay)
        return relay

    def supervise(self, plan: ChildSpec, probe: Probe) -> ChildHandle:
        if plan.cwd is None:
            try:
                plan = replace(plan, cwd=child_folder(self.state_dir, plan.name))
            except OSError as error:
                raise PluginError(
                    f"the working folder of {plan.name} cannot be used: {error.filename} {error.strerror}",
                    next_step="remove it, or configure another one",
                ) from error
        child = Supervisor(
            plan,
            clock=asyncio.get_running_loop().time,
            probe=probe,
            random=random.random,
            log=self.log,
        )
        self._lent.append(child)
        return child

    async def end(self) -> None:
        """Stop all that was lent to the service, whether or not it did so itself: nothing of it stays behind."""
        lent, self._lent = self._lent, []
        await asyncio.gather(*(one.stop() for one in lent), return_exceptions=True)

    async def fetch(self, plan: FetchRequest) -> FetchResponse:
        return await fetch_for_plugin(plan, self._dialer)


@dataclass(frozen=True, slots=True)
class _Running:
    """A plugin whose services were started, and with which config."""

    plugin: LoadedPlugin
    config: BaseModel
    services: tuple[IsolatedService, ...]
    context: Context


class PluginHost:
    """The plugins of one gateway; `run` is the task that owns their services."""

    def __init__(self, around: HostEnvironment) -> None:
        self.around = around
        self._file: ConfigFile | None = None
        self._registry = Registry((), ())
        self._running: dict[str, _Running] = {}
        self._troubled: dict[str, str] = {}  # plugin id -> why it cannot run
        self._notes: set[str] = set()
        self._changed = asyncio.Event()

    # What the planner asks

    def unavailable(self, provider: str) -> ProviderUnavailable | None:
        refused = self._registry.failure_of(provider) or self._why_off(provider)
        if refused is not None:
            return _unavailable(provider, Unavailable(reason=refused))
        found = self._registry.provider(provider)
        if found is None or not found[0].services:
            return None
        plugin = found[0].id
        if plugin in self._troubled:
            return _unavailable(provider, Unavailable(reason=self._troubled[plugin]))
        running = self._running.get(plugin)
        if running is None:
            reason = f"its plugin '{plugin}' is starting"
            return _unavailable(provider, Unavailable(reason=reason, retry_after=_STARTING_SECONDS))
        why = next((why for service in running.services if (why := service.unavailable()) is not None), None)
        return _unavailable(provider, why) if why is not None else None

    def _why_off(self, provider: str) -> str | None:
        """Why a provider that may only be asked while it is supervised is not: its plugin is turned off."""
        if provider in _ONLY_SUPERVISED and self._registry.provider(provider) is None:
            return f"its plugin is turned off; turn it on with: clawgate plugins enable {provider}"
        return None

    def request_transformer(self, provider: str) -> TransformRequest | None:
        found = self._registry.provider(provider)
        if found is None or not isinstance(found[1], TransformsRequests):
            return None
        return lambda request: hooks.transform_request(found[0].id, found[1], request)

    def error_mapper(self, provider: str) -> MapError | None:
        found = self._registry.provider(provider)
        if found is None or not isinstance(found[1], MapsErrors):
            return None
        return lambda status, body: hooks.map_error(found[0].id, found[1], status, body)

    # Life

    def load(self, file: ConfigFile) -> None:
        """The plugins that ``file`` wants, for the first time; `run` starts their services."""
        self._file = file
        self._take(load_plugins(file.config, self.around.state))

    def follow(self, file: ConfigFile) -> list[str]:
        """The config has changed: `run` brings what is running in line with it. The plugins of which it says other."""
        before, self._file = self._file, file
        self._changed.set()
        old = before.config.plugins.entries if before is not None else {}
        new = file.config.plugins.entries
        return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))

    async def run(self) -> None:
        """Start, follow changes, and stop when cancelled."""
        try:
            await self._reconcile()
            while True:
                await self._changed.wait()
                self._changed.clear()
                file = self._file
                assert file is not None
                self._take(await asyncio.to_thread(load_plugins, file.config, self.around.state))
                await self._reconcile()
        finally:
            await asyncio.gather(*(self._stop(plugin) for plugin in list(self._running)))

    def states(self) -> dict[str, tuple[ServiceStatus, ...]]:
        """How the services are, by plugin."""
        return {
            name: tuple(service.status() for service in running.services)
            for name, running in self._running.items()
        }

    def _take(self, registry: Registry) -> None:
        registry = registry.after(self._registry)
        for failure in registry.failures:
            if failure not in self._registry.failures:
                logger.error("[plugins] %s", failure)
        self._registry = registry

    async def _reconcile(self) -> None:
        """Stop what is not wanted any more or wanted otherwise, start what is missing."""
        wanted = {plugin.id: plugin for plugin in self._registry.loaded}
        configs: dict[str, BaseModel] = {}
        self._troubled = {}
        for name, plugin in wanted.items():
            try:
                configs[name] = self._config_of(plugin)
            except (SettingsInvalid, PluginFailed) as error:
                self._troubled[name] = f"its plugin '{name}' cannot run: {error}"
                logger.error("[plugins] %s: %s", name, error)  # noqa: TRY400  # for the operator to mend
        self._tell_notes(wanted, configs)
        for name, running in list(self._running.items()):
            if configs.get(name) != running.config:
                await self._stop(name)
        missing = [name for name in configs if name not in self._running]
        # Side by side: one that takes its time must not keep the others waiting.
        await asyncio.gather(*(self._start(wanted[name], configs[name]) for name in missing))

    def _tell_notes(self, wanted: Mapping[str, LoadedPlugin], configs: Mapping[str, BaseModel]) -> None:
        """What of the config leads requests past a plugin; each once, for as long as it stands."""
        assert self._file is not None
        notes: set[str] = set()
        for name, settings in configs.items():
            for provider in wanted[name].providers:
                try:
                    found = hooks.check_config(provider, self._file.raw, settings)
                except PluginFailed as error:
                    notes.add(f"{name}: {error}")
                    continue
                notes |= {f"{name}: {one}" for one in found}
        for note in sorted(notes - self._notes):
            logger.warning("[plugins] %s", note)
        self._notes = notes

    def _config_of(self, plugin: LoadedPlugin) -> BaseModel:
        file = self._file
        assert file is not None
        entry = file.config.plugins.entries.get(plugin.id)
        config = plugin_settings(plugin, entry.config if entry is not None else {}, file.environment)
        self.around.add_secrets(secrets_in(config))
        return config

    async def _start(self, plugin: LoadedPlugin, config: BaseModel) -> None:
        assert self._file is not None
        services = tuple(IsolatedService(plugin.id, service) for service in plugin.services)
        try:
            context = Context(plugin.id, config, self._file.environment, self.around)
        except OSError as error:
            self._troubled[plugin.id] = f"the folder of its plugin '{plugin.id}' cannot be used: {error}"
            logger.error("[plugins] %s: %s", plugin.id, error)  # noqa: TRY400  # for the operator to mend
            return
        self._running[plugin.id] = _Running(plugin, config, services, context)
        for service in services:
            await service.start(context)

    async def _stop(self, name: str) -> None:
        running = self._running.pop(name)
        for service in reversed(running.services):
            await service.stop()
        await running.context.end()


def _unavailable(provider: str, why: Unavailable) -> ProviderUnavailable:
    lines = f"; its last lines: {' | '.join(why.lines)}" if why.lines else ""
    return ProviderUnavailable(
        f"the provider '{provider}' is not available: {why.reason}{lines}", retry_after=why.retry_after
    )
