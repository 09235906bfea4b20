"""What is known about a key of the config file: what it is for, its default, its variables? Read from the models.

Must not read a file. Keys that the models lack are `settings.openclaw.unknown_keys`'s subject.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from clawgate.settings.fields import variables_of
from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.schema import OpenClawConfig
from clawgate.settings.roles.bridge import BridgeSettings, RelaySettings, ServerSettings

ROLES: dict[str, type[RelaySettings]] = {"proxy-bridge": BridgeSettings, "openai-proxy": ServerSettings}
"""The plugins whose settings are our own: by the id under ``plugins.entries``."""

_LIVE = ("models", "agents", "plugins", "tools", ("gateway", "auth"))
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
    """None for a key that no model has. A list's index and a provider's id may be any."""
    for found, field in _fields():
        if len(found) == len(path) and all(
            key in (_ANY, mine) for key, mine in zip(found, map(str, path), strict=True)
        ):
            return _known(path, field)
    return None


def known_paths() -> Iterator[KeyPath]:
    """Every path that the models name in full: without those in which an id or an index would stand."""
    yield from (path for path, _ in _fields() if _ANY not in path)


def applied_live(path: KeyPath) -> bool:
    """Whether a gateway that runs takes a change of this key over by itself."""
    return path[:1] in {(one,) for one in _LIVE if isinstance(one, str)} or path[:2] in _LIVE


def _fields() -> Iterator[tuple[KeyPath, FieldInfo]]:
    yield from _of_model(OpenClawConfig, ())
    for entry, model in ROLES.items():
        yield from _of_model(model, ("plugins", "entries", entry, "config"))


def _of_model(model: type[BaseModel], path: KeyPath) -> Iterator[tuple[KeyPath, FieldInfo]]:
    for name, field in model.model_fields.items():
        own = (*path, to_camel(name))
        yield own, field
        yield from _within(field.annotation, own)


def _within(shape: object, path: KeyPath) -> Iterator[tuple[KeyPath, FieldInfo]]:
    origin, parts = get_origin(shape), get_args(shape)
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        yield from _of_model(shape, path)
    elif origin is Annotated:
        yield from _within(parts[0], path)
    elif origin in (Union, types.UnionType):
        for part in parts:
            yield from _within(part, path)
    elif origin is dict:
        yield from _within(parts[1], (*path, _ANY))
    elif origin in (tuple, list):
        yield from _within(parts[0], (*path, _ANY))


def _known(path: KeyPath, field: FieldInfo) -> KeyInfo:
    flag = None
    if path[:2] == ("plugins", "entries") and path[2:3] != () and path[2] in ROLES and len(path) == 5:
        from clawgate.settings.roles.loader import flag_of

        by_key = {to_camel(name): name for name in ROLES[str(path[2])].model_fields}
        flag = flag_of(by_key[str(path[4])])
    return KeyInfo(
        description=field.description or "",
        default=_plain_default(field),
        variables=variables_of(field),
        flag=flag,
        secret=_holds_secret(field.annotation),
    )


def _plain_default(field: FieldInfo) -> object:
    if field.default_factory is not None or field.default is PydanticUndefined:
        return None
    if isinstance(field.default, BaseModel):
        return None
    return list(field.default) if isinstance(field.default, tuple) else field.default


def _holds_secret(shape: Any) -> bool:
    if isinstance(shape, type):
        return issubclass(shape, SecretStr)
    return any(map(_holds_secret, get_args(shape)))
