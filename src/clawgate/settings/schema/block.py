"""The base of every object of OpenClaw's config file: how its keys are spelled, and what happens to unknown ones."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from clawgate.settings.fields import reject_text_for_whole


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


def _round_down(value: object) -> object:
    """OpenClaw accepts fractions where only whole numbers mean something."""
    reject_text_for_whole(value)
    return math.floor(value) if isinstance(value, float) and math.isfinite(value) else value


NonNegativeInt = Annotated[int, Field(ge=1), BeforeValidator(_round_down)]
