"""Finds plugins by their manifests, and decides which of them the config enables.

Must not run code of a plugin. Sources, in this order: ``clawgate.bundled``, packages of this Python with an entry point
in the group ``clawgate.plugins``, and what ``clawgate plugins install`` put below the state folder. Invariant: whatever
the files of a plugin hold, they make that plugin unusable at most, and nothing raises.
"""

from __future__ import annotations

import importlib.util
import json
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal

from clawgate.plugins.host.bundled import bundled_folder
from clawgate.plugins.host.manifest import (
    FILE_NAME,
    Manifest,
    ManifestInvalid,
    find_manifest,
    import_root,
    read_manifest,
)
from clawgate.settings.schema.openclaw import PluginsBlock

logger = logging.getLogger("clawgate.plugins")

GROUP = "clawgate.plugins"
RECORD = "installed.json"
_MAX_RECORD_BYTES = 100_000

Origin = Literal["bundled", "package", "installed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredPlugin:
    """A plugin that was found, loadable or not.

    ``id`` is set even if the manifest cannot be read. ``source`` says where it came from; ``folder`` holds its code
    (None: it is on the import path); ``record`` is what the installer wrote. ``problem``: why it cannot be loaded.
    """

    id: str
    origin: Origin
    source: str
    manifest: Manifest | None = None
    folder: Path | None = None
    record: Mapping[str, Any] | None = None
    problem: str | None = None


def installed_folder(state_dir: Path) -> Path:
    """Return the folder of installed plugins within OpenClaw's state folder."""
    return state_dir / "clawgate" / "plugins"


def find_plugins(state_dir: Path, *, bundled: Path | None = None) -> list[DiscoveredPlugin]:
    """Return all plugins. Of two with the same id neither can be loaded, unless one is bundled: that one can."""
    bundled = bundled or bundled_folder()
    plugins = [*_bundled(bundled), *_packages(), *_installed(installed_folder(state_dir))]
    return list(_mark_duplicates(plugins))


def enabled_reason(
    plugin: DiscoveredPlugin,
    plugins: PluginsBlock,
    providers: Collection[str],
    environment: Mapping[str, str] | None = None,
) -> tuple[bool, str]:
    """Return whether the config enables ``plugin``, and the setting that decides. ``providers``: ids in the config."""
    if (blocked := blocked_reason(plugin.id, plugins)) is not None:
        return False, blocked
    entry = plugins.entries.get(plugin.id)
    key = f'plugins.entries."{plugin.id}".enabled'
    if entry is not None and entry.enabled is not None:
        return entry.enabled, f"{key} is {str(entry.enabled).lower()}"
    if plugin.origin == "bundled" and plugin.manifest is not None:
        variable = plugin.manifest.enabling_variable
        for provider in plugin.manifest.providers:
            if provider in providers:
                # with a variable, the plugin does nothing but stand in for that block
                return not variable, f'models.providers."{provider}" is set'
        if variable and entry is not None and entry.config:
            return True, f'plugins.entries."{plugin.id}".config is set'
        if variable and (environment or {}).get(variable):
            return True, f"{variable} is set"
    return False, f"{key} is not set"


def blocked_reason(plugin: str, plugins: PluginsBlock) -> str | None:
    """Return the setting that keeps the plugin off whatever its entry is, or None. All have OpenClaw's meaning."""
    if plugins.enabled is False:
        return "plugins.enabled is false"
    if plugin in plugins.deny:
        return "plugins.deny lists it"
    if plugins.allow and plugin not in plugins.allow:
        return "plugins.allow does not list it"
    return None


def _bundled(folder: Path) -> Iterator[DiscoveredPlugin]:
    for path in sorted(folder.glob(f"*/{FILE_NAME}")):
        plugin_id = path.parent.name.replace("_", "-")
        yield _with_manifest(
            DiscoveredPlugin(id=plugin_id, origin="bundled", source="part of clawgate"), path
        )


def _packages() -> Iterator[DiscoveredPlugin]:
    try:
        points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    except Exception:
        # Metadata of any package of this Python, which may be broken: then no package can be looked up.
        logger.warning("entry points of the group %s cannot be read", GROUP, exc_info=True)
        return
    for point in points:
        plugin = DiscoveredPlugin(id=point.name, origin="package", source="a package")
        yield _contained(plugin, partial(_read_package, point))


def _read_package(point: EntryPoint, plugin: DiscoveredPlugin) -> DiscoveredPlugin:
    distribution = point.dist
    if distribution is not None:
        plugin = replace(plugin, source=f"package {distribution.name} {distribution.version}")
    path = _manifest_of(point, distribution)
    if path is None:
        return replace(plugin, problem=f"its package has no {FILE_NAME} beside its code")
    plugin = _with_manifest(plugin, path)
    if plugin.manifest is not None and plugin.manifest.module != point.value:
        problem = f"its entry point is {point.value}, but its manifest has {plugin.manifest.module}"
        return replace(plugin, problem=problem)
    return plugin


def _manifest_of(point: EntryPoint, distribution: Distribution | None) -> Path | None:
    """Return the manifest's path without an import: looking up the top-level package runs none of its code."""
    try:
        spec = importlib.util.find_spec(point.module.partition(".")[0])
    except (ImportError, ValueError):
        return None
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        if (path := Path(folder) / FILE_NAME).is_file():
            return path
    for file in (distribution.files or ()) if distribution is not None else ():
        if file.name == FILE_NAME and (path := Path(str(file.locate()))).is_file():
            return path
    return None


def _installed(folder: Path) -> Iterator[DiscoveredPlugin]:
    """Yield the installed plugins. A folder without a record is an installation that was never finished."""
    for path in sorted(folder.glob(f"*/{RECORD}")):
        if not path.parent.name.startswith("."):
            plugin = DiscoveredPlugin(id=path.parent.name, origin="installed", source="unknown")
            yield _contained(plugin, partial(_read_installed, path))


def _read_installed(path: Path, plugin: DiscoveredPlugin) -> DiscoveredPlugin:
    """``installed.json`` names the folder beside it that holds the code."""
    try:
        record = json.loads(_start_of(path))
        tree = path.parent / Path(record["tree"]).name
        plugin = replace(plugin, source=str(record["source"]), record=record)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return replace(plugin, problem=f"{path} cannot be read; install the plugin again")
    try:
        manifest_file = find_manifest(tree)
        plugin = _with_manifest(plugin, manifest_file)
        if plugin.manifest is not None:
            plugin = replace(plugin, folder=import_root(tree, manifest_file, plugin.manifest))
    except ManifestInvalid as error:
        plugin = replace(plugin, problem=str(error))
    if plugin.manifest is not None and plugin.manifest.id != path.parent.name:
        problem = f"its manifest has the id '{plugin.manifest.id}' now; install it again"
        return replace(plugin, problem=problem)
    return plugin


def _start_of(path: Path) -> bytes:
    """Return the first bytes of a regular file. Raises OSError for anything else: a FIFO would block for ever."""
    if not path.is_file():
        raise OSError(f"{path} is not a regular file")
    with path.open("rb") as file:
        return file.read(_MAX_RECORD_BYTES)


def _contained(
    plugin: DiscoveredPlugin, read: Callable[[DiscoveredPlugin], DiscoveredPlugin]
) -> DiscoveredPlugin:
    """Read the files of a plugin. Any exception is the problem of this plugin only."""
    try:
        return read(plugin)
    except Exception as error:  # foreign files: nothing is known of what they hold
        logger.debug("plugin cannot be read plugin=%s", plugin.id, exc_info=error)
        text = f"{type(error).__name__}: {str(error)[:200]}"
        return replace(
            plugin, problem=f"its files cannot be read: {text if text.isprintable() else ascii(text)[1:-1]}"
        )


def _with_manifest(plugin: DiscoveredPlugin, path: Path) -> DiscoveredPlugin:
    try:
        manifest = read_manifest(path)
    except ManifestInvalid as error:
        return replace(plugin, problem=str(error))
    plugin = replace(plugin, manifest=manifest, problem=manifest.api_problem())
    return plugin if plugin.origin == "installed" else replace(plugin, id=manifest.id)


def _mark_duplicates(plugins: list[DiscoveredPlugin]) -> Iterator[DiscoveredPlugin]:
    counts = Counter(plugin.id for plugin in plugins)
    own = {plugin.id for plugin in plugins if plugin.origin == "bundled"}
    for plugin in plugins:
        if counts[plugin.id] > 1 and plugin.origin != "bundled":
            sources = [other.source for other in plugins if other.id == plugin.id and other is not plugin]
            other = "clawgate itself" if plugin.id in own else ", ".join(sources)
            yield replace(
                plugin, problem=f"another plugin has the id '{plugin.id}' ({other}); remove one of them"
            )
        else:
            yield plugin
