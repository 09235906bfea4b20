"""How do plugins look to whoever lists or inspects them? Rows, lines and JSON of what is known without their code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clawgate.plugins.host.discovery import DiscoveredPlugin
from clawgate.plugins.host.loader import LoadedPlugin
from clawgate.plugins.host.manifest import Manifest

COLUMNS = ("Name", "ID", "Status", "Source", "Version")


@dataclass(frozen=True, slots=True)
class Row:
    """A plugin and what the config says of it."""

    found: DiscoveredPlugin
    on: bool
    why: str

    @property
    def status(self) -> str:
        if self.found.problem is not None:
            return "error"
        return "enabled" if self.on else "disabled"

    def cells(self) -> tuple[str, ...]:
        manifest = self.found.manifest
        name, version = (manifest.name, manifest.version) if manifest else ("?", "?")
        return name, self.found.id, self.status, self.found.source, version

    def shown(self) -> dict[str, object]:
        """As JSON."""
        manifest = self.found.manifest
        return {
            "id": self.found.id,
            "name": manifest.name if manifest else None,
            "version": manifest.version if manifest else None,
            "description": manifest.description if manifest else None,
            "origin": self.found.origin,
            "source": self.found.source,
            "rootDir": str(self.found.folder) if self.found.folder else None,
            "enabled": self.on,
            "why": self.why,
            "status": self.status,
            "registers": list(manifest.registers) if manifest else [],
            "providerIds": list(manifest.providers) if manifest else [],
            "cliCommands": list(manifest.commands) if manifest else [],
            "problem": self.found.problem,
            "install": dict(self.found.record) if self.found.record else None,
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        found, manifest = self.found, self.found.manifest
        if manifest is not None:
            yield f"{manifest.name} ({found.id})"
            yield manifest.description
            yield ""
        facts = [
            ("Status", f"{self.status} ({self.why})"),
            ("Origin", found.origin),
            ("Source", found.source),
        ]
        if found.problem is not None:
            facts.insert(1, ("Problem", found.problem))
        if manifest is not None:
            facts += manifest_facts(manifest)
            facts.append(("Module", manifest.module))
        if found.folder is not None:
            facts.append(("Folder", str(found.folder)))
        if found.record is not None:
            facts += [
                ("Installed", str(found.record.get("installed"))),
                ("Digest", str(found.record.get("digest"))),
            ]
            if found.record.get("revision"):
                facts.append(("Revision", str(found.record["revision"])))
        yield from aligned(facts)
        if manifest is not None and manifest.config:
            yield ""
            yield f'Settings (plugins.entries."{found.id}".config):'
            yield from (f"  {key}: {text}" for key, text in manifest.config.items())


def manifest_facts(manifest: Manifest) -> list[tuple[str, str]]:
    """What a plugin may do, by its own word."""
    return [
        ("Version", manifest.version),
        ("Service", "runs inside the gateway" if "service" in manifest.registers else "none"),
        ("Providers", ", ".join(manifest.providers) or "none"),
        ("Commands", ", ".join(f"clawgate {name}" for name in manifest.commands) or "none"),
    ]


def aligned(facts: list[tuple[str, str]]) -> Iterator[str]:
    width = max(len(name) for name, _ in facts)
    yield from (f"{name:<{width}} : {text}" for name, text in facts)


def runtime_shown(loaded: LoadedPlugin) -> dict[str, object]:
    """What its code registered, as JSON."""
    return {
        "imported": True,
        "services": len(loaded.services),
        "providerIds": [provider.id for provider in loaded.providers],
        "cliCommands": [command.name for command in loaded.commands],
        "configKeys": sorted(
            field.alias or name for name, field in loaded.plugin.config_class.model_fields.items()
        ),
    }
