"""How is a role served? In this process or in several, until a signal, the starter's end, or the second signal."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from clawgate.app.role import Role
from clawgate.processes.parent_watch import watch_parent
from clawgate.processes.workers import run_workers
from clawgate.relay.downstream.connections import ConnectionManager
from clawgate.relay.downstream.server import Server, close, listen

logger = logging.getLogger("clawgate")


def serve(role: Role, sockets: list[socket.socket], ready: Callable[[], None]) -> int:
    """Serve ``role`` until it is stopped; ``ready`` is called when connections are accepted. The exit status."""
    starter = [] if role.parent_fd is None else [role.parent_fd]
    if role.workers == 1:
        return _serve_here(role, sockets, starter, ready)
    ready()
    return run_workers(
        role.workers,
        lambda index, parent_fd: _serve_here(role, sockets, [parent_fd, *starter], lambda: None, index),
        on_stop=lambda: close(sockets),
    )


def _serve_here(
    role: Role, sockets: list[socket.socket], parent_fds: list[int], ready: Callable[[], None], index: int = 0
) -> int:
    def when_up(host: Server) -> None:
        for parent_fd in parent_fds:
            watch_parent(parent_fd, host.stop)
        for every, chore in role.periodic_tasks:
            _repeat(every, chore)
        for task in role.tasks:
            host.keep(task())
        if role.metrics is not None:
            port, build = role.metrics
            host.keep(_serve_metrics(port and port + index, *build()))
        ready()
        # What exists now lives as long as the process: the collector need not walk through it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)

    host = Server(role.front, role.app, drain_seconds=role.drain_seconds, tls=role.tls, when_up=when_up)
    try:
        host.run_on(sockets)
    finally:
        role.on_shutdown()
    return 0


def open_listener(role: Role) -> list[socket.socket]:
    """The role's sockets; raises OSError when the address cannot be had."""
    return listen(role.host, role.port)


def _repeat(every: float, chore: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    loop.call_later(every, _repeat, every, chore)
    chore()


async def _serve_metrics(port: int, front: ConnectionManager, app: Any) -> None:
    config = Config(app, http=front.make_protocol, ws="none", lifespan="off", log_config=None)  # type: ignore[arg-type]
    config.load()
    front.open()
    state = ServerState()
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(
            lambda: front.make_protocol(config, state, {}), "127.0.0.1", port, reuse_address=True
        )
    except OSError as error:
        logger.warning(
            "metrics are not served: port %d cannot be had (%s); choose another --metrics-port", port, error
        )
        return
    logger.info("metrics on http://127.0.0.1:%d/metrics", server.sockets[0].getsockname()[1])
    try:
        await server.serve_forever()
    finally:
        front.close()
