"""Opens the connections of all egress: resolves a name, checks every address, and dials one that was checked.

Nothing else in clawgate may open a connection. The resolver can be replaced, in tests; each dial is reported; no proxy
variable of the environment is read: a proxy is used where it is configured.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from clawgate.errors import EgressLimitExceeded, UpstreamUnreachable
from clawgate.policy.egress.address import meanings, parse_address
from clawgate.policy.egress.policy import (
    Decision,
    EgressPolicy,
    check_address,
    check_behind_proxy,
    check_host,
)
from clawgate.policy.egress.ranges import AddressKind
from clawgate.policy.egress.refusal import denied
from clawgate.policy.rate_limit import DestinationLimiter
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.relay.upstream.peer import check_peer
from clawgate.relay.upstream.traffic import OnEnd, watch_end
from clawgate.relay.upstream.tunnel import open_tunnel
from clawgate.wire.http.url import Origin

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a host and port, as text, in the order in which to try them."""

CheckedAddresses = tuple[tuple[str, Decision], ...]
"""Addresses in the order in which they are tried, each with its decision."""

_P = TypeVar("_P", bound=asyncio.Protocol)
_FIRST_TRY_SECONDS = 2.0
NO_ADDRESS = Decision(False, AddressKind.NOT_AN_ADDRESS, "the name has no address")
_UNKNOWN_ISSUER = (18, 19, 20, 21)  # OpenSSL's verification codes: self-signed, or by an unknown authority
_WRONG_NAME = (62, 64)  # host name mismatch, IP address mismatch


@dataclass(frozen=True, slots=True, kw_only=True)
class DialRecord:
    """One dial: its requester, origin, addresses, the one that was dialled (None: none was), and the rule.

    ``target`` is the path and query of the request that needs the connection, "" behind a proxy: that has none.
    ``decision`` is that of the dialled address, or what refused; None where the name could not be resolved.
    """

    requester: str
    origin: Origin
    target: str = ""
    addresses: CheckedAddresses = ()
    dialled: str | None = None
    decision: Decision | None = None


