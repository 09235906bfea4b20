"""Finds the models that the annotation of a field holds: the one walk over the schema of the config file.

Pure.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

Steps = tuple[type, ...]
"""The containers between a field and the models in it: `dict` for any key, `list` for any index."""


def models_in(annotation: object) -> Iterator[tuple[Steps, type[BaseModel]]]:
    """Yield each model that a field of this type may hold, with the containers around it."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield (), annotation
    elif origin is Annotated:
        yield from models_in(parts[0])
    elif origin in (Union, types.UnionType):
        for part in parts:
            yield from models_in(part)
    elif origin is dict:
        yield from (((dict, *steps), model) for steps, model in models_in(parts[1]))
    elif origin in (tuple, list):
        yield from (((list, *steps), model) for steps, model in models_in(parts[0]))


def holds_secret(annotation: object) -> bool:
    if isinstance(annotation, type):
        return issubclass(annotation, SecretStr)
    return any(map(holds_secret, get_args(annotation)))
