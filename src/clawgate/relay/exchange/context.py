"""State shared by all exchanges of one listener: clock, admission, task spawner, observer, memory for bodies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from clawgate.relay.admission.admission import Admission
from clawgate.relay.exchange.body_budget import BodyBufferBudget
from clawgate.relay.observe.record import Observer

_FAILED = 400
"""Responses from this status on are reported to an observer of failures."""


@dataclass(frozen=True, slots=True)
class ExchangeContext:
    """See the module. Created by `relay.downstream.connections`."""

    now: Callable[[], float]
    admission: Admission
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    observer: Observer | None
    observes_all: bool
    """Whether the observer wants successful exchanges too, with their models."""
    body_limit: int
    body_budget: BodyBufferBudget

    def observer_of(self, status: int, *, ours: bool) -> Observer | None:
        """Return the observer of an exchange that ended with ``status``, with an error of our own if ``ours``."""
        return self.observer if ours or self.observes_all or status >= _FAILED else None
