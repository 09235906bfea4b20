"""What is done for a provider that is being set up: the config to read, a small request, a look at a port?"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clawgate.errors import EgressDenied, GatewayError, UpstreamTimedOut
from clawgate.plugins.asking import Answers
from clawgate.plugins.serving import Fetched, FetchFailed, FetchPlan
from clawgate.processes.port_owner import port_owner
from clawgate.providers.credential import Credential, HeaderToken, NoCredential
from clawgate.relay.dial import Dialer, Route, tls_context
from clawgate.relay.fetch import fetch
from clawgate.relay.upstream import Upstream, UpstreamPlan
from clawgate.wire.url import parse_url


@dataclass(frozen=True, slots=True)
class Setup:
    """The context of a provider's questions and of its check."""

    environment: Mapping[str, str] = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)

    async def fetch(self, plan: FetchPlan) -> Fetched:
        return await fetch_plan(plan, Dialer())


async def fetch_plan(plan: FetchPlan, dialer: Dialer) -> Fetched:
    """One GET as ``plan`` has it, on a connection of its own. Raises `FetchFailed`."""
    try:
        origin, path = parse_url(plan.url)
        upstream = Upstream(
            UpstreamPlan(
                name="setup",
                route=Route(
                    origin=origin,
                    trusted=plan.private,
                    trust_setting="a private address for it",
                    tls=tls_context() if origin.scheme == "https" else None,
                ),
                prefix="",
                credential=_credential(plan),
                extra_lines=b"".join(HeaderToken(name, text).line() for name, text in plan.headers.items()),
            ),
            dialer,
            via=b"clawgate-setup",
        )
    except ValueError as error:
        raise FetchFailed("bad_url", str(error)) from error
    loop = asyncio.get_running_loop()
    begun = loop.time()
    try:
        found = await fetch(
            upstream,
            path.encode("ascii") or b"/",
            connect_seconds=plan.connect_seconds,
            answer_seconds=plan.answer_seconds,
        )
    except UpstreamTimedOut as error:
        raise FetchFailed("timed_out", error.message) from error
    except EgressDenied as error:
        raise FetchFailed("blocked", error.message) from error
    except (GatewayError, OSError) as error:
        raise FetchFailed("unreachable", getattr(error, "message", str(error))) from error
    return Fetched(status=found.status, body=found.body, milliseconds=round((loop.time() - begun) * 1000, 1))


def _credential(plan: FetchPlan) -> Credential:
    if plan.secret is None or not plan.header:
        return NoCredential()
    return HeaderToken(plan.header, plan.secret.get_secret_value(), plan.prefix)


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
