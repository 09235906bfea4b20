"""Lists the commands of installed plugins for ``clawgate --help``, from the records of their installation alone.

Must not read a manifest or import anything slow: help has to be quick.
"""

from __future__ import annotations

import json
import os


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
            content = json.loads(record.read_bytes()[:100_000])
            names, description = content["commands"], str(content["description"])
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            continue
        if not description.isprintable():
            description = ""
        for name in names if isinstance(names, list) else []:
            if isinstance(name, str) and name.isprintable():
                commands[name] = description
    return commands
