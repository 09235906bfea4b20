"""What the wizard gives a provider that is set up: the config, a small request, the state of local ports."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clawgate.app.plugins.fetch import fetch_for_plugin
from clawgate.cli.listener import port_warning
from clawgate.plugins.api.questions import Answers, Question
from clawgate.plugins.api.service import FetchRequest, FetchResponse
from clawgate.processes.port_owner import port_owner
from clawgate.relay.upstream.dial import Dialer
from clawgate.settings.openclaw.own_settings import network_rules_of


@dataclass(frozen=True, slots=True)
class Setup:
    """The context of a provider's questions and of its connection test; implements `SetupContext`."""

    environment: Mapping[str, str] = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)

    async def fetch(self, plan: FetchRequest) -> FetchResponse:
        network = network_rules_of(self.config, self.environment)
        return await fetch_for_plugin(plan, Dialer(), requester="setup", network=network)


@dataclass(frozen=True, slots=True)
class Ports:
    """``gateway_port`` is the gateway's own, ``gateway_pid`` a running gateway's; ``configured`` are in the config."""

    gateway_port: int | None = None
    gateway_pid: int | None = None
    configured: frozenset[int] = frozenset()
    owner: Callable[[int], str | None] = port_owner

    def note(self, question: Question, port: int, answers: Answers) -> str | None:
        """Return a warning about listening on ``port``; None if it is free, or used by what may use it."""
        if port == self.gateway_port:
            return f"port {port} is the gateway's own"
        if (warning := port_warning(port)) is not None:
            return warning
        if question.may_listen or not _in_use(answers.text("host") or "127.0.0.1", port):
            return None
        owner = self.owner(port)
        if owner is not None and self.gateway_pid is not None and owner.endswith(f"(pid {self.gateway_pid})"):
            return None
        if port in self.configured:
            return None  # the listener is probably the service that was set up before
        return f"port {port} is already in use by {owner or 'another process'}"


def _in_use(host: str, port: int) -> bool:
    """Return whether the port is in use; False for an address that this machine does not have."""
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
