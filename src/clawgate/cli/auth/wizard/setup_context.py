"""What is done for a provider that is being set up: the config to read, a small request, a look at a port?"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clawgate.app.plugins.fetch import fetched
from clawgate.plugins.api.questions import Answers
from clawgate.plugins.api.service import FetchRequest, FetchResponse
from clawgate.processes.port_owner import port_owner
from clawgate.relay.upstream.dial import Dialer


@dataclass(frozen=True, slots=True)
class Setup:
    """The context of a provider's questions and of its check."""

    environment: Mapping[str, str] = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)

    async def fetch(self, plan: FetchRequest) -> FetchResponse:
        return await fetched(plan, Dialer())


@dataclass(frozen=True, slots=True)
class Ports:
    """``gateway_port`` is the gateway's own, ``gateway_pid`` of one that runs; ``configured`` are those of before."""

    gateway_port: int | None = None
    gateway_pid: int | None = None
    configured: frozenset[int] = frozenset()
    owner: Callable[[int], str | None] = port_owner

    def note(self, port: int, answers: Answers) -> str | None:
        """What there is to say about listening on ``port``; None where it is free or ours."""
        if port == self.gateway_port:
            return f"port {port} is the gateway's own"
        if not _taken(answers.text("host") or "127.0.0.1", port):
            return None
        owner = self.owner(port)
        if owner is not None and self.gateway_pid is not None and owner.endswith(f"(pid {self.gateway_pid})"):
            return None
        who = owner or "somebody"
        if port in self.configured:
            return None  # what runs there may well be what was set up before
        return f"port {port} is taken: {who} listens there"


def _taken(host: str, port: int) -> bool:
    """Whether nobody else could listen there; an address that is not of this machine is somebody else's matter."""
    try:
        family, kind, number, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_PASSIVE
        )[0]
    except OSError:
        return False
    with socket.socket(family, kind, number) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(place)
            probe.listen(1)
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