OnDial = Callable[[DialRecord], OnEnd | None]
"""Returns what is to be called at the end of the connection; None where nothing is."""


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Resolve with `getaddrinfo`, in a thread of the loop."""
    entries = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


class Dialer:
    """Opens connections for all of clawgate's egress."""

    def __init__(self, resolver: Resolver = system_resolver, *, on_dial: OnDial | None = None) -> None:
        self.resolver = resolver
        self.on_dial = on_dial or (lambda record: None)
        self._limiter = DestinationLimiter()

    async def open(self, make: Callable[[], _P], endpoint: UpstreamEndpoint, target: str = "") -> _P:
        """Return a connected protocol from ``make``, over TLS where ``endpoint`` has it, for a request to ``target``.

        Raises `EgressDenied` when any address of the name may not be dialled, `UpstreamUnreachable` when none can
        be. Has no time limit: the caller owns the connect limit and cancels.
        """
        policy = endpoint.policy
        dial = DialRecord(requester=policy.requester, origin=endpoint.origin, target=target)
        if endpoint.proxy is not None:
            self._check_behind_proxy(dial, policy)
            policy = policy.of_proxy(endpoint.proxy)
            dial = replace(dial, origin=endpoint.proxy, target="")
        dial = await self._check(dial, policy)
        failure: Exception | None = None
        for number, (address, decision) in enumerate(dial.addresses):
            is_last = number == len(dial.addresses) - 1
            if decision.kind is not AddressKind.PUBLIC:
                self._count(dial, address, decision.kind, policy)
            on_end = self.on_dial(replace(dial, dialled=address, decision=decision))
            try:
                # An address that drops packets must not use up the time of those behind it.
                async with asyncio.timeout(None if is_last else _FIRST_TRY_SECONDS):
                    return await self._watched(make, endpoint, address, dial.origin.port, on_end)
            except ssl.SSLError as error:
                raise UpstreamUnreachable(f"{dial.origin}: TLS failed: {_tls_reason(error)}") from error
            except (OSError, TimeoutError) as error:
                failure = error
        raise UpstreamUnreachable(f"{dial.origin}: {_reason(failure)}", retry_after=1) from failure

    def _count(self, dial: DialRecord, address: str, kind: AddressKind, policy: EgressPolicy) -> None:
        """Count one connection to an address that is not public. Raises `EgressLimitExceeded`."""
        limit, now = policy.network.connections_per_minute, asyncio.get_running_loop().time()
        try:
            self._limiter.acquire(_destination(address, kind, dial.origin.port), limit, now)
        except EgressLimitExceeded:
            over = Decision(False, kind, f"network.connectionsPerMinute {limit}")
            self.on_dial(replace(dial, addresses=((address, over),), decision=over))
            raise

    def _check_behind_proxy(self, dial: DialRecord, policy: EgressPolicy) -> None:
        """Raise for what is never dialled, or denied."""
        decision = check_behind_proxy(dial.origin, policy)
        if not decision.allowed:
            self.on_dial(replace(dial, decision=decision))
            raise denied(dial.origin, dial.origin.host, decision, policy)

    async def _check(self, dial: DialRecord, policy: EgressPolicy) -> DialRecord:
        """Return ``dial`` with every address and its decision. Raises unless all of them may be dialled."""
        target = dial.origin
        of_host = check_host(target, policy)
        if not of_host.allowed:
            self.on_dial(replace(dial, decision=of_host))
            raise denied(target, target.host, of_host, policy)
        try:
            addresses = await self.resolver(target.host, target.port)
        except (OSError, UnicodeError) as error:
            self.on_dial(dial)
            reason = getattr(error, "strerror", None) or str(error)
            raise UpstreamUnreachable(
                f"{target}: the name cannot be resolved ({reason}); check the configured URL, and DNS on this machine",
                retry_after=5,
            ) from error
        dial = replace(dial, addresses=tuple((one, check_address(one, target, policy)) for one in addresses))
        for text, decision in dial.addresses or (("no address", NO_ADDRESS),):
            if not decision.allowed:
                self.on_dial(replace(dial, decision=decision))
                raise denied(target, text, decision, policy)
        return dial

    async def _watched(
        self,
        make: Callable[[], _P],
        endpoint: UpstreamEndpoint,
        address: str,
        port: int,
        on_end: OnEnd | None,
    ) -> _P:
        """Connect; call ``on_end`` if that fails, or when the connection ends."""
        if on_end is None:
            return await self._connect(make, endpoint, address, port)

        def make_watched() -> _P:
            protocol = make()
            watch_end(protocol, on_end)
            return protocol

        try:
            return await self._connect(make_watched, endpoint, address, port)
        except BaseException:
            on_end(False, None)
            raise

    async def _connect(
        self, make: Callable[[], _P], endpoint: UpstreamEndpoint, address: str, port: int
    ) -> _P:
        server_name = (endpoint.server_name or endpoint.origin.host) if endpoint.tls is not None else None
        if endpoint.proxy is not None:
            return await open_tunnel(make, address, endpoint.proxy, endpoint, server_name)
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(
            make, address, port, ssl=endpoint.tls, server_hostname=server_name
        )
        check_peer(transport, address)
        return protocol


def _destination(address: str, kind: AddressKind, port: int) -> str:
    """Return the one spelling of an address and port; all that are loopback are this machine."""
    parsed = parse_address(address)
    host = address if parsed is None else str(meanings(parsed)[0])
    if kind is AddressKind.LOOPBACK:
        host = "127.0.0.1"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _tls_reason(error: ssl.SSLError) -> str:
    """Return what is wrong, and the next step."""
    if error.reason == "WRONG_VERSION_NUMBER":
        return "no TLS on this port; does the URL have to begin with http://?"
    if error.reason == "CERTIFICATE_VERIFY_FAILED":
        reason = str(getattr(error, "verify_message", None) or "its certificate is not trusted").rstrip(".")
        code = getattr(error, "verify_code", None)
        if code in _WRONG_NAME:
            return f"{reason}; use a URL with a name that the certificate has"
        if code in _UNKNOWN_ISSUER:
            return (
                f"{reason}; if the server is your own, configure the authority (CA file) that signed for it"
            )
        return f"{reason}; the server needs another certificate"
    return f"{error.reason or 'handshake rejected'}; does it require a client certificate, or another TLS version?"


def _reason(error: Exception | None) -> str:
    """Return what is wrong, and the next step."""
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; is it running, and is this its address and port?"
    if isinstance(error, TimeoutError) or error is None:
        return "no response to the connection attempt; is this its address, and does a firewall allow it?"
    if isinstance(error, ConnectionError):
        return "the connection was closed while it was being opened; see its log"
    text = None
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        text = error.strerror
    return f"{text or str(error) or type(error).__name__}; check its address, and the network of this machine"
