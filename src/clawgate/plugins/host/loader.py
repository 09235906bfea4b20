"""Does a plugin's code do what its manifest says? Imports it, lets it register, and compares.

All or nothing: a plugin with one thing wrong registers nothing, and the reason says which thing.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, SecretStr

from clawgate.plugins.api import CommandPlugin, Plugin, ProviderPlugin, Service
from clawgate.plugins.host.discovery import RECORD, DiscoveredPlugin
from clawgate.plugins.host.isolation import LOAD_SECONDS, PluginFailed, run_with_timeout
from clawgate.plugins.host.manifest import Manifest
from clawgate.settings.roles.loader import SettingsSources, load

_DIALECTS = frozenset({"openai-completions", "anthropic-messages"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPlugin:
    """A plugin that may be used, and what it registered."""

    found: DiscoveredPlugin
    plugin: Plugin = field(repr=False)
    services: tuple[Service, ...]
    providers: tuple[ProviderPlugin, ...]
    commands: tuple[CommandPlugin, ...]

    @property
    def id(self) -> str:
        return self.found.id


class EarlierVersionLoaded(PluginFailed):
    """Its files were replaced, and this process has the code of the ones before; Python does not forget it."""


class _Registrations:
    """The registrar that plugins get."""

    def __init__(self) -> None:
        self.services: list[Service] = []
        self.providers: list[ProviderPlugin] = []
        self.commands: list[CommandPlugin] = []
        self.closed = False

    def service(self, service: Service) -> None:
        self._ask_for(service, Service, "service", ("start", "stop"), ("status", "unavailable"))
        self.services.append(service)

    def provider(self, provider: ProviderPlugin) -> None:
        plain = ("previous", "questions", "config_change", "owned")
        self._ask_for(provider, ProviderPlugin, "provider", ("check",), plain)
        _ask_for_text(provider, "provider", ("id", "label", "dialect"))
        if provider.dialect not in _DIALECTS:
            raise PluginFailed(
                f"the provider '{provider.id}' has no dialect that there is: {', '.join(_DIALECTS)}"
            )
        self.providers.append(provider)

    def command(self, command: CommandPlugin) -> None:
        self._ask_for(command, CommandPlugin, "command", (), ())
        _ask_for_text(command, "command", ("name", "help"))
        self.commands.append(command)

    def _ask_for(
        self, thing: object, shape: type, kind: str, waiting: tuple[str, ...], plain: tuple[str, ...]
    ) -> None:
        if self.closed:
            raise PluginFailed("register is over; nothing can be registered any more")
        if isinstance(thing, type):
            raise PluginFailed(
                f"a {kind} is an object, and {thing.__name__} is a class: register {thing.__name__}()"
            )
        missing = lacks(thing, shape)
        if missing:
            raise PluginFailed(f"the {kind} {type(thing).__name__} lacks {', '.join(missing)}")
        for name in waiting:
            if not inspect.iscoroutinefunction(getattr(thing, name)):
                raise PluginFailed(f"{name} of the {kind} {type(thing).__name__} must be 'async def'")
        for name in plain:
            if not callable(getattr(thing, name)) or inspect.iscoroutinefunction(getattr(thing, name)):
                raise PluginFailed(f"{name} of the {kind} {type(thing).__name__} must be a plain 'def'")


def load_plugin(found: DiscoveredPlugin, *, seconds: float = LOAD_SECONDS) -> LoadedPlugin:
    """Import the plugin and let it register. Raises `PluginFailed` with the reason, whatever its code does."""
    if found.problem is not None or found.manifest is None:
        raise PluginFailed(found.problem or "it has no manifest")
    manifest = found.manifest
    thing = run_with_timeout(seconds, "its import", lambda: _imported(manifest, found.folder))
    return run_with_timeout(seconds, "its register", lambda: registered(thing, found, manifest))


def _imported(manifest: Manifest, folder: Path | None) -> object:
    if folder is not None:
        _ask_for_own_package(manifest.package, folder)
    name, _, attribute = manifest.module.partition(":")
    module = importlib.import_module(name)
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise PluginFailed(f"{name} has no '{attribute}'") from None


def _ask_for_own_package(package: str, folder: Path) -> None:
    """At the end of the path, where it cannot stand in for anything; and what is found there has to be the plugin's."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
        importlib.invalidate_caches()
    present = sys.modules.get(package)
    spec = present.__spec__ if present is not None else importlib.util.find_spec(package)
    origin = Path(spec.origin).resolve() if spec is not None and spec.origin else None
    if origin is None or folder.resolve() not in origin.parents:
        if present is not None and origin is not None and _home(folder) in origin.parents:
            raise EarlierVersionLoaded(
                "an earlier version of it is loaded; to change over: clawgate gateway restart"
            )
        raise PluginFailed(
            f"its package '{package}' is not the one that Python finds under this name"
            f"{f' ({origin})' if origin else ''}; the plugin's author has to rename it"
        )


