"""Explains why a plugin for another version of the plugin interface cannot be loaded, and what it has to change."""

from __future__ import annotations

from clawgate.plugins.api import API_VERSION

RENAMED_HOOKS = {
    "shape": "transform_request",
    "judge": "map_error",  # a public name
    "config_notes": "check_config",
}
"""Optional methods of API 1. A plugin that kept one would be loaded without it, in silence."""


def api_problem(requires_api: int) -> str | None:
    """Return why this clawgate cannot load a plugin with this ``requires_api``, or None."""
    if requires_api == API_VERSION:
        return None
    if requires_api == 1:
        renamed = ", ".join(f"{old} is {new}" for old, new in RENAMED_HOOKS.items())
        return (
            f"it is written for plugin API 1, and this clawgate has API {API_VERSION}, in which methods have other "
            f"names ({renamed}, ...); install a version for API {API_VERSION}, or change it: "
            "docs/writing-a-plugin.md, 'From API 1 to 2'"
        )
    other = "a newer clawgate" if requires_api > API_VERSION else "an older clawgate"
    return (
        f"it is written for plugin API {requires_api}, and this clawgate has API {API_VERSION}; "
        f"use {other}, or another version of the plugin"
    )
