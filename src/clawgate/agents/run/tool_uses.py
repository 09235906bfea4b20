"""Collects what the tools of a run use of models, so that the run accounts for it like for its own calls."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

from clawgate.agents.run.step import Usage
from clawgate.policy.model_routing import ModelRef


@dataclass(frozen=True, slots=True)
class ModelUse:
    """What one model call used; ``model`` is None where it is not known."""

    model: ModelRef | None
    usage: Usage


_uses: ContextVar[list[ModelUse] | None] = ContextVar("tool_uses", default=None)


@contextlib.contextmanager
def collected() -> Iterator[list[ModelUse]]:
    """Collect what is reported within, by tasks that are started there, too."""
    uses: list[ModelUse] = []
    token = _uses.set(uses)
    try:
        yield uses
    finally:
        _uses.reset(token)


def report(use: ModelUse) -> None:
    """Report the use of a model by the tool that runs."""
    uses = _uses.get()
    if uses is not None:
        uses.append(use)
