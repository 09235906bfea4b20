"""Interface of request routing: a `Router` makes a `RoutePlan` of a request, which yields upstream attempts in order.

Where the upstream depends on the body, admission hands out no upstream but a `Router`. Its plan names the first
attempt, and after a failure the next one, which only exists where the operator configured a fallback.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from clawgate.errors import GatewayError, ModelNotFound
from clawgate.policy.headers import TRACE
from clawgate.relay.interfaces import Buffer, ResponseHead, ResponseWriter, UpstreamSide
from clawgate.relay.response.buffered import MadeResponse
from clawgate.relay.response.head import ResponseOptions
from clawgate.relay.response.writer import make_relay_writer
from clawgate.relay.upstream.upstream import Upstream
from clawgate.wire.dialect import Dialect

_TRACE = TRACE.decode("ascii")


@dataclass(frozen=True, slots=True)
class ModelAllowlist:
    """The models that requests may name."""

    models: frozenset[str]

    def check(self, model: str) -> None:
        """Raises `ModelNotFound`, which lists what is allowed."""
        if model not in self.models:
            raise ModelNotFound(
                f"the model '{model[:100]}' is not available here; allowed: {', '.join(sorted(self.models))}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmittedHead:
    """A request head after admission: its caller, and where it goes. It serves every request with this head."""

    upstream: Upstream | None
    """Where the request goes; None where ``router`` chooses by the body."""
    router: Router | None = None
    model_allowlist: ModelAllowlist | None = None
    """Checked against the body's model before anything is sent."""
    caller: str
    lockout_key: str | None = None
    """The client's address as the lockout counts it; None where no lockout applies."""
    method: bytes
    path: bytes
    target: bytes = b""
    """Path, and of the query what may go upstream."""
    dialect: Dialect
    head: bytes
    """What goes upstream: whole, or with ``has_content_length`` without the digits; empty with a ``router``."""
    header_lines: bytes = b""
    """The client's headers that may go upstream."""
    via: bytes = b""
    """The client's own Via."""
    hook_headers: tuple[tuple[str, str], ...] = ()
    """The client's headers that a plugin may read."""
    agent_headers: tuple[tuple[str, str], ...] = ()
    """The client's headers that an agent's run reads, each once and none of them empty."""
    has_content_length: bool
    chunked: bool
    expect_continue: bool

    @property
    def cacheable(self) -> bool:
        """Whether the next request with this head may skip admission."""
        return not (
            self.chunked
            or self.expect_continue
            or self.model_allowlist is not None
            or any(
                name == _TRACE for name, _ in self.agent_headers
            )  # may differ in a head that is recognised
        )

    @property
    def buffers_body(self) -> bool:
        """Whether the whole body has to be read before anything is sent."""
        return self.model_allowlist is not None or self.router is not None

    def encode_head(self, length: int) -> bytes:
        """Return what goes upstream before a body of ``length`` bytes; empty where a plan makes it."""
        if self.has_content_length and self.router is None:
            return b"%b%d\r\n\r\n" % (self.head, length)
        return self.head


class UpstreamAttempt(Protocol):
    """One upstream, and the request for it."""

    @property
    def upstream(self) -> UpstreamSide: ...

    served_by: str
    """``provider/model``."""
    passthrough: bool
    """Whether a response is forwarded as it came, but for ``attribution_headers``."""

    @property
    def attribution_headers(self) -> bytes:
        """Header lines that name the provider and model, and those that failed before."""

    request: list[Buffer]
    """Head and body, ready to be sent; empty until `complete`, where there is something to ``offload``."""
    response: MadeResponse | None
    """Made here, so that nothing is sent upstream; None for every other request."""
    offload: Callable[[], bytes] | None
    """Makes a body that takes long to make. To be taken out, and called once, in a thread. Raises `GatewayError`."""

    def complete(self, body: bytes) -> None:
        """Make the request of what ``offload`` returned. Raises `GatewayError`."""

    def on_success(self) -> None:
        """A ``passthrough`` attempt has a complete response, which needed no `writer`."""

    def writer(self, head: ResponseHead, *, http10: bool, close: bool, bodiless: bool) -> ResponseWriter:
        """Return the writer that encodes this upstream's response for the client."""


class RoutePlan(Protocol):
    """The attempts of one request, in order."""

    model: str
    """The model that the client named, for logs."""

    def first_attempt(self) -> UpstreamAttempt:
        """Raises `GatewayError` where no provider can be used."""

    def next_attempt(
        self, *, status: int | None = None, error: GatewayError | None = None
    ) -> UpstreamAttempt | None:
        """Return the attempt after one that ended like this; None: the failure is the response."""

    def discard_body(self) -> None:
        """No further attempt is made: the request's body is not needed any more."""

    def map_error(self, error: GatewayError) -> GatewayError:
        """Return ``error`` with what is known of the route."""


class Router(Protocol):
    """Chooses upstreams by the body of a request."""

    def route(self, head: AdmittedHead, body: bytes) -> RoutePlan:
        """Return the plan of a request. Raises `GatewayError` for a body that names no model that is served here.

        May run in a thread.
        """


def make_response_writer(
    request: AdmittedHead,
    attempt: UpstreamAttempt | None,
    upstream: UpstreamSide,
    head: ResponseHead,
    *,
    http10: bool,
    close: bool,
) -> ResponseWriter:
    """Return the writer of a response of ``upstream``: the attempt's, or one that forwards it byte for byte.

    Raises `UpstreamMalformed` for a response that cannot be understood.
    """
    bodiless = request.method == b"HEAD" or head.status in (204, 304)
    if attempt is not None:
        return attempt.writer(head, http10=http10, close=close, bodiless=bodiless)
    options = ResponseOptions(
        http10=http10,
        close=close,
        bodiless=bodiless,
        secrets=upstream.secrets,
        served_by=upstream.name,
        credential_advice=upstream.credential_advice,
        operator_status=upstream.operator_status,
        dialect=request.dialect,
    )
    return make_relay_writer(head, options, origin=str(upstream.origin))
