"""Which commands did installed plugins bring, for ``clawgate --help``? By the notes of their installation alone.

Help has to be quick: no manifest is read here, and nothing imported that takes time.
"""

from __future__ import annotations

import json
import os


def installed_commands() -> dict[str, str]:
    """By name, with what its plugin says of itself; empty where nothing can be told."""
    from clawgate.settings.paths import state_dir
    from clawgate.settings.problems import SettingsInvalid

    try:
        records = sorted((state_dir(os.environ) / "clawgate" / "plugins").glob("[!.]*/installed.json"))
    except (SettingsInvalid, OSError, ValueError):
        return {}
    found: dict[str, str] = {}
    for record in records:
        try:
            note = json.loads(record.read_bytes()[:100_000])
            commands, description = note["commands"], str(note["description"])
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            continue
        named = commands if isinstance(commands, list) else []
        said = description if description.isprintable() else ""
        found |= {name: said for name in named if isinstance(name, str) and name.isprintable()}
    return found
