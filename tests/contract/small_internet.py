"""A small internet on loopback: names with scripted answers, and one server that is every address there is.

No packet leaves this machine: the dialer decides as always, and what it would connect to is recorded instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clawgate.policy.egress.policy import EgressPolicy
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.relay.upstream.guarded_fetch import Fetched, FetchLimits, fetch_url
from tests.peers import faults
from tests.peers.connection import Request
from tests.peers.script import Close, ReadBody, Send, Step
from tests.peers.upstream import FakeUpstream

PUBLIC, OTHER, INSIDE, METADATA = "93.184.216.34", "93.184.216.35", "10.0.0.5", "169.254.169.254"
"""What is connected to here is a number in a list alone; it is never an address of a socket."""
NAMES: Mapping[str, Sequence[str]] = {
    "public.example": [PUBLIC],
    "other.example": [OTHER],
    "inside.example": [INSIDE],
    "metadata.example": [METADATA],
    "xn--bcher-kva.example": [PUBLIC],
}

STRANGER = EgressPolicy(requester="tool:web_fetch", setting="tools.web.fetch.allowPrivateNetwork")
TRUSTED = EgressPolicy(
    requester="tool:web_fetch", setting="tools.web.fetch.allowPrivateNetwork", private=True
)
QUICK = FetchLimits(max_bytes=10_000, seconds=20)


def redirect(location: str | bytes, status: int = 302, *more: tuple[str, str]) -> tuple[Step, ...]:
    """A response that leads to ``location``, which may be any bytes."""
    value = location if isinstance(location, bytes) else location.encode()
    wire = faults.response(b"moved", status=status, fields=(("Location", "PLACE"), *more))
    return (ReadBody(), Send(wire.replace(b"PLACE", value)), Close())


def page(body: bytes = b"content", *fields: tuple[str, str], status: int = 200) -> tuple[Step, ...]:
    wire = faults.response(body, status=status, fields=(("Content-Type", "text/html"), *fields))
    return (ReadBody(), Send(wire), Close())


class SmallInternet(Dialer):
    """The dialer of the tests: ``connects`` are the addresses and ports that it would have connected to.

    ``answers`` are what a name's successive look-ups return; the last one stays. Unknown names have no address.
    """

    def __init__(
        self,
        upstream: FakeUpstream,
        answers: Mapping[str, Sequence[Sequence[str]]] = {},
        *,
        refuses: Sequence[str] = (),
    ) -> None:
        super().__init__(self._resolve)
        self.connects: list[tuple[str, int]] = []
        self.lookups: list[str] = []
        self._answers = {name: iter(found) for name, found in answers.items()}
        self._last: dict[str, Sequence[str]] = {}
        self._upstream = upstream
        self._refuses = refuses

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        self.lookups.append(host)
        if host in self._answers:
            self._last[host] = next(self._answers[host], self._last.get(host, ()))
            return self._last[host]
        if host in NAMES:
            return NAMES[host]
        if host.replace(".", "").isdigit() or ":" in host:  # a resolver reads literals
            return [host]
        raise OSError(-2, "Name or service not known")

    async def _connect(
        self, make: Callable[[], Any], endpoint: UpstreamEndpoint, address: str, port: int
    ) -> Any:
        self.connects.append((address, port))
        if address in self._refuses:
            raise ConnectionRefusedError
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(make, self._upstream.host, self._upstream.port)
        return protocol

    @property
    def hosts(self) -> list[str]:
        """The addresses alone."""
        return [address for address, _ in self.connects]

    async def fetch(
        self,
        url: str,
        policy: EgressPolicy = STRANGER,
        limits: FetchLimits = QUICK,
        headers: Mapping[str, str] | None = None,
    ) -> Fetched:
        return await fetch_url(self, url, policy, limits, headers)


Site = Mapping[tuple[str, str], Sequence[Step]]
"""What a host has at a target."""


def serving(site: Site) -> FakeUpstream:
    """A server that is all hosts of ``site``; what it does not have is a page that says so."""

    def script(request: Request) -> Sequence[Step]:
        (host,) = request.header_all("host")
        return site.get((host, request.target)) or page(b"not here", status=404)

    return FakeUpstream(script)
