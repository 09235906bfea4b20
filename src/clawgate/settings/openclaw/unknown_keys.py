"""Finds the keys of the config file that clawgate does not read, and typos among them.

Pure. OpenClaw owns most of its file, so a key of its own that is not read is no mistake;
one that neither of the two knows and that is a letter away from a known one is.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic.alias_generators import to_camel

from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.own_settings import wants_approval
from clawgate.settings.schema.block import Block
from clawgate.settings.schema.openclaw import OpenClawConfig
from clawgate.settings.schema.upstream_keys import OPEN_BLOCKS, OPENCLAW_KEYS
from clawgate.settings.schema.walk import Steps, holds_secret, models_in

_SIMILARITY = 0.75
"""How alike two keys are, of 1, for one to be a typo of the other: ``prot`` of ``port`` is one."""


_WORD = re.compile(r"[A-Za-z][A-Za-z_-]{0,31}\Z")


@dataclass(frozen=True, slots=True)
class UnknownKey:
    """A key that is not read.

    ``suggestion`` is the key that it may be a typo of; ``is_beside``: that one is set, too; ``is_read``: clawgate reads
    that one. ``is_openclaw``: it is a key of OpenClaw's, and no typo. ``may_be_secret``: it may be a secret of its
    block that was given the wrong way round, so it must not be shown. ``wants_approval``: it was meant to have calls of
    tools wait.
    """

    path: KeyPath
    suggestion: str | None = None
    is_beside: bool = False
    is_read: bool = False
    is_openclaw: bool = False
    may_be_secret: bool = False
    wants_approval: bool = False


def unknown_keys(document: object) -> Iterator[UnknownKey]:
    """Yield every key that is not read, in the blocks that are; what is not an object is skipped."""
    return _in_block(document, OpenClawConfig, ())


def unknown_keys_at(path: KeyPath, value: object) -> Iterator[UnknownKey]:
    """Yield those of a ``value`` at ``path``, in a file that has nothing else; their paths have indexes of 0."""
    for key in reversed(path):
        value = [value] if isinstance(key, int) else {key: value}
    return unknown_keys(value)


def _in_block(value: object, block: type[Block], path: KeyPath) -> Iterator[UnknownKey]:
    if not isinstance(value, dict):
        return
    keys = _keys(block)
    for key, part in value.items():
        own = (*path, key)
        if key in keys:
            for steps, inner in models_in(keys[key]):
                assert issubclass(inner, Block)
                for inner_path, inner_value in _values(part, steps, own):
                    yield from _in_block(inner_value, inner, inner_path)
        elif key in OPENCLAW_KEYS[block]:
            yield UnknownKey(own, is_openclaw=True)
        elif wants_approval(own):
            yield UnknownKey(own, wants_approval=True)
        elif block in OPEN_BLOCKS and _is_foreign(key, keys, value):
            yield UnknownKey(own, is_openclaw=True)
        elif suggestion := _similar(key, (*keys, *sorted(OPENCLAW_KEYS[block]))):
            yield UnknownKey(own, suggestion, is_beside=suggestion in value, is_read=suggestion in keys)
        else:
            is_swapped = not _WORD.match(key) or (isinstance(part, str) and part in keys)
            yield UnknownKey(own, may_be_secret=is_swapped and any(map(holds_secret, keys.values())))
            yield from _approvals(part, own)


def _approvals(value: object, path: KeyPath) -> Iterator[UnknownKey]:
    """Yield the keys in an object which neither program reads that were meant to have calls wait."""
    for key, part in value.items() if isinstance(value, dict) else ():
        own = (*path, key)
        if wants_approval(own):
            yield UnknownKey(own, wants_approval=True)
        else:
            yield from _approvals(part, own)


def _is_foreign(key: str, keys: Mapping[str, Any], block: Mapping[str, object]) -> bool:
    """Whether ``key`` is no typo of one of ``keys`` that is missing in ``block``."""
    suggestion = _similar(key, tuple(keys))
    return suggestion is None or suggestion in block


def _values(value: object, steps: Steps, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    """Yield what is behind ``steps``, as far as the containers are of the right type."""
    if not steps:
        yield path, value
    elif steps[0] is dict and isinstance(value, dict):
        for key, part in value.items():
            yield from _values(part, steps[1:], (*path, key))
    elif steps[0] is list and isinstance(value, list):
        for index, part in enumerate(value):
            yield from _values(part, steps[1:], (*path, index))


@cache
def _keys(block: type[Block]) -> Mapping[str, Any]:
    return {to_camel(name): field.annotation for name, field in block.model_fields.items()}


def _similar(key: str, keys: Sequence[str]) -> str | None:
    letters = _letters(key)
    for known in keys:
        if _letters(known) == letters:
            return known
    return next(iter(difflib.get_close_matches(key, keys, n=1, cutoff=_SIMILARITY)), None)


def _letters(key: str) -> str:
    return key.replace("_", "").replace("-", "").lower()
