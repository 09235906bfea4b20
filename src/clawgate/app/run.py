"""Serves a role, in this process or in several, until a signal or the end of its parent."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import sys
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from clawgate.app.role import Role
from clawgate.processes.parent_watch import watch_parent
from clawgate.processes.workers import run_workers
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.downstream.server import Server, close

_SWITCH_SECONDS = 0.0005
"""How long a thread that writes the database or resolves a name may keep the loop waiting. Python's own 5 ms are as
long as the slowest refusal may take."""

logger = logging.getLogger("clawgate")


def serve(role: Role, sockets: list[socket.socket], on_ready: Callable[[], None]) -> int:
    """Serve ``role`` until it is stopped and return the exit status.

    ``on_ready`` is called when connections are accepted.
    """
    parent_fds = [] if role.parent_fd is None else [role.parent_fd]
    if role.workers == 1:
        return _serve_here(role, sockets, parent_fds, on_ready)
    on_ready()
    return run_workers(
        role.workers,
        lambda index, parent_fd: _serve_here(role, sockets, [parent_fd, *parent_fds], lambda: None, index),
        on_stop=lambda: close(sockets),
    )


def serve_in_thread(role: Role, sockets: list[socket.socket], on_ready: Callable[[], None]) -> None:
    """Serve ``role`` until its parent's descriptor ends, in a process that has more to do: it keeps its signals."""
    parent_fds = [] if role.parent_fd is None else [role.parent_fd]
    _serve_here(role, sockets, parent_fds, on_ready, owns_process=False)


def _serve_here(
    role: Role,
    sockets: list[socket.socket],
    parent_fds: list[int],
    on_ready: Callable[[], None],
    index: int = 0,
    *,
    owns_process: bool = True,
) -> int:
    def on_started(server: Server) -> None:
        for parent_fd in parent_fds:
            watch_parent(parent_fd, server.stop)
        for seconds, task in role.periodic_tasks:
            _repeat(seconds, task)
        for make_task in role.tasks:
            server.spawn_background(make_task())
        if role.metrics is not None:
            port, build = role.metrics
            server.spawn_background(_serve_metrics(port and port + index, *build()))
        on_ready()
        if not owns_process:
            return
        _tune_process()

    server = Server(
        role.connections, role.app, drain_seconds=role.drain_seconds, tls=role.tls, on_started=on_started
    )
    try:
        if owns_process:
            server.run_with_sockets(sockets)
        else:
            server.run(sockets)
    finally:
        role.on_shutdown()
    return 0


def _tune_process() -> None:
    # What exists now lives as long as the process: keep the garbage collector from scanning it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    sys.setswitchinterval(_SWITCH_SECONDS)


def make_protocol_factory(connections: ConnectionManager, app: Any) -> Callable[[], asyncio.Protocol]:
    """Return what creates a protocol for each connection, for ``create_server``; opens ``connections``."""
    config = Config(app, http=connections.make_protocol, ws="none", lifespan="off", log_config=None)  # type: ignore[arg-type]
    config.load()
    connections.open()
    state = ServerState()
    return lambda: connections.make_protocol(config, state, {})


def _repeat(seconds: float, task: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    loop.call_later(seconds, _repeat, seconds, task)
    task()


async def _serve_metrics(port: int, connections: ConnectionManager, app: Any) -> None:
    make_protocol = make_protocol_factory(connections, app)
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(make_protocol, "127.0.0.1", port, reuse_address=True)
    except OSError as error:
        logger.warning(
            "metrics are not served: cannot listen on port %d (%s); choose another --metrics-port, or metricsPort",
            port,
            error,
        )
        return
    logger.info("metrics on http://127.0.0.1:%d/metrics", server.sockets[0].getsockname()[1])
    try:
        await server.serve_forever()
    finally:
        connections.close()
