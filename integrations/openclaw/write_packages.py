"""Writes what the packages for OpenClaw have in common, and what follows from the engine's settings.

Each package is complete in itself, as npm wants it: the modules of `shared` and the licence are copied into it, and its
manifest has the keys, defaults and descriptions of the settings that the engine reads.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from clawgate.bundled.anthropic_claude_proxy.config import ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.provider import ProxyProvider
from clawgate.bundled.owl.config import OwlSettings
from clawgate.bundled.owl.provider import OwlProvider
from clawgate.bundled.proxy_bridge.provider import BridgeProvider
from clawgate.plugins.api import DeclaredProvider
from clawgate.plugins.host.discovery import find_plugins
from clawgate.settings.fields import plain_type
from clawgate.settings.roles.bridge import BridgeSettings

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
OLDEST_HOST, NEWEST_HOST = "2026.3.28", "2026.9.6"
_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", tuple: "array", dict: "object"}


@dataclass(frozen=True, slots=True)
class Package:
    """One package: its settings, and its provider with the words that people see."""

    settings: type[BaseModel]
    provider: DeclaredProvider
    hint: str
    variable: str
    """Holds the credential that the host sends to the provider."""
    has_service: bool = True

    @property
    def id(self) -> str:
        return self.provider.id


PACKAGES = (
    Package(
        BridgeSettings, BridgeProvider(), "URL and token of the remote proxy", "PROXY_BRIDGE_LOCAL_TOKEN"
    ),
    Package(ProxyConfig, ProxyProvider(), "Address and models of the proxy", "MERIDIAN_API_KEY"),
    Package(
        OwlSettings,
        OwlProvider(),
        "URL, credential and models of the server",
        "OWL_API_KEY",
        has_service=False,
    ),
)


def files_of(package: Package) -> Iterator[tuple[Path, str]]:
    """Yield the generated files of a package with their text."""
    folder = FOLDER / package.id
    for source in sorted((FOLDER / "shared").glob("*.js")):
        if package.has_service or source.name not in ("service.js", "health.js"):
            yield folder / "shared" / source.name, source.read_text()
    yield folder / "LICENSE", (ROOT / "LICENSE").read_text()
    yield folder / "package.json", _json(_npm_package(package))
    yield folder / "openclaw.plugin.json", _json(_manifest(package))


def _json(document: object) -> str:
    return json.dumps(document, indent=2) + "\n"


def _npm_package(package: Package) -> Mapping[str, object]:
    manifest = _engine_manifest(package)
    return {
        "name": package.id,
        "version": manifest.version,
        "description": manifest.description,
        "license": "MIT",
        "type": "module",
        "main": "./index.js",
        "files": ["index.js", "shared", "openclaw.plugin.json", "README.md", "LICENSE"],
        "engines": {"node": ">=22.14"},
        "openclaw": {
            "extensions": ["./index.js"],
            "compat": {"pluginApi": f">={OLDEST_HOST}", "minGatewayVersion": OLDEST_HOST},
            "build": {"openclawVersion": NEWEST_HOST},
            "install": {"minHostVersion": f">={OLDEST_HOST}"},
        },
    }


def _manifest(package: Package) -> Mapping[str, object]:
    engine, label = _engine_manifest(package), package.provider.label
    fields = package.settings.model_fields
    return {
        "id": package.id,
        "name": engine.name,
        "description": engine.description,
        "version": engine.version,
        "categories": ["models"],
        "activation": {"onStartup": package.has_service},
        "providers": [package.id],
        "autoEnableWhenConfiguredProviders": [package.id],
        "setup": {"providers": [{"id": package.id, "envVars": [package.variable]}]},
        "providerAuthChoices": [
            {
                "provider": package.id,
                "method": "local",
                "choiceId": package.id,
                "choiceLabel": label,
                "choiceHint": package.hint,
                "groupId": package.id,
                "groupLabel": engine.name,
            }
        ],
        "cliCommands": [{"name": package.id, "description": label, "hasSubcommands": True}],
        "uiHints": {to_camel(name): _hint(field) for name, field in fields.items()},
        "configSchema": {
            "type": "object",
            "additionalProperties": False,
            "properties": {to_camel(name): _schema(field) for name, field in fields.items()},
        },
    }


def _engine_manifest(package: Package) -> Any:
    return next(one.manifest for one in find_plugins(FOLDER) if one.id == package.id)


def _hint(field: FieldInfo) -> Mapping[str, object]:
    hint: dict[str, object] = {"label": field.description}
    return hint | ({"sensitive": True} if plain_type(field.annotation) is SecretStr else {})


def _schema(field: FieldInfo) -> Mapping[str, object]:
    """Return the type that OpenClaw checks; what a value may be is for the engine, which reads the same file."""
    kind = plain_type(field.annotation)
    if kind is SecretStr:
        return {"type": ["string", "object"]}
    schema: dict[str, object] = {
        "type": _TYPES.get(kind, "object" if hasattr(kind, "model_fields") else "string")
    }
    if field.annotation is not None and kind is int and "str" in str(field.annotation):
        schema["type"] = ["integer", "string"]
    default = field.get_default(call_default_factory=True)
    if isinstance(default, bool | int | float | str):
        schema["default"] = default
    return schema


def main() -> None:
    """Write the files that differ."""
    for package in PACKAGES:
        for path, text in files_of(package):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_file() or path.read_text() != text:
                path.write_text(text)
                sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
