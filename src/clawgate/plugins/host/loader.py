"""Imports a plugin, lets it register, and compares what it registers with its manifest.

Invariant: all or nothing. A plugin with one fault registers nothing, and the reason names the fault.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, SecretStr

from clawgate.plugins.api import CommandPlugin, DeclaredProvider, Plugin, ProviderPlugin, Service, Tool
from clawgate.plugins.host.discovery import RECORD, DiscoveredPlugin
from clawgate.plugins.host.isolation import LOAD_SECONDS, PluginFailed, run_with_timeout
from clawgate.plugins.host.manifest import RENAMED_HOOKS, Manifest
from clawgate.plugins.host.tools import RegisteredTool, register_tool
from clawgate.settings.environment import Environment
from clawgate.settings.problems import SettingsInvalid
from clawgate.settings.roles.loader import SettingsSources, load

_DIALECTS = frozenset({"openai-completions", "anthropic-messages"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPlugin:
    """A plugin that may be used, and what it registered."""

    discovered: DiscoveredPlugin
    plugin: Plugin = field(repr=False)
    services: tuple[Service, ...]
    providers: tuple[DeclaredProvider, ...]
    commands: tuple[CommandPlugin, ...]
    tools: tuple[RegisteredTool, ...] = ()

    @property
    def id(self) -> str:
        return self.discovered.id


class EarlierVersionLoaded(PluginFailed):
    """The files were replaced, and this process already runs the code of the earlier version."""


class Registrations:
    """The registrar that plugins get."""

    def __init__(self, plugin: str) -> None:
        self.plugin = plugin
        self.services: list[Service] = []
        self.providers: list[DeclaredProvider] = []
        self.commands: list[CommandPlugin] = []
        self.tools: list[RegisteredTool] = []
        self.closed = False

    def add_service(self, service: Service) -> None:
        self._validate(service, Service, "service", ("start", "stop"), ("status", "unavailable"))
        self.services.append(service)

    def add_provider(self, provider: DeclaredProvider) -> None:
        self._validate(provider, DeclaredProvider, "provider")
        if any(hasattr(provider, name) for name in vars(ProviderPlugin) if not name.startswith("_")):
            plain = ("previous_answers", "questions", "config_change", "owned_paths")
            self._validate(provider, ProviderPlugin, "provider", ("check_connection",), plain)
        _validate_text(provider, "provider", ("id", "label", "dialect"))
        if provider.dialect not in _DIALECTS:
            raise PluginFailed(
                f"the provider '{provider.id}' has the unknown dialect '{provider.dialect}'; "
                f"use one of {', '.join(sorted(_DIALECTS))}"
            )
        for old, new in RENAMED_HOOKS.items():
            if callable(getattr(provider, old, None)) and not hasattr(provider, new):
                raise PluginFailed(
                    f"the provider '{provider.id}' has {old}(), which is {new}() since plugin API 2; rename it"
                )
        self.providers.append(provider)

    def add_command(self, command: CommandPlugin) -> None:
        self._validate(command, CommandPlugin, "command")
        _validate_text(command, "command", ("name", "help"))
        self.commands.append(command)

    def add_tool(self, tool: Tool) -> None:
        self._validate(tool, object, "tool")
        self.tools.append(register_tool(self.plugin, tool))

    def _validate(
        self, thing: object, protocol: type, kind: str, waits: Iterable[str] = (), plain: Iterable[str] = ()
    ) -> None:
        if self.closed:
            raise PluginFailed("register() has returned; nothing can be registered any more")
        if isinstance(thing, type):
            raise PluginFailed(
                f"a {kind} must be an object, but {thing.__name__} is a class: register {thing.__name__}()"
            )
        missing = missing_members(thing, protocol)
        if missing:
            raise PluginFailed(f"the {kind} {type(thing).__name__} lacks {', '.join(missing)}")
        for name in waits:
            if not inspect.iscoroutinefunction(getattr(thing, name)):
                raise PluginFailed(f"{name} of the {kind} {type(thing).__name__} must be 'async def'")
        for name in plain:
            if not callable(getattr(thing, name)) or inspect.iscoroutinefunction(getattr(thing, name)):
                raise PluginFailed(f"{name} of the {kind} {type(thing).__name__} must be a plain 'def'")


def load_plugin(discovered: DiscoveredPlugin, *, seconds: float = LOAD_SECONDS) -> LoadedPlugin:
    """Import the plugin and let it register. Raises `PluginFailed` with the reason, whatever its code does."""
    if discovered.problem is not None or discovered.manifest is None:
        raise PluginFailed(discovered.problem or "it has no manifest")
    manifest = discovered.manifest
    thing = run_with_timeout(seconds, "its import", lambda: _import_plugin(manifest, discovered.folder))
    return run_with_timeout(seconds, "its register", lambda: register_plugin(thing, discovered, manifest))


def _import_plugin(manifest: Manifest, folder: Path | None) -> object:
    if folder is not None:
        _check_own_package(manifest.package, folder)
    name, _, attribute = manifest.module.partition(":")
    module = importlib.import_module(name)
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise PluginFailed(f"{name} has no '{attribute}'") from None


def _check_own_package(package: str, folder: Path) -> None:
    """Append ``folder`` to the import path, where it cannot shadow anything, and check that it provides the package."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
        importlib.invalidate_caches()
    present = sys.modules.get(package)
    spec = present.__spec__ if present is not None else importlib.util.find_spec(package)
    origin = Path(spec.origin).resolve() if spec is not None and spec.origin else None
    if origin is None or folder.resolve() not in origin.parents:
        if present is not None and origin is not None and _home(folder) in origin.parents:
            raise EarlierVersionLoaded(
                "an earlier version of it is loaded; to use the new one: clawgate gateway restart"
            )
        raise PluginFailed(
            f"Python finds another package named '{package}'{f' ({origin})' if origin else ''}; "
            "the plugin's author must rename the plugin's package"
        )


