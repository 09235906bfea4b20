"""Checks what a config file says of tools against the plugins and packages that were found.

Must not run code of a plugin: what a plugin registers is in its manifest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from clawgate.agents.definition.tool_policy import rule_problems
from clawgate.plugins.host.discovery import find_plugins
from clawgate.settings.diagnostic import Diagnostic, Severity
from clawgate.settings.openclaw.config_file import ConfigFile
from clawgate.settings.openclaw.web_tools import KEYS, NEEDS, offered_tools


def tool_diagnostics(file: ConfigFile, state_dir: Path) -> list[Diagnostic]:
    """Return the names in lists of tools that nothing has, and the rules that are not applied."""
    plugins = {one.id: one.manifest.tools if one.manifest else () for one in find_plugins(state_dir)}
    found = [*rule_problems(file.config, plugins), *_missing_packages(file)]
    return [replace(one, location=file.location(one.path)) for one in found]


def _missing_packages(file: ConfigFile) -> Iterator[Diagnostic]:
    """Yield the tools that are configured and cannot be offered: their packages are an extra."""
    for name in offered_tools(file.config):
        missing = [package for package in NEEDS[name] if find_spec(package) is None]
        if missing:
            yield Diagnostic(
                KEYS[name],
                f"the tool {name} is not offered: {', '.join(missing)} is not installed",
                Severity.WARNING,
                "run: pip install 'clawgate[web]'",
            )
