"""The one way out: resolves a name, has every address judged, dials an address that was judged.

Nothing else in clawgate opens a connection. The resolver can be replaced (tests answer for it), each dial stands
in the ledger, and no proxy variable of the environment is ever read: a proxy is used where it is configured.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from clawgate.errors import EgressDenied, PrivateNetworkBlocked, UpstreamUnreachable
from clawgate.policy.egress import NEVER_ALLOWED, Decision, Reason, classify_host, decide_text
from clawgate.relay.upstream.tunnel import open_tunnel
from clawgate.wire.http.url import Origin

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""From host and port to addresses as text, in the order in which they should be tried."""

CheckedAddresses = tuple[tuple[str, Decision], ...]
"""Addresses in the order in which they are tried, each with its verdict."""

_P = TypeVar("_P", bound=asyncio.Protocol)
_FIRST_TRY_SECONDS = 2.0
_UNKNOWN_ISSUER = (18, 19, 20, 21)  # OpenSSL's verification codes: self-signed, or by nobody who is known
_OTHER_NAME = (62, 64)  # host name mismatch, IP address mismatch


@dataclass(frozen=True, slots=True)
class DialRecord:
    """One entry of the ledger: what was judged, and which address was dialled (None: none was)."""

    host: str
    port: int
    judged: CheckedAddresses
    dialled: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamEndpoint:
    """How to reach one upstream.

    ``allow_private``: the operator configured exactly this origin, which permits loopback and private addresses;
    ``allow_private_setting``: the key that permits them, named in messages; empty where there is none;
    ``proxy``: an HTTP proxy that opens the tunnel with CONNECT.
    """

    origin: Origin
    allow_private: bool
    allow_private_setting: str = ""
    tls: ssl.SSLContext | None = None
    proxy: Origin | None = None
    proxy_authorization: str | None = None
    server_name: str | None = None
    """Whom the certificate has to name, if not the origin's host."""


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """`getaddrinfo` of the running loop, which resolves in a thread of its own."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Dialer:
    """Opens connections for all of clawgate's egress."""

    def __init__(self, resolver: Resolver = system_resolver, *, ledger_size: int = 1000) -> None:
        self._resolver = resolver
        self.ledger: deque[DialRecord] = deque(maxlen=ledger_size)

    async def open(self, make: Callable[[], _P], route: UpstreamEndpoint) -> _P:
        """A connected protocol from ``make``, over TLS where the route says so.

        Raises `EgressDenied` when any address of the name may not be dialled, `UpstreamUnreachable` when none can
        be. Takes as long as it takes: the caller owns the connect limit and cancels.
        """
        target = route.proxy or route.origin
        judged = await self._judged(target, route)
        trouble: Exception | None = None
        for number, (address, _) in enumerate(judged):
            last = number == len(judged) - 1
            self.ledger.append(DialRecord(target.host, target.port, judged, address))
            try:
                # A black hole in front must not use up the time of the addresses behind it.
                async with asyncio.timeout(None if last else _FIRST_TRY_SECONDS):
                    return await self._connect(make, route, address, target.port)
            except ssl.SSLError as error:
                raise UpstreamUnreachable(f"{target}: TLS failed: {_tls_reason(error)}") from error
            except (OSError, TimeoutError) as error:
                trouble = error
        raise UpstreamUnreachable(f"{target}: {_reason(trouble)}", retry_after=1) from trouble

    async def _judged(self, target: Origin, route: UpstreamEndpoint) -> CheckedAddresses:
        """Every address of ``target`` with its verdict; raises unless all of them may be dialled."""
        if route.proxy is not None and (kind := classify_host(route.origin.host)) in NEVER_ALLOWED:
            self.ledger.append(DialRecord(route.origin.host, route.origin.port, (), None))
            raise EgressDenied(
                f"{route.origin} may not be asked for, through a proxy neither ({kind}); configure an upstream at "
                "another address"
            )
        try:
            addresses = await self._resolver(target.host, target.port)
        except (OSError, UnicodeError) as error:
            self.ledger.append(DialRecord(target.host, target.port, (), None))
            reason = getattr(error, "strerror", None) or str(error)
            raise UpstreamUnreachable(
                f"{target}: the name cannot be resolved ({reason}); check the configured URL, and DNS here",
                retry_after=5,
            ) from error
        judged = tuple((text, decide_text(text, allow_private=route.allow_private)) for text in addresses)
        for text, verdict in judged or (("no address", Decision(False, Reason.NOT_AN_ADDRESS)),):
            if not verdict.allowed:
                self.ledger.append(DialRecord(target.host, target.port, judged, None))
                if route.allow_private_setting and verdict.reason in (Reason.LOOPBACK, Reason.PRIVATE):
                    raise PrivateNetworkBlocked(
                        f"{target}: {text} is a {verdict.reason} address, which is dialled only where the config "
                        f"says so: set {route.allow_private_setting} to true if this is your own server"
                    )
                raise EgressDenied(
                    f"{target}: {text} may not be dialled ({verdict.reason}); configure an upstream at another address"
                )
        return judged

    async def _connect(self, make: Callable[[], _P], route: UpstreamEndpoint, address: str, port: int) -> _P:
        server_name = (route.server_name or route.origin.host) if route.tls is not None else None
        if route.proxy is not None:
            return await open_tunnel(
                make, address, route.proxy, route.origin, route.tls, server_name, route.proxy_authorization
            )
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(
            make, address, port, ssl=route.tls, server_hostname=server_name
        )
        return protocol


def tls_context(
    *,
    ca_file: str | None = None,
    ca_text: str | None = None,
    certificate: str | None = None,
    key: str | None = None,
) -> ssl.SSLContext:
    """Verifying TLS 1.2+, against the system's authorities or those of ``ca_file`` or ``ca_text`` alone.

    Raises OSError or ssl.SSLError.
    """
    context = ssl.create_default_context(cafile=ca_file, cadata=ca_text)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


def _tls_reason(error: ssl.SSLError) -> str:
    """What went wrong, and what to do about it."""
    if error.reason == "WRONG_VERSION_NUMBER":
        return "it does not speak TLS on this port; is it http:// that you want?"
    if error.reason == "CERTIFICATE_VERIFY_FAILED":
        reason = str(getattr(error, "verify_message", None) or "its certificate is not trusted").rstrip(".")
        code = getattr(error, "verify_code", None)
        if code in _OTHER_NAME:
            return f"{reason}; the configured URL has to name it as its certificate does"
        if code in _UNKNOWN_ISSUER:
            return (
                f"{reason}; if the server is your own, configure the authority (CA file) that signed for it"
            )
        return f"{reason}; whoever runs it has to mend that certificate"
    return f"{error.reason or 'handshake refused'}; does it ask for a client certificate, or for another TLS version?"


def _reason(error: Exception | None) -> str:
    """What went wrong, and what to do about it."""
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; is it running, and is this its address and port?"
    if isinstance(error, TimeoutError) or error is None:
        return "no answer to the connection attempt; is this its address, and does a firewall let us through?"
    if isinstance(error, ConnectionError):
        return "the connection was closed while it was being opened; its log may say why"
    said = (
        error.strerror if isinstance(error, OSError) and error.errno is not None and error.errno > 0 else None
    )
    return f"{said or str(error) or type(error).__name__}; check its address, and the network here"
