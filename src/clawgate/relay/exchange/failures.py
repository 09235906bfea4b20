"""What went wrong with an exchange, in words that name whose limit or whose answer it was?"""

from __future__ import annotations

from urllib.parse import quote_from_bytes

from clawgate.errors import ClientLeft, UpstreamRedirected, UpstreamTimedOut
from clawgate.policy.timeouts import LimitName
from clawgate.relay.interfaces import ResponseHead
from clawgate.wire.http.url import Origin

CLIENT_DISCONNECTED = ClientLeft("the client went away before the answer was whole")

_RAN_OUT: dict[LimitName, str] = {
    "connect": "could not be connected to within",
    "first_byte": "did not begin to answer within",
    "idle": "went silent for",
    "total": "did not finish its answer within",
}


def timeout_error(origin: Origin, limit: LimitName, seconds: float) -> UpstreamTimedOut:
    """One of the four limits has expired."""
    return UpstreamTimedOut(
        f"{origin} {_RAN_OUT[limit]} {seconds:g} s (this gateway's limit '{limit}')",
        limit=limit,
        seconds=seconds,
    )


def redirect_error(origin: Origin, head: ResponseHead, secrets: tuple[bytes, ...]) -> UpstreamRedirected:
    """The upstream points elsewhere. Of where to, the query is not told: it may hold anything, and neither are
    ``secrets``, which we sent: the path may repeat them."""
    location = dict(head.headers).get(b"location", b"").partition(b"?")[0]
    for secret in secrets:
        for spelling in (secret, quote_from_bytes(secret, safe="").encode("ascii")):
            location = location.replace(spelling, b"***")
    told = location.decode("ascii", "replace")[:200]
    return UpstreamRedirected(
        f"{origin} answered with a redirect ({head.status}) to '{told}'; "
        "redirects are not followed, configure the final address"
    )
