"""Checks whether the config file leads requests for the proxy's models to the proxy that is watched.

A value that is not known here, such as an address by a reference, counts as right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clawgate.bundled.anthropic_claude_proxy.config import ID, ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.package_pin import unpinned_package
from clawgate.plugins.api import Diagnostic, KeyPath, Severity, address_in, object_at

PROVIDER: KeyPath = ("models", "providers", ID)


def diagnostics(config: Mapping[str, Any], settings: ProxyConfig) -> list[Diagnostic]:
    """Return what in ``config``, the whole file, leads requests elsewhere."""
    address = address_in(object_at(config, PROVIDER).get("baseUrl"))
    if address is None:
        return []
    host, port = address
    same_host = host == settings.host.lower() or "localhost" in (host, settings.host)
    if same_host and port == settings.port:
        return []
    other = f", or port to {port}" if same_host else f", or host to {host} and port to {port}"
    return [
        Diagnostic(
            path=(*PROVIDER, "baseUrl"),
            message=f"it leads to {host}:{port}, but the proxy is at {settings.origin}",
            fix=f'set it to {settings.origin}{other} (in plugins.entries."{ID}".config)',
        )
    ]


def pin_note(settings: ProxyConfig) -> Diagnostic | None:
    """Return a note if the program is whatever release is the newest when the gateway starts it."""
    package = unpinned_package(settings.command) if settings.auto_start else None
    if package is None:
        return None
    name = package.rpartition("@")[0] or package
    return Diagnostic(
        path=("plugins", "entries", ID, "config", "command"),
        message=f"{settings.command[0]} fetches the newest release of {name} at every start",
        severity=Severity.INFO,
        fix=f"pin a release ({name}@1.2.3), or install the package and name its program",
    )


def unreachable_reason(config: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return why no request reaches the proxy and what to do; None if some may."""
    plugins = object_at(config, ("plugins",))
    if plugins.get("enabled") is False:
        return "plugins.enabled is false", "clawgate config set plugins.enabled true"
    if _lists(plugins.get("deny"), ID):
        return "plugins.deny lists the plugin", "remove it from that list"
    if plugins.get("allow") and not _lists(plugins.get("allow"), ID):
        return "plugins.allow does not list the plugin", f"clawgate plugins enable {ID}"
    if object_at(config, ("plugins", "entries", ID)).get("enabled") is False:
        return "the plugin is disabled", f"clawgate plugins enable {ID}"
    if not (object_at(config, PROVIDER) or object_at(config, ("plugins", "entries", ID)).get("enabled")):
        return "the config does not enable the plugin", f"clawgate models auth login --provider {ID}"
    return None


def _lists(value: object, plugin: str) -> bool:
    return isinstance(value, list | tuple) and plugin in value


def models_in(config: Mapping[str, Any], settings: ProxyConfig) -> list[str]:
    """Return the model ids of the provider: of its block, or where it has none of the plugin's settings."""
    if not object_at(config, PROVIDER):
        return list(settings.models)
    models = object_at(config, PROVIDER).get("models")
    ids = [one.get("id") for one in models if isinstance(one, Mapping)] if isinstance(models, list) else []
    return [one for one in ids if isinstance(one, str) and one.isprintable()]
