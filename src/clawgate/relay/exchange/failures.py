"""Builds the errors of an exchange: an expired limit, a redirect, a client that disconnected."""

from __future__ import annotations

import re
from urllib.parse import quote_from_bytes

from clawgate.errors import (
    ClientLeft,
    UpstreamRedirected,
    UpstreamTimedOut,
)
from clawgate.policy.timeouts import LimitName
from clawgate.relay.interfaces import ResponseHead

CLIENT_DISCONNECTED = ClientLeft("the client disconnected before the response was complete")

_EXPIRED: dict[LimitName, str] = {
    "connect": "no connection within",
    "first_byte": "no response within",
    "idle": "no content for",
    "total": "no complete response within",
}


def timeout_error(origin: object, limit: LimitName, seconds: float) -> UpstreamTimedOut:
    """Return the error of one of the four limits; ``seconds`` is how long it is.

    A server that reads the start of TLS as a request line waits for its end (llama.cpp): hence the hint about ports.
    """
    scheme, _, authority = str(origin).partition("://")
    may_be_plain = limit == "connect" and scheme == "https" and re.search(r":\d+\Z", authority)
    hint = "; does the URL have to begin with http://?" if may_be_plain else ""
    return UpstreamTimedOut(
        f"{origin}: {_EXPIRED[limit]} {seconds:g} s (this gateway's limit '{limit}'){hint}",
        limit=limit,
        seconds=seconds,
    )


def redirect_error(origin: object, head: ResponseHead, secrets: tuple[bytes, ...]) -> UpstreamRedirected:
    """Return the error of a redirect.

    Its location is shown without the query, which may contain anything, and without ``secrets``, which we sent and
    which the path may repeat.
    """
    location = dict(head.headers).get(b"location", b"").partition(b"?")[0]
    for secret in secrets:
        for spelling in (secret, quote_from_bytes(secret, safe="").encode("ascii")):
            location = location.replace(spelling, b"***")
    shown = location.decode("ascii", "replace")[:200]
    return UpstreamRedirected(
        f"{origin}: redirect ({head.status}) to '{shown}'; redirects are not followed, configure the final address"
    )
