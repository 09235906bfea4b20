"""Checks what a config file says of tools and MCP servers against what is on this machine.

Must not run code of a plugin or of a server: what a plugin registers is in its manifest, and what a server had when it
was reached is in the state folder.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from clawgate.agents.definition.tool_policy import KnownTools, rule_problems
from clawgate.agents.tools.mcp.definitions import named
from clawgate.agents.tools.mcp.logins import missing_login
from clawgate.agents.tools.mcp.pins import PinStore, pins_folder
from clawgate.plugins.host.discovery import find_plugins
from clawgate.settings.diagnostic import Diagnostic, Severity
from clawgate.settings.extras import install_command, missing_packages
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.mcp_servers import SDK, SECTION, mcp_servers
from clawgate.settings.openclaw.web_tools import KEYS, NEEDS, offered_tools


def tool_diagnostics(file: ConfigFile, state_dir: Path) -> list[Diagnostic]:
    """Return the names in lists of tools that nothing has, the rules that are not applied, and what is not offered."""
    found = [
        *_missing_packages(file),
        *_of_servers(file, state_dir),
        *rule_problems(file.config, known_tools(file, state_dir)),
    ]
    return [replace(one, location=file.location(one.path)) for one in found]


def known_tools(file: ConfigFile, state_dir: Path) -> KnownTools:
    """Return what there is on this machine, enabled or not."""
    plugins = {one.id: one.manifest.tools if one.manifest else () for one in find_plugins(state_dir)}
    store = PinStore(pins_folder(state_dir), time.time)
    servers: dict[str, tuple[str, ...]] = {}
    for entry in mcp_servers(file.config, file.unset):
        servers.setdefault(
            entry.prefix, tuple(named(entry.prefix, store.read(entry.prefix).accepted.values())[0])
        )
    return KnownTools(plugins, servers)


def _missing_packages(file: ConfigFile) -> Iterator[Diagnostic]:
    """Yield the tools that are configured and cannot be offered: their packages are an extra."""
    for name in offered_tools(file.config):
        if missing := missing_packages(NEEDS[name]):
            yield Diagnostic(
                KEYS[name],
                f"the tool {name} is not offered: {', '.join(missing)} is not installed",
                Severity.WARNING,
                f"run: {install_command('web')}",
            )
    if any(one.is_used for one in mcp_servers(file.config, file.unset)) and missing_packages(SDK):
        yield Diagnostic(
            SECTION,
            "no tool of these servers is offered: the MCP SDK is not installed",
            Severity.WARNING,
            f"run: {install_command('mcp')}",
        )


def _of_servers(file: ConfigFile, state_dir: Path) -> Iterator[Diagnostic]:
    """Yield what is wrong with MCP servers."""
    store = PinStore(pins_folder(state_dir), time.time)
    for entry in mcp_servers(file.config, file.unset):
        pins = store.read(entry.prefix)
        if entry.problem is not None and entry.block.enabled:
            yield entry.problem
        elif entry.is_used and pins.problem:
            yield Diagnostic(entry.path, f"none of its tools is offered: {pins.problem}", Severity.WARNING)
        elif entry.is_used and pins.waiting:
            number = len(pins.waiting)
            reason = f"{number} of its tools are new or were changed by the server, and are not offered"
            yield Diagnostic(entry.path, reason, Severity.WARNING, f"run: clawgate mcp show {entry.name}")
        if missing := missing_login(pins_folder(state_dir), entry):
            yield Diagnostic(entry.path, missing[0], Severity.WARNING, missing[1])
