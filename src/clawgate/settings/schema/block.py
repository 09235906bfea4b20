"""The base of every object of OpenClaw's config file: how its keys are spelled, and what happens to unknown ones."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Block(BaseModel):
    """An object of OpenClaw's file: keys in camelCase, unknown ones are OpenClaw's own."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        defer_build=True,  # built once as a whole at its first use, not part by part at import
    )
