"""Checks the lists of tools in a config file against the tools of the plugins that were found.

Must not run code of a plugin: what a plugin registers is in its manifest.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from clawgate.agents.definition.tool_policy import rule_problems
from clawgate.plugins.host.discovery import find_plugins
from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.openclaw.config_file import ConfigFile


def tool_diagnostics(file: ConfigFile, state_dir: Path) -> list[Diagnostic]:
    """Return the names in lists of tools that nothing has, and the rules that are not applied."""
    plugins = {one.id: one.manifest.tools if one.manifest else () for one in find_plugins(state_dir)}
    found = rule_problems(file.config, plugins)
    return [replace(one, location=file.location(one.path)) for one in found]
