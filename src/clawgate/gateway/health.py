"""Is this process well, and is what stands behind it? `GET /health`, with ``?deep=1`` the upstream as well.

The plain answer asks nobody and tells no secret. The deep one makes one small request, at most one every few
seconds however often it is asked for, and says which limit expired where one did.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from clawgate import __version__
from clawgate.errors import GatewayError, UpstreamTimedOut
from clawgate.relay.fetch import fetch
from clawgate.relay.upstream import Upstream

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
FRESH_SECONDS = 5.0

State = Literal["reachable", "unauthorized", "failing", "unreachable", "timed_out"]


@dataclass(frozen=True, slots=True)
class Finding:
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


def judge(status: int, latency_ms: float) -> Finding:
    """What the status of the probe's answer says about the upstream."""
    if status in (401, 403):
        return Finding(
            "unauthorized", "it refuses our credential; check the configured token or key", status, latency_ms
        )
    if status >= 500:
        return Finding("failing", f"it answers with {status}", status, latency_ms)
    if status == 404:
        return Finding("reachable", "it answers, though it has no /v1/models", status, latency_ms)
    if status >= 300:
        return Finding("failing", f"it answers with {status}; check the configured URL", status, latency_ms)
    return Finding("reachable", "it answers and accepts our credential", status, latency_ms)


class Probe:
    """Asks one upstream for its models; one question at a time, its answer good for a few seconds."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self._lock = asyncio.Lock()
        self._found: Finding | None = None
        self._found_at = 0.0

    async def ask(self) -> Finding:
        """The present finding."""
        loop = asyncio.get_running_loop()
        async with self._lock:
            if self._found is None or loop.time() - self._found_at >= FRESH_SECONDS:
                self._found = await self._look()
                self._found_at = loop.time()
            return self._found

    async def _look(self) -> Finding:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            fetched = await fetch(
                self.upstream, b"/v1/models", connect_seconds=CONNECT_SECONDS, answer_seconds=ANSWER_SECONDS
            )
        except UpstreamTimedOut as error:
            return Finding("timed_out", error.message, limit=error.limit)
        except GatewayError as error:
            return Finding("unreachable", error.message)
        return judge(fetched.status, round((loop.time() - begun) * 1000, 1))


def build_health(*, role: str, instance: str, probe: Probe, deep_for_callers: bool) -> Starlette:
    """The control plane of a role. ``deep_for_callers``: only a caller with a token sees the upstream's state."""
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
