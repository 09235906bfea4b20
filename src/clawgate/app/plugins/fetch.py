"""Sends the GET requests of plugins through the gateway's dialer, like all other traffic."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from clawgate.errors import EgressDenied, GatewayError, UpstreamMalformed, UpstreamTimedOut
from clawgate.plugins.api import FetchFailed, FetchRequest, FetchResponse
from clawgate.policy.egress.policy import NO_RULES, EgressPolicy, NetworkRules
from clawgate.processes.port_owner import distrust_reason
from clawgate.providers.credential import Credential, HeaderToken, NoCredential
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.endpoint import UpstreamEndpoint, tls_context
from clawgate.relay.upstream.fetch import fetch
from clawgate.relay.upstream.upstream import Upstream, UpstreamConfig
from clawgate.wire.http.url import Origin, parse_url

_FRAMING = frozenset({"host", "connection", "content-length", "transfer-encoding", "expect", "upgrade", "te"})
_VIA = b"clawgate-probe"


async def fetch_for_plugin(
    request: FetchRequest, dialer: Dialer, *, requester: str, network: NetworkRules = NO_RULES
) -> FetchResponse:
    """Return the response. Raises `FetchFailed`."""
    policy = EgressPolicy(requester=requester, private=request.allow_private, network=network)
    upstream, target = _upstream(request, dialer, policy)
    await _check_listener(request, upstream.origin)
    started_at = time.monotonic()
    try:
        response = await fetch(
            upstream,
            target,
            connect_seconds=request.connect_seconds,
            response_seconds=request.response_seconds,
        )
    except EgressDenied as error:
        raise FetchFailed("blocked", error.message) from error
    except UpstreamTimedOut as error:
        raise FetchFailed("timed_out", error.message) from error
    except UpstreamMalformed as error:
        raise FetchFailed("malformed", error.message) from error
    except (GatewayError, OSError) as error:
        raise FetchFailed("unreachable", getattr(error, "message", str(error))) from error
    milliseconds = round((time.monotonic() - started_at) * 1000, 1)
    return FetchResponse(status=response.status, body=response.body, milliseconds=milliseconds)


async def _check_listener(request: FetchRequest, origin: Origin) -> None:
    """Raise `FetchFailed` if a user that is not trusted listens there."""
    if request.trusted_user == "any":
        return
    reason = await asyncio.to_thread(
        distrust_reason, origin.host, origin.port, request.trusted_user, unknown_is_trusted=True
    )
    if reason is not None:
        raise FetchFailed("untrusted", f"the program at {origin} is not used: {reason}")


def _upstream(request: FetchRequest, dialer: Dialer, policy: EgressPolicy) -> tuple[Upstream, bytes]:
    base, mark, query = request.url.partition("?")
    try:
        if not query.isascii() or not query.isprintable() or set(query) & set(" #"):
            raise ValueError("its query contains characters that must be percent-encoded")
        headers = {name.lower(): value for name, value in request.headers.items() if name.lower() != "accept"}
        if _FRAMING & headers.keys():
            raise ValueError("headers must not include Host, or those that frame the message")
        origin, path = parse_url(base)
        credential: Credential = NoCredential()
        if request.secret is not None and request.header:
            credential = HeaderToken(request.header, request.secret.get_secret_value(), request.prefix)
        lines = b"".join(HeaderToken(name, value).line() for name, value in headers.items())
    except ValueError as error:
        raise FetchFailed("bad_url", str(error)) from error
    upstream = Upstream(
        UpstreamConfig(
            name="probe",
            endpoint=UpstreamEndpoint(
                origin=origin,
                policy=replace(policy, origin=origin),
                tls=tls_context() if origin.scheme == "https" else None,
            ),
            prefix="",
            credential=credential,
            extra_lines=lines,
        ),
        dialer,
        via=_VIA,
    )
    return upstream, f"{path or '/'}{mark}{query}".encode("ascii", "replace")
