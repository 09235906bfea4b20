"""Who is to answer one request, and who after that? What a plan owes the exchange that follows it, no more.

Where the upstream depends on the body, the gate hands out no head but a `Router`. Its plan says who is asked first,
and after a failure who may be asked next: nobody, unless the operator wrote somebody down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from clawgate.errors import GatewayError
from clawgate.relay.interfaces import Buffer, ResponseHead, ResponseWriter
from clawgate.relay.response.writer import PassthroughWriter
from clawgate.relay.upstream.upstream import Upstream
from clawgate.wire.dialect import dialect_of


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client said in its head: the target, the lines that may go on, its own Via."""

    target: bytes
    lines: bytes
    via: bytes


class UpstreamAttempt(Protocol):
    """One upstream, and what it is asked."""

    upstream: Upstream
    served_by: str
    """``provider/model``."""
    spliced: bool
    """Whether an answer goes on as it came, but for ``names``."""
    names: bytes
    """Head lines that say who serves, and who was asked before."""
    request: list[Buffer]
    """Head and body, ready to be sent; empty until `complete`, where there is something to do ``aside``."""
    aside: Callable[[], bytes] | None
    """Makes a body that takes long to make: to be called once, away from the loop. Raises `GatewayError`."""

    def complete(self, body: bytes) -> None:
        """Make the request of what ``aside`` made. Raises `GatewayError`."""
        ...

    def writer(self, head: ResponseHead, *, http10: bool, close: bool, bodiless: bool) -> ResponseWriter:
        """Takes this upstream's answer to the client."""
        ...


class RoutePlan(Protocol):
    """The way of one request."""

    model: str
    """What the client asked for, for logs."""

    def first(self) -> UpstreamAttempt:
        """Raises `GatewayError` where nobody can be asked."""
        ...

    def after(
        self, *, status: int | None = None, error: GatewayError | None = None
    ) -> UpstreamAttempt | None:
        """Who may be asked next, now that the present attempt ended like this; None: the failure is the answer."""
        ...

    def final(self, error: GatewayError) -> GatewayError:
        """``error`` in the words of who made the plan."""
        ...


class Router(Protocol):
    """Makes plans from bodies."""

    def plan(self, asked: Asked, path: bytes, body: bytes) -> RoutePlan:
        """Raises `GatewayError` for a body that names no model that is served here."""
        ...


class Named(Protocol):
    """Of a ticket, what an answer depends on."""

    @property
    def method(self) -> bytes: ...
    @property
    def path(self) -> bytes: ...


def make_response_writer(
    ticket: Named,
    attempt: UpstreamAttempt | None,
    upstream: Upstream,
    head: ResponseHead,
    *,
    http10: bool,
    close: bool,
) -> ResponseWriter:
    """Takes the answer of ``upstream`` to the client, as the attempt wants it, or byte for byte where there is none.

    Raises `UpstreamMalformed` for an answer that cannot be understood.
    """
    bodiless = ticket.method == b"HEAD" or head.status in (204, 304)
    if attempt is not None:
        return attempt.writer(head, http10=http10, close=close, bodiless=bodiless)
    return PassthroughWriter(
        head,
        http10=http10,
        close=close,
        bodiless=bodiless,
        secrets=upstream.secrets,
        served_by=upstream.name,
        dialect=dialect_of(ticket.path),
    )
