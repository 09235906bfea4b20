"""Which plugins are there, and which of them does the config want? Reads manifests; no plugin's code runs for that.

Three places, in this order: ``clawgate.bundled``, packages of this Python with an entry point in the group
``clawgate.plugins``, and what ``clawgate plugins install`` put below the state folder.
"""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, entry_points
from pathlib import Path
from typing import Any, Literal

import clawgate
from clawgate.plugins.host.manifest import (
    FILE_NAME,
    Manifest,
    ManifestInvalid,
    find_manifest,
    import_root,
    read_manifest,
)
from clawgate.settings.openclaw.schema import PluginsBlock

GROUP = "clawgate.plugins"
RECORD = "installed.json"

Origin = Literal["bundled", "package", "installed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredPlugin:
    """A plugin that is there, loadable or not.

    ``id`` is what it is called where its manifest cannot be read, too. ``source`` says where it came from;
    ``folder`` has its code (None: it is on the import path already); ``record`` is what was noted when it was
    installed. ``problem``: why it cannot be loaded, None if nothing is known against it.
    """

    id: str
    origin: Origin
    source: str
    manifest: Manifest | None = None
    folder: Path | None = None
    record: Mapping[str, Any] | None = None
    problem: str | None = None


def installed_folder(state_dir: Path) -> Path:
    """Where installed plugins are, within OpenClaw's state folder."""
    return state_dir / "clawgate" / "plugins"


def find_plugins(state_dir: Path, *, bundled: Path | None = None) -> list[DiscoveredPlugin]:
    """All that are there. Of two with one id neither can be loaded, unless one of them is bundled: that one can."""
    bundled = bundled or Path(clawgate.__file__).parent / "bundled"
    found = [*_bundled(bundled), *_packages(), *_installed(installed_folder(state_dir))]
    return list(_without_clashes(found))


def enabled_reason(
    found: DiscoveredPlugin, plugins: PluginsBlock, providers: Collection[str]
) -> tuple[bool, str]:
    """Whether the config wants ``found``, and which setting says so. ``providers`` are the ids in the config."""
    if (barred := blocked_reason(found.id, plugins)) is not None:
        return False, barred
    entry = plugins.entries.get(found.id)
    where = f'plugins.entries."{found.id}".enabled'
    if entry is not None and entry.enabled is not None:
        return entry.enabled, f"{where} is {str(entry.enabled).lower()}"
    if found.origin == "bundled" and found.manifest is not None:
        for provider in found.manifest.providers:
            if provider in providers:
                return True, f'models.providers."{provider}" is set'
    return False, f"{where} is not set"


def blocked_reason(plugin: str, plugins: PluginsBlock) -> str | None:
    """Which setting keeps the plugin off, whatever its own entry says; the meaning of all three is OpenClaw's."""
    if plugins.enabled is False:
        return "plugins.enabled is false"
    if plugin in plugins.deny:
        return "plugins.deny names it"
    if plugins.allow and plugin not in plugins.allow:
        return "plugins.allow does not name it"
    return None


def _bundled(folder: Path) -> Iterator[DiscoveredPlugin]:
    for path in sorted(folder.glob(f"*/{FILE_NAME}")):
        yield _read(
            path,
            DiscoveredPlugin(
                id=path.parent.name.replace("_", "-"), origin="bundled", source="part of clawgate"
            ),
        )


def _packages() -> Iterator[DiscoveredPlugin]:
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        distribution = point.dist
        source = f"package {distribution.name} {distribution.version}" if distribution else "a package"
        found = DiscoveredPlugin(id=point.name, origin="package", source=source)
        path = _manifest_of(point, distribution)
        if path is None:
            yield replace(found, problem=f"its package has no {FILE_NAME} beside its code")
            continue
        found = _read(path, found)
        if found.manifest is not None and found.manifest.module != point.value:
            problem = f"its entry point is {point.value}, and its manifest says {found.manifest.module}"
            found = replace(found, problem=problem)
        yield found


def _manifest_of(point: EntryPoint, distribution: Distribution | None) -> Path | None:
    """Without an import: the top package is looked up, which runs none of its code."""
    try:
        spec = importlib.util.find_spec(point.module.partition(".")[0])
    except (ImportError, ValueError, PackageNotFoundError):
        return None
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        if (path := Path(place) / FILE_NAME).is_file():
            return path
    for file in (distribution.files or ()) if distribution is not None else ():
        if file.name == FILE_NAME and (path := Path(str(file.locate()))).is_file():
            return path
    return None


def _installed(folder: Path) -> Iterator[DiscoveredPlugin]:
    """``<id>/installed.json`` names the folder beside it that has the code; what has no record was never finished."""
    for path in sorted(folder.glob(f"*/{RECORD}")):
        if path.parent.name.startswith("."):
            continue
        found = DiscoveredPlugin(id=path.parent.name, origin="installed", source="unknown")
        try:
            record = json.loads(path.read_bytes())
            tree = path.parent / Path(record["tree"]).name
            found = replace(found, source=str(record["source"]), record=record)
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            yield replace(found, problem=f"{path} cannot be read; install the plugin again")
            continue
        try:
            manifest_file = find_manifest(tree)
            found = _read(manifest_file, found)
            if found.manifest is not None:
                found = replace(found, folder=import_root(tree, manifest_file, found.manifest))
        except ManifestInvalid as error:
            found = replace(found, problem=str(error))
        if found.manifest is not None and found.manifest.id != path.parent.name:
            found = replace(found, problem=f"its manifest says '{found.manifest.id}' now; install it again")
        yield found


def _read(path: Path, found: DiscoveredPlugin) -> DiscoveredPlugin:
    try:
        manifest = read_manifest(path)
    except ManifestInvalid as error:
        return replace(found, problem=str(error))
    if found.origin == "installed":
        return replace(found, manifest=manifest, problem=manifest.why_not_here())
    return replace(found, id=manifest.id, manifest=manifest, problem=manifest.why_not_here())


def _without_clashes(found: list[DiscoveredPlugin]) -> Iterator[DiscoveredPlugin]:
    counted = Counter(one.id for one in found)
    own = {one.id for one in found if one.origin == "bundled"}
    for one in found:
        if counted[one.id] > 1 and one.origin != "bundled":
            others = [other.source for other in found if other.id == one.id and other is not one]
            other = "clawgate itself" if one.id in own else ", ".join(others)
            problem = f"another plugin has the id '{one.id}', too ({other}); remove one of them"
            yield replace(one, problem=problem)
        else:
            yield one
