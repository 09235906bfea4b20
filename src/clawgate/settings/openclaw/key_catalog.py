"""Describes each key of the config file: what it is for, its default, its variables and flag, read from the models.

Must not read a file. Keys that the models lack are the subject of `settings.openclaw.unknown_keys`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from clawgate.settings.fields import variables_of
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.own_settings import SECTION as OWN_SECTION
from clawgate.settings.openclaw.own_settings import OwnSettings
from clawgate.settings.roles.bridge import BridgeSettings
from clawgate.settings.roles.relay import RelaySettings, flag_of
from clawgate.settings.roles.server import ServerSettings
from clawgate.settings.schema.openclaw import OpenClawConfig
from clawgate.settings.schema.walk import holds_secret, models_in

ROLES: dict[str, type[RelaySettings]] = {
    BridgeSettings.ENTRY: BridgeSettings,
    ServerSettings.ENTRY: ServerSettings,
}
"""The settings of our own roles, by the id under ``plugins.entries``."""

_READ = ("gateway", "models", "agents", "plugins", "tools", "mcp", "memory", "env")
_AT_START: tuple[KeyPath, ...] = (
    ("gateway", "port"),
    ("gateway", "bind"),
    ("gateway", "customBindHost"),
    ("plugins", "entries", ServerSettings.ENTRY),
    (*OWN_SECTION, "database"),
    (*OWN_SECTION, "metricsPort"),
    (*OWN_SECTION, "drainTimeout"),
)
"""What is read when a process starts; ServerSettings is that of ``clawgate server run``."""
_ANY = "*"


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """``default`` is plain, None where there is none; ``variables``: the first that is set wins over the file."""

    description: str
    default: object
    variables: tuple[str, ...]
    flag: str | None
    secret: bool


def known_key(path: KeyPath) -> KeyInfo | None:
    """Return what is known of a key, None for one that no model has. Indexes and ids may be any."""
    keys = tuple(map(str, path))
    for pattern, field in key_fields():
        if len(pattern) == len(keys) and all(
            one in (_ANY, key) for one, key in zip(pattern, keys, strict=True)
        ):
            return _key_info(keys, field)
    return None


def known_paths() -> Iterator[KeyPath]:
    """Yield every path that the models name in full: those without an id or an index."""
    yield from (path for path, _ in key_fields() if _ANY not in path)


def applied_live(path: KeyPath) -> bool:
    """Return whether a running gateway applies a change of this key without a restart."""
    return path[:1] in {(one,) for one in _READ} and not any(
        path[: len(one)] == one[: len(path)] for one in _AT_START if path != ("plugins",)
    )


def key_fields() -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Yield every field of the models with its path, ``*`` for any id or index."""
    yield from _fields_of(OpenClawConfig, ())
    yield from _fields_of(OwnSettings, tuple(map(str, OWN_SECTION)))
    for entry, model in ROLES.items():
        yield from _fields_of(model, ("plugins", "entries", entry, "config"))


def _fields_of(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    for name, field in model.model_fields.items():
        own = (*path, to_camel(name))
        yield own, field
        for steps, inner in models_in(field.annotation):
            yield from _fields_of(inner, (*own, *(_ANY for _ in steps)))


def _key_info(path: tuple[str, ...], field: FieldInfo) -> KeyInfo:
    flag = None
    if path[:2] == ("plugins", "entries") and len(path) == 5 and path[2] in ROLES:
        by_key = {to_camel(name): name for name in ROLES[path[2]].model_fields}
        flag = flag_of(by_key[path[4]])
    return KeyInfo(
        description=field.description or "",
        default=_plain_default(field),
        variables=variables_of(field),
        flag=flag,
        secret=holds_secret(field.annotation),
    )


def _plain_default(field: FieldInfo) -> object:
    if field.default_factory is not None or field.default is PydanticUndefined:
        return None
    if isinstance(field.default, BaseModel):
        return None
    return list(field.default) if isinstance(field.default, tuple) else field.default
