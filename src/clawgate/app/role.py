"""Describes a role that is ready to be served."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.upstream import Upstream


@dataclass(slots=True, kw_only=True)
class Role:
    """One role. ``connections`` takes its requests, ``app`` is the ASGI application of its control paths.

    ``parent_fd``: a descriptor whose end stops the role. ``periodic_tasks`` run on the loop, each at its interval in
    seconds. ``tasks`` run beside the listener and are cancelled after the last response. ``metrics``: the port of the
    metrics listener, and what builds its connections and its application.
    """

    name: str
    connections: ConnectionManager
    app: Any
    dialer: Dialer
    host: str
    port: int
    drain_seconds: float
    tls: tuple[str, str] | None = None
    workers: int = 1
    parent_fd: int | None = None
    periodic_tasks: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    on_shutdown: Callable[[], None] = lambda: None
    tasks: list[Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=list)
    metrics: tuple[int, Callable[[], tuple[ConnectionManager, Any]]] | None = None


@dataclass(slots=True, kw_only=True)
class RelayRole(Role):
    upstream: Upstream
