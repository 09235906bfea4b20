"""Reads which agents a config has. Pure."""

from __future__ import annotations

from clawgate.settings.schema.openclaw import OpenClawConfig

MAIN = "main"
"""The id of the only agent where the config names none, as in OpenClaw."""


def agent_ids(config: OpenClawConfig) -> tuple[str, ...]:
    """Return the ids in lower case, in the order of the config; the default agent's is one of them."""
    listed = (entry.get("id") for entry in config.agents.list)
    named = (*config.agents.entries, *(one for one in listed if isinstance(one, str)))
    return tuple(dict.fromkeys(name.strip().lower() for name in named if name.strip())) or (MAIN,)
