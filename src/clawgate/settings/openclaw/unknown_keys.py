"""Which keys of the file does clawgate not read, and is one of them a slip for a key that it does read?

OpenClaw owns most of its file, so a key of its own that is not read is no mistake; one that neither of the two knows
and that is a letter away from one that they know, is. It judges keys, never values.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.alias_generators import to_camel

from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw import schema as openclaw
from clawgate.settings.openclaw.schema import Block
from clawgate.settings.openclaw.upstream_keys import OPENCLAWS_OWN

_CLOSE = 0.75
"""How alike two keys are, of 1, for one to be a slip for the other: ``prot`` for ``port`` is one."""


@dataclass(frozen=True, slots=True)
class UnknownKey:
    """A key that is not read. ``meant`` is the one that it may be a slip for; ``there``: that one is, too.

    ``openclaws``: it is one of OpenClaw's own, and no slip; ``read``: clawgate reads the one that is meant.
    """

    path: KeyPath
    meant: str | None
    there: bool
    openclaws: bool = False
    read: bool = False


def unread_keys(document: object) -> Iterator[UnknownKey]:
    """Every key that is not read, in the blocks that are; what is not an object is passed over."""
    return _of_block(document, openclaw.OpenClawConfig, ())


def _of_block(value: object, block: type[Block], path: KeyPath) -> Iterator[UnknownKey]:
    if not isinstance(value, dict):
        return
    keys = _keys(block)
    for key, part in value.items():
        if key in keys:
            yield from _of_shape(part, keys[key], (*path, key))
        elif key in OPENCLAWS_OWN[block]:
            yield UnknownKey((*path, key), None, there=False, openclaws=True)
        else:
            meant = _near(key, (*keys, *sorted(OPENCLAWS_OWN[block])))
            yield UnknownKey((*path, key), meant, there=meant in value, read=meant in keys)


def _of_shape(value: object, shape: object, path: KeyPath) -> Iterator[UnknownKey]:
    """``shape`` is the annotation of the field."""
    origin, parts = get_origin(shape), get_args(shape)
    if isinstance(shape, type) and issubclass(shape, Block):
        yield from _of_block(value, shape, path)
    elif origin is Annotated:
        yield from _of_shape(value, parts[0], path)
    elif origin in (Union, types.UnionType):
        for part in parts:
            yield from _of_shape(value, part, path)
    elif origin is dict and isinstance(value, dict):
        for key, part in value.items():
            yield from _of_shape(part, parts[1], (*path, key))
    elif origin is tuple and isinstance(value, list):
        for at, part in enumerate(value):
            yield from _of_shape(part, parts[0], (*path, at))


@cache
def _keys(block: type[Block]) -> Mapping[str, Any]:
    return {to_camel(name): field.annotation for name, field in block.model_fields.items()}


def _near(key: str, keys: Sequence[str]) -> str | None:
    plain = _letters(key)
    for known in keys:
        if _letters(known) == plain:
            return known
    return next(iter(difflib.get_close_matches(key, keys, n=1, cutoff=_CLOSE)), None)


def _letters(key: str) -> str:
    return key.replace("_", "").replace("-", "").lower()