def _home(folder: Path) -> Path:
    """What holds all versions of an installed plugin; for any other, its own folder."""
    whole = folder.resolve()
    return next((one for one in whole.parents if (one / RECORD).is_file()), whole)


def registered(thing: object, found: DiscoveredPlugin, manifest: Manifest) -> LoadedPlugin:
    """What ``thing`` registers, if it does what ``manifest`` says. Raises `PluginFailed`, or what its code raises."""
    if isinstance(thing, type):
        raise PluginFailed(
            f"{manifest.module} is a class; name an object, such as plugin = {thing.__name__}()"
        )
    missing = lacks(thing, Plugin)
    if missing:
        raise PluginFailed(f"{manifest.module} is no plugin: it lacks {', '.join(missing)}")
    plugin = cast(Plugin, thing)
    _ask_for_text(thing, "plugin", ("id", "name", "version", "description"))
    for name in ("id", "version"):
        said, is_so = getattr(manifest, name), getattr(plugin, name)
        if said != is_so:
            raise PluginFailed(f"its manifest says {name} '{said}', and its code '{is_so}'")
    config: object = plugin.config
    if not isinstance(config, type) or not issubclass(config, BaseModel):
        raise PluginFailed("its config must be a class derived from pydantic's BaseModel")
    registrations = _Registrations()
    plugin.register(registrations)
    registrations.closed = True
    _compare(manifest, registrations)
    return LoadedPlugin(
        found=found,
        plugin=plugin,
        services=tuple(registrations.services),
        providers=tuple(registrations.providers),
        commands=tuple(registrations.commands),
    )


def lacks(thing: object, promise: type) -> list[str]:
    """What ``thing`` would need to be what a Protocol of the interface says."""
    return sorted(name for name in vars(promise) if not name.startswith("_") and not hasattr(thing, name))


def _ask_for_text(thing: object, kind: str, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(thing, name)
        if not isinstance(value, str) or not value or not value.isprintable():
            raise PluginFailed(f"the {kind}'s {name} must be one line of text")


def _compare(manifest: Manifest, registrations: _Registrations) -> None:
    if ("service" in manifest.registers) != bool(registrations.services):
        does = "registers a service" if registrations.services else "registers no service"
        raise PluginFailed(f"it {does}, and its manifest says otherwise")
    for kind, said, is_so in (
        ("provider", manifest.providers, [one.id for one in registrations.providers]),
        ("command", manifest.commands, [one.name for one in registrations.commands]),
    ):
        if sorted(said) != sorted(is_so):
            raise PluginFailed(
                f"it registers the {kind}s {', '.join(is_so) or '(none)'}, "
                f"and its manifest says {', '.join(said) or '(none)'}"
            )


def settings_of(
    loaded: LoadedPlugin,
    block: Mapping[str, Any],
    environment: Mapping[str, str],
    *,
    seconds: float = LOAD_SECONDS,
) -> BaseModel:
    """The plugin's config, from the environment and ``plugins.entries.<id>.config``, in this order.

    Raises `SettingsInvalid` with every problem, `PluginFailed` where its own validators do something else.
    """
    from clawgate.settings.problems import SettingsInvalid

    sources = SettingsSources(
        environment=environment,
        block=block,
        block_name=f'plugins.entries."{loaded.id}".config',
        has_flags=False,
    )

    def read() -> BaseModel | SettingsInvalid:
        try:
            return load(loaded.plugin.config, {}, sources)
        except SettingsInvalid as error:
            return error

    found = run_with_timeout(seconds, "reading its config", read)
    if isinstance(found, SettingsInvalid):
        raise found
    return found


def secrets_in(config: BaseModel) -> tuple[str, ...]:
    """Every secret in a plugin's config, as text: for those who have to know what never to show."""
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
