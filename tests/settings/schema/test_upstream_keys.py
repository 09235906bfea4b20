"""OpenClaw's own keys are known for every part of its file that clawgate reads."""

from __future__ import annotations

from pydantic.alias_generators import to_camel

from clawgate.settings.schema.block import Block
from clawgate.settings.schema.upstream_keys import OPENCLAW_KEYS


def test_every_part_has_its_keys() -> None:
    """A part that is missing here would be a key error for whoever writes something odd into it."""
    parts = [*Block.__subclasses__()]
    for part in parts:
        parts += part.__subclasses__()
    assert set(OPENCLAW_KEYS) == set(parts)


def test_no_key_is_of_both_sorts() -> None:
    for block, keys in OPENCLAW_KEYS.items():
        assert not keys & {to_camel(name) for name in block.model_fields}, block.__name__
