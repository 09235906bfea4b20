"""What went wrong with an exchange, in words that name whose limit or whose answer it was?"""

from __future__ import annotations

from clawgate.errors import ClientLeft, UpstreamRedirected, UpstreamTimedOut
from clawgate.policy.deadlines import LimitName
from clawgate.relay.sides import AnswerHead
from clawgate.wire.url import Origin

LEFT = ClientLeft("the client went away before the answer was whole")

_RAN_OUT: dict[LimitName, str] = {
    "connect": "could not be connected to within",
    "first_byte": "did not begin to answer within",
    "idle": "went silent for",
    "total": "did not finish its answer within",
}


def ran_out(origin: Origin, limit: LimitName, seconds: float) -> UpstreamTimedOut:
    """One of the four limits has expired."""
    return UpstreamTimedOut(
        f"{origin} {_RAN_OUT[limit]} {seconds:g} s (this gateway's limit '{limit}')",
        limit=limit,
        seconds=seconds,
    )


def redirected(origin: Origin, head: AnswerHead) -> UpstreamRedirected:
    """The upstream points elsewhere. Of where to, the query is not told: it may hold anything."""
    location = dict(head.headers).get(b"location", b"").decode("ascii", "replace").partition("?")[0][:200]
    return UpstreamRedirected(
        f"{origin} answered with a redirect ({head.status}) to '{location}'; "
        "redirects are not followed, configure the final address"
    )
