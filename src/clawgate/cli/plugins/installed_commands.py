"""Lists the commands of bundled and installed plugins for ``clawgate --help``.

Must not import anything slow: help has to be quick. So the manifests of bundled plugins are not validated, and of
installed plugins only the records of their installation are read.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

_MAX_BYTES = 100_000


def bundled_commands() -> dict[str, str]:
    """Return the description of the plugin by command name."""
    import tomllib

    import clawgate

    commands: dict[str, str] = {}
    for path in sorted((Path(clawgate.__file__).parent / "bundled").glob("*/clawgate-plugin.toml")):
        manifest = tomllib.loads(path.read_text(encoding="utf-8"))
        commands |= dict.fromkeys(manifest.get("commands", ()), manifest["description"])
    return commands


def installed_commands() -> dict[str, str]:
    """Return the description of the plugin by command name; empty if there are no readable records."""
    from clawgate.settings.paths import state_dir
    from clawgate.settings.problems import SettingsInvalid

    try:
        records = sorted((state_dir(os.environ) / "clawgate" / "plugins").glob("[!.]*/installed.json"))
    except (SettingsInvalid, OSError, ValueError):
        return {}
    commands: dict[str, str] = {}
    for record in records:
        try:
            if not record.is_file():  # reading a FIFO would not end
                continue
            content = json.loads(record.read_bytes()[:_MAX_BYTES])
            names, description = content["commands"], str(content["description"])
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            continue
        if not description.isprintable():
            description = ""
        for name in names if isinstance(names, list) else []:
            if isinstance(name, str) and name.isprintable():
                commands[name] = description
    return commands
