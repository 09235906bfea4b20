"""Opens tunnels through a configured HTTP proxy, with CONNECT for both schemes (RFC 9110 section 9.3.6)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TypeVar, cast

from clawgate.errors import UpstreamUnreachable
from clawgate.relay.upstream.endpoint import UpstreamEndpoint
from clawgate.relay.upstream.peer import check_peer
from clawgate.wire.http.url import Origin

_P = TypeVar("_P", bound=asyncio.Protocol)
_HEAD_LIMIT = 16_384
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d)[ \r]")
_AUTHENTICATION_REQUIRED = b"407"


class _Handshake(asyncio.Protocol):
    """Collects the proxy's response until its head is complete."""

    def __init__(self) -> None:
        self.head: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        complete = b"\r\n\r\n" in self._received or len(self._received) > _HEAD_LIMIT
        if complete and not self.head.done():
            self.head.set_result(self._received)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.head.done():
            self.head.set_result(self._received)


async def open_tunnel(
    make: Callable[[], _P], address: str, proxy: Origin, endpoint: UpstreamEndpoint, server_name: str | None
) -> _P:
    """Return a protocol from ``make`` that is connected to the endpoint through its ``proxy`` at ``address``.

    The proxy resolves the name: behind such a proxy there often is no other resolver. Raises `UpstreamUnreachable`
    if the proxy rejects the request, OSError if it cannot be reached.
    """
    origin, tls, authorization = endpoint.origin, endpoint.tls, endpoint.proxy_authorization
    loop = asyncio.get_running_loop()
    transport, handshake = await loop.create_connection(_Handshake, address, proxy.port)
    try:
        check_peer(transport, address)
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        lines = [f"CONNECT {host}:{origin.port} HTTP/1.1", f"Host: {host}:{origin.port}"]
        if authorization is not None:
            lines.append(f"Proxy-Authorization: {authorization}")
        transport.write("\r\n".join([*lines, "", ""]).encode("ascii"))
        response = await handshake.head
        status = _STATUS.match(response)
        if status is None or not status[1].startswith(b"2") or not response.endswith(b"\r\n\r\n"):
            raise UpstreamUnreachable(
                f"{origin}: the proxy {proxy} did not open a tunnel: {_refusal(status and status[1], authorization)}"
            )
        protocol = make()
        if tls is None:
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
            return protocol
        # With start_tls the new protocol is given its transport by hand, as the loop's documentation says.
        secure = await loop.start_tls(transport, protocol, tls, server_hostname=server_name)
        if secure is None:
            raise ConnectionResetError("the connection was lost during the TLS handshake")
        protocol.connection_made(cast(asyncio.BaseTransport, secure))
        return protocol
    except BaseException:
        transport.abort()
        raise


def _refusal(status: bytes | None, authorization: str | None) -> str:
    """Return what is wrong, and the next step. The proxy's text is not repeated: it may contain what we sent."""
    if status is None:
        return "no HTTP response; is this the address of an HTTP proxy?"
    if status.startswith(b"2"):
        return "its response continues where the tunnel should begin"
    if status == _AUTHENTICATION_REQUIRED:
        wrong = (
            "it rejects the configured user and password"
            if authorization
            else "it requires a user and password"
        )
        return f"{wrong} (407)"
    return f"it responded with {status.decode('ascii')}; does it allow CONNECT to this host and port?"
