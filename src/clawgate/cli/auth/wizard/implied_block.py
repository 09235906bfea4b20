"""Reads a provider from the settings of its plugin as a block of ``models.providers``, to which the wizard moves it.

Such a block is what OpenClaw reads, too. References to variables stay references where the block has room for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from clawgate.plugins.api import object_at
from clawgate.plugins.host.implied_providers import implied_providers
from clawgate.settings.key_path import KeyPath
from clawgate.settings.references import resolve_references
from clawgate.settings.schema.openclaw import OpenClawConfig


@dataclass(frozen=True, slots=True)
class ImpliedBlock:
    """``path`` is where the settings are that it replaces; ``own`` is what it has no key for."""

    path: KeyPath
    block: Mapping[str, Any] = field(repr=False)
    own: Mapping[str, object]


def implied_block(
    name: str, config: OpenClawConfig, raw: Mapping[str, Any], environment: Mapping[str, str]
) -> ImpliedBlock | None:
    """Return the block that the file's settings of a plugin imply; None without such settings, or for invalid ones."""
    implied = implied_providers(config, environment).get(name)
    if implied is None or implied.problem is not None or not implied.block:
        return None
    if not (settings := object_at(raw, implied.path)):
        return None
    references = dict(_references(settings, environment))
    own = {key: value for key, value in implied.own.items() if value}
    entry = implied.path[:-1]
    is_whole = object_at(raw, entry).keys() <= {"enabled", "config"}
    return ImpliedBlock(
        entry if is_whole else implied.path, _with_references(dict(implied.block), references), own
    )


def _references(settings: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the text that each reference stands for, with the reference."""
    for value in settings.values():
        resolved, missing = resolve_references(value, environment)
        if resolved != value and isinstance(resolved, str) and resolved and not missing:
            yield resolved, f"${{{value['id']}}}" if isinstance(value, Mapping) else value


def _with_references(value: Any, references: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _with_references(one, references) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_references(one, references) for one in value]
    if not isinstance(value, str):
        return value
    scheme, blank, rest = value.rpartition(" ")
    reference = references.get(rest)
    return value if reference is None else f"{scheme}{blank}{reference}" if blank else reference
