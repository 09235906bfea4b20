"""Reads the config file for a provider: objects by path, the address in a URL, the paths that the wizard wrote.

Part of `clawgate.plugins.api`. The file is as a person may have left it: any value may be missing or of another type.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from clawgate.settings.key_path import KeyPath


def object_at(document: object, path: KeyPath) -> Mapping[str, Any]:
    """Return the object at ``path``; an empty one if there is none."""
    for key in path:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document if isinstance(document, Mapping) else {}


def address_in(url: object) -> tuple[str, int] | None:
    """Return host (lower case) and port of a plain URL; None for anything else, such as a reference to a variable."""
    if not isinstance(url, str) or "$" in url:
        return None
    try:
        parts = urlsplit(url.strip())
        port = parts.port or (443 if parts.scheme.lower() == "https" else 80)
    except ValueError:
        return None
    return (parts.hostname.lower(), port) if parts.hostname else None


def entry_paths(config: Mapping[str, Any], plugin: str, written_keys: Collection[str]) -> list[KeyPath]:
    """Return what of ``plugins.entries.<plugin>`` the wizard wrote: for `ProviderPlugin.owned_paths`.

    The whole entry if its config has ``written_keys`` only. Else these keys, and ``enabled``: settings of the operator
    are kept, but must not start anything.
    """
    entry: KeyPath = ("plugins", "entries", plugin)
    block = object_at(config, (*entry, "config"))
    if block.keys() <= set(written_keys):
        return [entry] if object_at(config, entry) else []
    paths: list[KeyPath] = [(*entry, "config", name) for name in written_keys if name in block]
    if object_at(config, entry).get("enabled") is True:
        paths.append((*entry, "enabled"))
    return paths
