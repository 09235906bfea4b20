"""Runs the services of plugins in the gateway, and provides routing with the hooks of their providers.

The services of every enabled plugin start beside the listener, stop at its end and restart when their config changes.
Invariant: while a plugin is not running, requests to its providers fail; other providers are not affected.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from pydantic import BaseModel

from clawgate.app.plugins.context import HostEnvironment, PluginContext
from clawgate.app.plugins.restart_request import clear_restart, restart_requested
from clawgate.app.plugins.status_file import remove_statuses, write_statuses
from clawgate.errors import ProviderUnavailable
from clawgate.plugins.api import MapsErrors, ServiceStatus, TransformsRequests, Unavailable
from clawgate.plugins.host import hooks
from clawgate.plugins.host.isolation import IsolatedService, PluginFailed
from clawgate.plugins.host.loader import LoadedPlugin, plugin_settings, secrets_in
from clawgate.plugins.host.registry import Registry, load_plugins
from clawgate.plugins.host.tools import RegisteredTool
from clawgate.policy.redaction import SHORTEST_SECRET, Redactor
from clawgate.routing.plugin_hooks import LAST_LINES, MapError, TransformRequest
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.own_settings import network_rules
from clawgate.settings.problems import SettingsInvalid

logger = logging.getLogger("clawgate.plugins")

_STARTING_SECONDS = 2
DRAIN_SECONDS = 30.0
_DRAIN_POLL_SECONDS = 0.05
STATUS_SECONDS = 0.5
"""Between two looks at the statuses of the services, of which each change is written down."""


@dataclass(frozen=True, slots=True)
class _RunningPlugin:
    """A plugin whose services were started, and the config that they were started with."""

    plugin: LoadedPlugin
    config: BaseModel
    services: tuple[IsolatedService, ...]
    context: PluginContext

    def statuses(self) -> tuple[ServiceStatus, ...]:
        return tuple(service.status() for service in self.services)

    def tools(self) -> tuple[RegisteredTool, ...]:
        """Return its tools, as long as its services run. No result of them has a secret of its config."""
        if not all(service.is_running for service in self.services):
            return ()
        secrets = (secret for secret in secrets_in(self.config) if len(secret) >= SHORTEST_SECRET)
        clean = Redactor(secrets).redact_known
        return tuple(replace(tool, clean=clean) for tool in self.plugin.tools)


@dataclass(frozen=True, slots=True)
class _Hooks:
    """What the loaded plugins have for one provider, as long as the registry is the same."""

    rejected: str | None
    """Why no request may be sent to it, whatever its services say."""
    service_plugin: str | None = None
    """Its plugin, if that has services: they have to run."""
    transform: TransformRequest | None = None
    map_error: MapError | None = None
    further_apis: tuple[str, ...] = ()


class PluginHost:
    """The plugins of one gateway. `run` is the task that owns their services."""

    def __init__(
        self,
        environment: HostEnvironment,
        *,
        status_seconds: float = STATUS_SECONDS,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self.environment = environment
        self.running_requests: Callable[[str], int] = lambda provider: 0
        """Returns how many requests to a provider are running. They may finish before its services restart."""
        self._status_seconds = status_seconds
        self._drain_seconds = drain_seconds
        self._file: ConfigFile | None = None
        self._registry = Registry((), ())
        self._hooks: dict[str, _Hooks] = {}
        self._running: dict[str, _RunningPlugin] = {}
        self._failures: dict[str, str] = {}  # plugin id -> why it cannot run
        self._revoked: Mapping[str, str] = {}  # the same, of those that the config alone would let run
        self._misled: dict[
            str, str
        ] = {}  # provider -> why its baseUrl does not lead to what its plugin watches
        self._draining: set[str] = set()  # plugins whose services stop as soon as their requests have ended
        self._restarts: set[str] = set()  # plugins whose restart a command requested
        self._diagnostics: set[str] = set()
        self._written: dict[str, tuple[ServiceStatus, ...]] = {}
        self._changed = asyncio.Event()

    # For routing: `ProviderHooks`

    def unavailable(self, provider: str) -> ProviderUnavailable | None:
        found = self._hooks_of(provider)
        if found.rejected is not None:
            return _unavailable(provider, Unavailable(reason=found.rejected))
        plugin = found.service_plugin
        if plugin is None:
            return None
        if provider in self._misled:
            return _unavailable(provider, Unavailable(reason=self._misled[provider]))
        if plugin in self._failures:
            return _unavailable(provider, Unavailable(reason=self._failures[plugin]))
        running = self._running.get(plugin)
        if plugin in self._draining:
            reason = f"its plugin '{plugin}' restarts as soon as the running requests have ended"
            return _unavailable(provider, Unavailable(reason=reason, retry_after=_STARTING_SECONDS))
        if running is None:
            reason = f"its plugin '{plugin}' is starting"
            return _unavailable(provider, Unavailable(reason=reason, retry_after=_STARTING_SECONDS))
        why = next((why for service in running.services if (why := service.unavailable()) is not None), None)
        return _unavailable(provider, why) if why is not None else None

    def request_transformer(self, provider: str) -> TransformRequest | None:
        return self._hooks_of(provider).transform

    def error_mapper(self, provider: str) -> MapError | None:
        return self._hooks_of(provider).map_error

    def further_apis(self, provider: str) -> tuple[str, ...]:
        return self._hooks_of(provider).further_apis

    # For agents

    @property
    def tools(self) -> tuple[RegisteredTool, ...]:
        """The tools of the plugins that run now: what an agent's next run may offer."""
        leaving = self._failures.keys() | self._draining
        running = (one for name, one in self._running.items() if name not in leaving)
        return tuple(tool for one in running for tool in one.tools())

    def _hooks_of(self, provider: str) -> _Hooks:
        """Return what the registry says about ``provider``; looked up once for each registry."""
        found = self._hooks.get(provider)
        if found is None:
            found = self._hooks[provider] = self._find_hooks(provider)
        return found

    def _find_hooks(self, provider: str) -> _Hooks:
        found = self._registry.provider(provider)
        rejected = self._registry.failure_of(provider)
        disabled = self._registry.disabled_supervisor(provider)
        if rejected is None and found is None and disabled is not None:
            rejected = f"its plugin is disabled; enable it with: clawgate plugins enable {disabled}"
        if found is None:
            return _Hooks(rejected)
        plugin, its = found
        transform: TransformRequest | None = None
        map_error: MapError | None = None
        if isinstance(its, TransformsRequests):
            transform = partial(hooks.transform_request, plugin.id, its)
        if isinstance(its, MapsErrors):
            map_error = partial(hooks.map_error, plugin.id, its)
        further = self._registry.further_dialects(provider)
        return _Hooks(rejected, plugin.id if plugin.services else None, transform, map_error, further)

    # Life cycle

    def load(self, file: ConfigFile) -> None:
        """Load the plugins that ``file`` enables; `run` starts their services."""
        self._file = file
        self.environment.network = network_rules(file.config)
        self._set_registry(load_plugins(file.config, self.environment.state, file.environment))

    def reload(self, file: ConfigFile) -> list[str]:
        """Let `run` follow a changed config. Return the plugins whose entries changed."""
        self._revoked = {}
        before, self._file = self._file, file
        self.environment.network = network_rules(file.config)
        self._changed.set()
        urls = {name: block.base_url for name, block in file.config.models.providers.items()}
        known = before.config.models.providers if before is not None else {}
        moved = [name for name in urls if name not in known or known[name].base_url != urls[name]]
        self._misled |= dict.fromkeys(moved, "its baseUrl changed and is being checked")
        old = before.config.plugins.entries if before is not None else {}
        new = file.config.plugins.entries
        return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))

    def revoke(self, reasons: Mapping[str, str]) -> None:
        """Let `run` stop these plugins, whose secrets are revoked, until the next `reload`. Reasons by plugin."""
        self._revoked = reasons
        self._failures |= reasons  # from the next request on, however long the services take to stop
        self._changed.set()

    async def run(self) -> None:
        """Start the services, follow config changes, and stop the services when cancelled."""
        loop = asyncio.get_running_loop()
        writer = loop.create_task(self._write_statuses(), name="plugins: write statuses")
        try:
            await self._reconcile()
            while True:
                await self._changed.wait()
                self._changed.clear()
                file = self._file
                assert file is not None
                self._set_registry(
                    await asyncio.to_thread(
                        load_plugins, file.config, self.environment.state, file.environment
                    )
                )
                await self._reconcile()
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
            await asyncio.gather(*(self._stop(plugin) for plugin in list(self._running)))

    def statuses(self) -> dict[str, tuple[ServiceStatus, ...]]:
        return {name: running.statuses() for name, running in self._running.items()}

    async def _write_statuses(self) -> None:
        """Write each changed status to the plugin's folder, for commands in other processes."""
        while True:
            for name, running in list(self._running.items()):
                folder = running.context.state_dir
                if name not in self._restarts and restart_requested(folder, self.environment.instance):
                    self._restarts.add(name)
                    self._changed.set()
                statuses = running.statuses()
                if statuses and statuses != self._written.get(name):
                    self._written[name] = statuses
                    write_statuses(folder, self.environment.instance, statuses)
            await asyncio.sleep(self._status_seconds)

    def _set_registry(self, registry: Registry) -> None:
        registry = registry.after(self._registry)
        for failure in registry.failures:
            if failure not in self._registry.failures:
                logger.error("[plugins] %s", failure)
        self._registry = registry
        self._hooks = {}

    async def _reconcile(self) -> None:
        """Stop what is disabled or has another config now, and start what is missing."""
        enabled = {plugin.id: plugin for plugin in self._registry.loaded}
        configs: dict[str, BaseModel] = {}
        self._failures = dict(self._revoked)
        for name, plugin in enabled.items():
            if name in self._revoked:
                continue
            try:
                configs[name] = self._config_of(plugin)
            except (SettingsInvalid, PluginFailed) as error:
                self._failures[name] = f"its plugin '{name}' cannot run: {error}"
                logger.error("[plugins] %s: %s", name, error)  # noqa: TRY400  # for the operator to fix
        self._log_diagnostics(enabled, configs)
        restarts = set(self._restarts)
        leaving = [
            name
            for name, running in self._running.items()
            if name in restarts or not self._follows(running, configs.get(name))
        ]
        # Concurrently: one that is slow must not delay the others.
        await asyncio.gather(*(self._drain_and_stop(name) for name in leaving))
        if self._changed.is_set():  # meanwhile: nothing starts with a config that counts no longer
            return
        missing = [name for name in configs if name not in self._running]
        await asyncio.gather(*(self._start(enabled[name], configs[name]) for name in missing))
        self._restarts -= restarts  # only now: until a service runs again, its request is still there

    def _follows(self, running: _RunningPlugin, config: BaseModel | None) -> bool:
        """Return whether the plugin has ``config``, without a restart of its services."""
        if config == running.config:
            return True
        if config is None or not all(service.reconfigure(config) for service in running.services):
            return False
        self._running[running.plugin.id] = replace(running, config=config)
        return True

    async def _drain_and_stop(self, name: str) -> None:
        """Stop the services once the requests to their providers have ended, at the latest after the drain limit."""
        providers = [provider.id for provider in self._running[name].plugin.providers]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._drain_seconds
        self._draining.add(name)
        try:
            while any(map(self.running_requests, providers)):
                if loop.time() >= deadline:
                    break
                await asyncio.sleep(_DRAIN_POLL_SECONDS)
            await self._stop(name)
        finally:
            self._draining.discard(name)

    def _log_diagnostics(self, plugins: Mapping[str, LoadedPlugin], configs: Mapping[str, BaseModel]) -> None:
        """Log what `check_config` of the providers finds; each once, until it is fixed."""
        assert self._file is not None
        diagnostics: set[str] = set()
        misled: dict[str, str] = {}
        for name, settings in configs.items():
            for provider in plugins[name].providers:
                try:
                    found = hooks.check_config(provider, self._file.raw, settings)
                except PluginFailed as error:
                    diagnostics.add(f"{name}: {error}")
                    continue
                diagnostics |= {f"{name}: {one}" for one in found}
                base_url = ("models", "providers", provider.id, "baseUrl")
                misled |= dict.fromkeys(
                    [provider.id for one in found if one.is_error and one.path == base_url],
                    "; ".join(map(str, found)),
                )
        self._misled = misled
        for text in sorted(diagnostics - self._diagnostics):
            logger.warning("[plugins] %s", text)
        self._diagnostics = diagnostics

    def _config_of(self, plugin: LoadedPlugin) -> BaseModel:
        file = self._file
        assert file is not None
        config = plugin_settings(plugin, file.plugin_config(plugin.id), file.environment)
        self.environment.add_secrets(secrets_in(config))
        return config

    async def _start(self, plugin: LoadedPlugin, config: BaseModel) -> None:
        assert self._file is not None
        clean = Redactor(secrets_in(config)).redact
        services = tuple(IsolatedService(plugin.id, service, clean=clean) for service in plugin.services)
        try:
            context = PluginContext(plugin.id, config, self._file.environment, self.environment)
        except OSError as error:
            self._failures[plugin.id] = f"the folder of its plugin '{plugin.id}' cannot be used: {error}"
            logger.error("[plugins] %s: %s", plugin.id, error)  # noqa: TRY400  # for the operator to fix
            return
        self._running[plugin.id] = _RunningPlugin(plugin, config, services, context)
        for service in services:
            await service.start(context)
        clear_restart(context.state_dir)

    async def _stop(self, name: str) -> None:
        running = self._running[name]
        for service in reversed(running.services):
            await service.stop()
        await running.context.close()
        del self._running[name]  # only now: where the gateway's end cuts this short, it stops what is left
        self._written.pop(name, None)
        remove_statuses(running.context.state_dir)


def _unavailable(provider: str, why: Unavailable) -> ProviderUnavailable:
    lines = LAST_LINES + " | ".join(why.lines) if why.lines else ""
    return ProviderUnavailable(
        f"the provider '{provider}' is not available: {why.reason.removesuffix('.')}{lines}",
        retry_after=why.retry_after,
    )
