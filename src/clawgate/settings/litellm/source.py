"""Reads LiteLLM's config with the files that it includes.

As LiteLLM joins them: a list grows, any other key is replaced.
"""

from __future__ import annotations

from pathlib import Path

from clawgate.settings.litellm.yaml_file import YamlMapping, read_yaml
from clawgate.settings.problems import SettingsInvalid


def read_source(path: Path) -> YamlMapping:
    """Return the mapping of the file. Raises `SettingsInvalid` for a file of it that cannot be read."""
    source = _mapping(path, str(path))
    included = source.pop("include", None)
    names = included if isinstance(included, list) else [] if included is None else [included]
    for name in names:
        if not isinstance(name, str):
            raise SettingsInvalid.at(source.at("include"), "include: an entry is no path")
        other = _mapping(path.parent / name, str(path.parent / name))
        for key, value in other.items():
            present = source.get(key)
            source[key] = (
                [*present, *value] if isinstance(present, list) and isinstance(value, list) else value
            )
            source.lines.setdefault(key, other.lines[key])
    return source


def _mapping(path: Path, name: str) -> YamlMapping:
    value = read_yaml(path, name)
    if not isinstance(value, YamlMapping):
        raise SettingsInvalid.at(name, "it is no config of LiteLLM: there is no mapping at its top")
    return value
