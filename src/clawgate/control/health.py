"""Is this process well, and is what stands behind it? `GET /health`, with ``?deep=1`` the upstream as well.

The plain answer asks nobody and tells no secret; on a server, a caller with a token gets the deep one. The deep one
makes one small request, at most one every few seconds however often it is asked for, and says which limit expired
where one did.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Literal

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from clawgate import __version__
from clawgate.errors import GatewayError, UpstreamTimedOut
from clawgate.relay.upstream.fetch import FetchResponse, fetch
from clawgate.relay.upstream.upstream import Upstream

ANSWER_SECONDS = 10.0
"""A list of models needs no thinking: where the limit for a first byte is longer, this one counts."""
FRESH_SECONDS = 5.0
REFUSED_FRESH_SECONDS = 60.0
"""How long a refusal counts: asking again and again with a wrong token would get this address locked out."""

State = Literal["reachable", "unauthorized", "not_found", "failing", "unreachable", "timed_out"]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a probe found. ``latency_ms`` only where an answer came, ``limit`` only where one expired."""

    state: State
    message: str
    status: int | None = None
    latency_ms: float | None = None
    limit: str | None = None

    @property
    def ok(self) -> bool:
        """Whether requests can be expected to work."""
        return self.state == "reachable"

    def shown(self, upstream: Upstream) -> dict[str, object]:
        """As it stands in the health answer."""
        found = {
            "url": str(upstream.origin),
            "state": self.state,
            "message": self.message,
            "status": self.status,
            "latencyMs": self.latency_ms,
            "limit": self.limit,
        }
        return {key: value for key, value in found.items() if value is not None}


def classify_response(fetched: FetchResponse, latency_ms: float) -> ProbeResult:
    """What the probe's answer says about the upstream; a clawgate behind it is told apart by its error codes."""
    status = fetched.status
    code = _error_code(fetched.body)
    if code in ("invalid_token", "missing_token"):
        return ProbeResult(
            "unauthorized", "it refuses our token; check the configured token", status, latency_ms
        )
    if code == "auth_locked":
        return ProbeResult(
            "unauthorized",
            "it has locked this address out after wrong tokens; wait, with the right one",
            status,
            latency_ms,
        )
    if status in (401, 403):
        return ProbeResult(
            "unauthorized",
            "it refuses a credential: the one configured here, or one that it uses for its own upstream",
            status,
            latency_ms,
        )
    if status == 404:
        return ProbeResult(
            "not_found", "it has no /v1/models: check the path of the configured URL", status, latency_ms
        )
    if status >= 300:
        return ProbeResult("failing", f"it answers with {status}", status, latency_ms)
    return ProbeResult("reachable", "it answers and accepts our credential", status, latency_ms)


def _error_code(body: bytes) -> str | None:
    """The ``code`` of an error object in the shape of the OpenAI API, if the body is one."""
    try:
        code = msgspec.json.decode(body)["error"]["code"]
    except (msgspec.MsgspecError, KeyError, TypeError, RecursionError, UnicodeDecodeError):
        return None
    return code if isinstance(code, str) else None


class HealthProbe:
    """Asks one upstream for its models; one question at a time, its answer good for a few seconds."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self._lock = asyncio.Lock()
        self._found: ProbeResult | None = None
        self._found_at = 0.0

    async def ask(self) -> ProbeResult:
        """The present finding."""
        loop = asyncio.get_running_loop()
        async with self._lock:
            refused = self._found is not None and self._found.state == "unauthorized"
            fresh = REFUSED_FRESH_SECONDS if refused else FRESH_SECONDS
            if self._found is None or loop.time() - self._found_at >= fresh:
                self._found = await self._look()
                self._found_at = loop.time()
            return self._found

    async def _look(self) -> ProbeResult:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        limits = self.upstream.limits
        try:
            fetched = await fetch(
                self.upstream,
                b"/v1/models",
                connect_seconds=limits.connect,
                answer_seconds=min(limits.first_byte, limits.total, ANSWER_SECONDS),
            )
        except UpstreamTimedOut as error:
            return ProbeResult("timed_out", error.message, limit=error.limit)
        except GatewayError as error:
            return ProbeResult("unreachable", error.message)
        return classify_response(fetched, round((loop.time() - begun) * 1000, 1))


def build_health(*, role: str, instance: str, probe: HealthProbe, deep_for_callers: bool) -> Starlette:
    """The control plane of a role.

    ``deep_for_callers``: the upstream's state is for callers with a token, and they always get it; otherwise it is
    for everybody who asks with ``?deep=1``.
    """
    begun = time.monotonic()

    async def health(request: Request) -> JSONResponse:
        known = request.scope["state"].get("caller") is not None
        said: dict[str, object] = {"ok": True, "status": "live", "version": __version__}
        if known or not deep_for_callers:
            said |= {"role": role, "instance": instance, "uptimeSeconds": round(time.monotonic() - begun, 1)}
        status = 200
        if known if deep_for_callers else request.query_params.get("deep") in ("1", "true"):
            finding = await probe.ask()
            said |= {"ok": finding.ok, "upstream": finding.shown(probe.upstream)}
            status = 200 if finding.ok else 503
        return JSONResponse(said, status_code=status, headers={"cache-control": "no-store"})

    return Starlette(routes=[Route("/health", health), Route("/healthz", health)])
