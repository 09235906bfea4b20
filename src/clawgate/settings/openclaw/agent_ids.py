"""Reads which agents a config has, and which of them is the default. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from clawgate.settings.key_path import KeyPath
from clawgate.settings.schema.agents import AgentEntry
from clawgate.settings.schema.openclaw import OpenClawConfig

MAIN = "main"
"""The id of the only agent where the config names none, as in OpenClaw."""


def agent_entries(config: OpenClawConfig) -> Iterator[tuple[KeyPath, str, AgentEntry]]:
    """Yield the key path, the id as it is written, and the settings of each agent, in the order of the config."""
    for name, entry in config.agents.entries.items():
        yield ("agents", "entries", name), name, entry
    for index, listed in enumerate(config.agents.list):
        yield ("agents", "list", index), listed.id, listed


def agent_ids(config: OpenClawConfig) -> tuple[str, ...]:
    """Return the ids in lower case, in the order of the config; the default agent's is one of them."""
    named = (name.strip().lower() for _, name, _ in agent_entries(config))
    return tuple(dict.fromkeys(filter(None, named))) or (MAIN,)


def default_agent(config: OpenClawConfig) -> str:
    """Return the agent of requests that name none: the one that is marked, else main, else the first."""
    ids = agent_ids(config)
    marked = (name.strip().lower() for _, name, entry in agent_entries(config) if entry.default)
    return next(marked, MAIN if MAIN in ids else ids[0])