def _home(folder: Path) -> Path:
    """Return the folder that holds all versions of an installed plugin; for any other plugin, its own folder."""
    resolved = folder.resolve()
    return next((parent for parent in resolved.parents if (parent / RECORD).is_file()), resolved)


def register_plugin(thing: object, discovered: DiscoveredPlugin, manifest: Manifest) -> LoadedPlugin:
    """Let ``thing`` register and compare it with ``manifest``. Raises `PluginFailed`, or what its code raises."""
    if isinstance(thing, type):
        raise PluginFailed(
            f"{manifest.module} is a class; name an object, such as plugin = {thing.__name__}()"
        )
    missing = missing_members(thing, Plugin)
    if missing:
        raise PluginFailed(f"{manifest.module} is not a plugin: it lacks {', '.join(missing)}")
    plugin = cast(Plugin, thing)
    _validate_text(thing, "plugin", ("id", "name", "version", "description"))
    for name in ("id", "version"):
        declared, actual = getattr(manifest, name), getattr(plugin, name)
        if declared != actual:
            raise PluginFailed(f"its manifest has {name} '{declared}', and its code '{actual}'")
    config: object = plugin.config_class
    if not isinstance(config, type) or not issubclass(config, BaseModel):
        raise PluginFailed("its config_class must be a class derived from pydantic's BaseModel")
    registrations = Registrations(manifest.id)
    plugin.register(registrations)
    registrations.closed = True
    _compare(manifest, registrations)
    return LoadedPlugin(
        discovered=discovered,
        plugin=plugin,
        services=tuple(registrations.services),
        providers=tuple(registrations.providers),
        commands=tuple(registrations.commands),
        tools=tuple(registrations.tools),
    )


def missing_members(thing: object, protocol: type) -> list[str]:
    """Return the names of ``protocol`` that ``thing`` lacks, sorted."""
    return sorted(name for name in vars(protocol) if not name.startswith("_") and not hasattr(thing, name))


def _validate_text(thing: object, kind: str, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(thing, name)
        if not isinstance(value, str) or not value or not value.isprintable():
            raise PluginFailed(f"the {kind}'s {name} must be one line of text")


def _compare(manifest: Manifest, registrations: Registrations) -> None:
    if ("service" in manifest.registers) != bool(registrations.services):
        actual = "registers a service" if registrations.services else "registers no service"
        raise PluginFailed(f"it {actual}, which contradicts `registers` in its manifest")
    for kind, declared, registered in (
        ("provider", manifest.providers, [one.id for one in registrations.providers]),
        ("command", manifest.commands, [one.name for one in registrations.commands]),
        ("tool", manifest.tools, [one.name for one in registrations.tools]),
    ):
        if sorted(declared) != sorted(registered):
            raise PluginFailed(
                f"it registers the {kind}s {', '.join(registered) or '(none)'}, "
                f"and its manifest lists {', '.join(declared) or '(none)'}"
            )


def plugin_settings(
    loaded: LoadedPlugin, block: Mapping[str, Any], environment: Mapping[str, str]
) -> BaseModel:
    """Return the plugin's config, from the environment, then ``plugins.entries.<id>.config``.

    Raises `SettingsInvalid` with every problem, and `PluginFailed` if a validator of the plugin fails otherwise.
    """
    sources = SettingsSources(
        environment=Environment.of(environment),
        block=block,
        block_name=f'plugins.entries."{loaded.id}".config',
        has_flags=False,
    )

    def read() -> BaseModel | SettingsInvalid:
        try:
            return load(loaded.plugin.config_class, {}, sources)
        except SettingsInvalid as error:
            return error

    result = run_with_timeout(LOAD_SECONDS, "reading its config", read)
    if isinstance(result, SettingsInvalid):
        raise result
    return result


def secrets_in(config: BaseModel) -> tuple[str, ...]:
    """Return every secret in a plugin's config as text, for redaction."""
    return tuple(dict.fromkeys(_secrets(config)))


def _secrets(value: object) -> list[str]:
    if isinstance(value, SecretStr):
        return [value.get_secret_value()] if value.get_secret_value() else []
    parts: list[object] = []
    if isinstance(value, BaseModel):
        parts = [getattr(value, name) for name in type(value).model_fields]
    elif isinstance(value, Mapping):
        parts = list(value.values())
    elif isinstance(value, list | tuple | set | frozenset):
        parts = list(value)
    return [secret for part in parts for secret in _secrets(part)]
