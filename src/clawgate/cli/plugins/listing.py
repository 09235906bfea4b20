"""The output of `plugins list` and `plugins inspect`: rows, lines and JSON. Must not run code of a plugin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clawgate.plugins.host.discovery import DiscoveredPlugin
from clawgate.plugins.host.loader import LoadedPlugin
from clawgate.plugins.host.manifest import Manifest

COLUMNS = ("Name", "ID", "Status", "Source", "Version")


@dataclass(frozen=True, slots=True)
class PluginRow:
    plugin: DiscoveredPlugin
    enabled: bool
    reason: str

    @property
    def status(self) -> str:
        if self.plugin.problem is not None:
            return "error"
        return "enabled" if self.enabled else "disabled"

    def cells(self) -> tuple[str, ...]:
        manifest = self.plugin.manifest
        name, version = (manifest.name, manifest.version) if manifest else ("?", "?")
        return name, self.plugin.id, self.status, self.plugin.source, version

    def to_json(self) -> dict[str, object]:
        """Return the JSON output; `problem` is None for a usable plugin."""
        manifest = self.plugin.manifest
        return {
            "id": self.plugin.id,
            "name": manifest.name if manifest else None,
            "version": manifest.version if manifest else None,
            "description": manifest.description if manifest else None,
            "origin": self.plugin.origin,
            "source": self.plugin.source,
            "rootDir": str(self.plugin.folder) if self.plugin.folder else None,
            "enabled": self.enabled,
            "why": self.reason,
            "status": self.status,
            "registers": list(manifest.registers) if manifest else [],
            "providerIds": list(manifest.providers) if manifest else [],
            "cliCommands": list(manifest.commands) if manifest else [],
            "toolNames": list(manifest.tools) if manifest else [],
            "problem": self.plugin.problem,
            "install": dict(self.plugin.record) if self.plugin.record else None,
        }

    def lines(self) -> Iterator[str]:
        plugin, manifest = self.plugin, self.plugin.manifest
        if manifest is not None:
            yield f"{manifest.name} ({plugin.id})"
            yield manifest.description
            yield ""
        facts = [
            ("Status", f"{self.status} ({self.reason})"),
            ("Origin", plugin.origin),
            ("Source", plugin.source),
        ]
        if plugin.problem is not None:
            facts.insert(1, ("Problem", plugin.problem))
        if manifest is not None:
            facts += manifest_facts(manifest)
            facts.append(("Module", manifest.module))
        if plugin.folder is not None:
            facts.append(("Folder", str(plugin.folder)))
        if plugin.record is not None:
            facts += [
                ("Installed", str(plugin.record.get("installed"))),
                ("Digest", str(plugin.record.get("digest"))),
            ]
            if plugin.record.get("revision"):
                facts.append(("Revision", str(plugin.record["revision"])))
        yield from aligned(facts)
        if manifest is not None and manifest.config:
            yield ""
            yield f'Settings (plugins.entries."{plugin.id}".config):'
            yield from (f"  {key}: {text}" for key, text in manifest.config.items())


def manifest_facts(manifest: Manifest) -> list[tuple[str, str]]:
    return [
        ("Version", manifest.version),
        ("Service", "runs inside the gateway" if "service" in manifest.registers else "none"),
        ("Providers", ", ".join(manifest.providers) or "none"),
        ("Commands", ", ".join(f"clawgate {name}" for name in manifest.commands) or "none"),
        ("Tools", ", ".join(manifest.tools) or "none"),
    ]


def aligned(facts: list[tuple[str, str]]) -> Iterator[str]:
    """Yield one `name : text` line for each fact."""
    width = max(len(name) for name, _ in facts)
    yield from (f"{name:<{width}} : {text}" for name, text in facts)


def runtime_json(loaded: LoadedPlugin) -> dict[str, object]:
    return {
        "imported": True,
        "services": len(loaded.services),
        "providerIds": [provider.id for provider in loaded.providers],
        "cliCommands": [command.name for command in loaded.commands],
        "toolNames": [tool.name for tool in loaded.tools],
        "configKeys": sorted(
            field.alias or name for name, field in loaded.plugin.config_class.model_fields.items()
        ),
    }
