"""What do the exchanges of one listener share? A clock, the gate, an owner for tasks, and who is told of their ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from clawgate.relay.admission.admission import Admission
from clawgate.relay.exchange.body_budget import BodyBufferBudget
from clawgate.relay.observe.record import Observer

_FAILED = 400
"""From here on an answer is something that an operator may want to know of, whoever failed."""


@dataclass(frozen=True, slots=True)
class ExchangeContext:
    """See the module; made by `relay.downstream.connections`."""

    now: Callable[[], float]
    admission: Admission
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    observer: Observer | None
    observes_all: bool
    """Whether the observer wants to know of whole answers too, and of the models."""
    body_limit: int
    held: BodyBufferBudget

    def observer_of(self, status: int, *, ours: bool) -> Observer | None:
        """Who is to be told of an exchange that ended so; ``ours``: with an error of our own."""
        return self.observer if ours or self.observes_all or status >= _FAILED else None
