"""How does a plugin's small request leave? Through the dialer and the fetch of the gateway, like everything else."""

from __future__ import annotations

import time

from clawgate.errors import EgressDenied, GatewayError, UpstreamMalformed, UpstreamTimedOut
from clawgate.plugins.api import FetchFailed, FetchRequest, FetchResponse
from clawgate.providers.credential import Credential, HeaderToken, NoCredential
from clawgate.relay.upstream.dial import Dialer, UpstreamEndpoint, tls_context
from clawgate.relay.upstream.fetch import fetch
from clawgate.relay.upstream.upstream import Upstream, UpstreamConfig
from clawgate.wire.http.url import parse_url

_FRAMING = frozenset({"host", "connection", "content-length", "transfer-encoding", "expect", "upgrade", "te"})
_VIA = b"clawgate-probe"


async def fetched(plan: FetchRequest, dialer: Dialer) -> FetchResponse:
    """The answer to ``plan``. Raises `FetchFailed`."""
    upstream, target = _upstream(plan, dialer)
    begun = time.monotonic()
    try:
        found = await fetch(
            upstream, target, connect_seconds=plan.connect_seconds, answer_seconds=plan.response_seconds
        )
    except EgressDenied as error:
        raise FetchFailed("blocked", error.message) from error
    except UpstreamTimedOut as error:
        raise FetchFailed("timed_out", error.message) from error
    except UpstreamMalformed as error:
        raise FetchFailed("malformed", error.message) from error
    except (GatewayError, OSError) as error:
        raise FetchFailed("unreachable", getattr(error, "message", str(error))) from error
    return FetchResponse(
        status=found.status, body=found.body, milliseconds=round((time.monotonic() - begun) * 1000, 1)
    )


def _upstream(plan: FetchRequest, dialer: Dialer) -> tuple[Upstream, bytes]:
    base, mark, query = plan.url.partition("?")
    try:
        if not query.isascii() or not query.isprintable() or set(query) & set(" #"):
            raise ValueError("the query holds what cannot stand in one")
        headers = {name.lower(): value for name, value in plan.headers.items() if name.lower() != "accept"}
        if _FRAMING & headers.keys():
            raise ValueError("Host and the framing are not the caller's to set")
        origin, path = parse_url(base)
        credential: Credential = NoCredential()
        if plan.secret is not None and plan.header:
            credential = HeaderToken(plan.header, plan.secret.get_secret_value(), plan.prefix)
        lines = b"".join(HeaderToken(name, value).line() for name, value in headers.items())
    except ValueError as error:
        raise FetchFailed("bad_url", str(error)) from error
    upstream = Upstream(
        UpstreamConfig(
            name="probe",
            route=UpstreamEndpoint(
                origin=origin,
                allow_private=plan.allow_private,
                allow_private_setting="a private address for it",
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
