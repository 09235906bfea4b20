"""Would a request for a model of the proxy come to it, as the config file stands?

What cannot be told (an address by a reference) is taken to fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from clawgate.bundled.anthropic_claude_proxy.config import ID, ProxyConfig
from clawgate.plugins.api import Diagnostic, KeyPath

PROVIDER: KeyPath = ("models", "providers", ID)


def notes(config: Mapping[str, Any], settings: ProxyConfig) -> list[Diagnostic]:
    """What of ``config``, the whole file, leads requests elsewhere than to the proxy that is watched."""
    there = _place(at(config, PROVIDER).get("baseUrl"))
    if there is None:
        return []
    host, port = there
    same_host = host == settings.host.lower() or "localhost" in (host, settings.host)
    if same_host and port == settings.port:
        return []
    other = f", or port to {port}" if same_host else f", or host to {host} and port to {port}"
    note = Diagnostic(
        path=(*PROVIDER, "baseUrl"),
        message=f"it leads to {host}:{port}, and the proxy is at {settings.origin}",
        fix=f'set it to {settings.origin}{other} (in plugins.entries."{ID}".config)',
    )
    return [note]


def why_none_come(config: Mapping[str, Any]) -> tuple[str, str] | None:
    """Why no request at all comes to the proxy, and what to do; None where some may."""
    plugins = at(config, ("plugins",))
    if plugins.get("enabled") is False:
        return "plugins.enabled is false", "clawgate config set plugins.enabled true"
    if _names(plugins.get("deny"), ID):
        return "plugins.deny names it", "take it out of that list"
    if plugins.get("allow") and not _names(plugins.get("allow"), ID):
        return "plugins.allow does not name it", f"clawgate plugins enable {ID}"
    if at(config, ("plugins", "entries", ID)).get("enabled") is False:
        return "its plugin is turned off", f"clawgate plugins enable {ID}"
    if not at(config, PROVIDER):
        return f'the config has no models.providers."{ID}"', f"clawgate models auth login --provider {ID}"
    return None


def _names(listed: object, plugin: str) -> bool:
    return isinstance(listed, list | tuple) and plugin in listed


def models_in(config: Mapping[str, Any]) -> list[str]:
    """The ids that the provider lists."""
    listed = at(config, PROVIDER).get("models")
    ids = [one.get("id") for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    return [one for one in ids if isinstance(one, str) and one.isprintable()]


def at(config: Mapping[str, Any], path: KeyPath) -> Mapping[str, Any]:
    """The object at a place of the config file; an empty one where there is none."""
    found: Any = config
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _place(url: object) -> tuple[str, int] | None:
    """Host and port; None for what is no plain URL, which is somebody else's to judge."""
    if not isinstance(url, str) or "$" in url:
        return None
    try:
        parts = urlsplit(url.strip())
        port = parts.port or (443 if parts.scheme.lower() == "https" else 80)
    except ValueError:
        return None
    return (parts.hostname.lower(), port) if parts.hostname else None
