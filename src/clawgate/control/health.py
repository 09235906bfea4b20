"""Serves `GET /health` of bridge and server: this process, and with ``?deep=1`` its upstream.

The plain response contacts no upstream and shows no secret. The deep one is for callers with a token where the listener
has tokens; it sends one small request upstream, at most one every few seconds however often it is requested.
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

RESPONSE_SECONDS = 10.0
"""A list of models needs no thinking: it counts where the limit for the first byte is longer."""
FRESH_SECONDS = 5.0
REFUSED_FRESH_SECONDS = 60.0
"""How long a rejected credential counts: repeated requests with a wrong token would get this address locked out."""

State = Literal["reachable", "unauthorized", "not_found", "failing", "unreachable", "timed_out"]


@dataclass(frozen=True, slots=True)
class UpstreamHealth:
    """The result of a probe. ``latency_ms`` is set after a response, ``limit`` where a time limit was exceeded."""

    state: State
    message: str
    status: int | None = None
    latency_ms: float | None = None
    limit: str | None = None

    @property
    def ok(self) -> bool:
        """Whether requests can be expected to work."""
        return self.state == "reachable"

    def to_json(self, upstream: Upstream) -> dict[str, object]:
        fields = {
            "url": str(upstream.origin),
            "state": self.state,
            "message": self.message,
            "status": self.status,
            "latencyMs": self.latency_ms,
            "limit": self.limit,
        }
        return {key: value for key, value in fields.items() if value is not None}


def classify_response(response: FetchResponse, latency_ms: float) -> UpstreamHealth:
    """Return the upstream's health from a probe's response. Another clawgate is recognised by its error codes."""
    state, message = _meaning(response.status, _error_code(response.body))
    return UpstreamHealth(state, message, response.status, latency_ms)


def _meaning(status: int, code: str | None) -> tuple[State, str]:
    if code in ("invalid_token", "missing_token"):
        return "unauthorized", "it rejects our token; check the configured token"
    if code == "auth_locked":
        message = "it has locked out this address after wrong tokens; configure the right one, and wait"
        return "unauthorized", message
    if code == "upstream_unauthorized":
        message = "it accepts our credential, but the service behind it rejects its own"
        return "failing", message
    if status in (401, 403):
        message = "it rejects a credential: the one configured here, or one that it uses for its own upstream"
        return "unauthorized", message
    if status == 404:
        return "not_found", "it has no /v1/models; check the path of the configured URL"
    if status >= 300:
        return "failing", f"it responds with status {status}"
    return "reachable", "it responds and accepts our credential"


def _error_code(body: bytes) -> str | None:
    """Return the ``code`` of an error object as OpenAI's API has it; None for any other body."""
    try:
        code = msgspec.json.decode(body)["error"]["code"]
    except (msgspec.MsgspecError, KeyError, TypeError, RecursionError, UnicodeDecodeError):
        return None
    return code if isinstance(code, str) else None


class HealthProbe:
    """Requests the models of one upstream: one request at a time, whose result is kept for a few seconds."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self._lock = asyncio.Lock()
        self._health: UpstreamHealth | None = None
        self._checked_at = 0.0

    async def check(self) -> UpstreamHealth:
        loop = asyncio.get_running_loop()
        async with self._lock:
            rejected = self._health is not None and self._health.state == "unauthorized"
            fresh = REFUSED_FRESH_SECONDS if rejected else FRESH_SECONDS
            if self._health is None or loop.time() - self._checked_at >= fresh:
                self._health = await self._request()
                self._checked_at = loop.time()
            return self._health

    async def _request(self) -> UpstreamHealth:
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        limits = self.upstream.limits
        try:
            response = await fetch(
                self.upstream,
                b"/v1/models",
                connect_seconds=limits.connect,
                response_seconds=min(limits.first_byte, limits.total, RESPONSE_SECONDS),
            )
        except UpstreamTimedOut as error:
            return UpstreamHealth("timed_out", error.message, limit=error.limit)
        except GatewayError as error:
            return UpstreamHealth("unreachable", error.message)
        return classify_response(response, round((loop.time() - started_at) * 1000, 1))


def build_health_app(
    *,
    role: str,
    instance: str,
    probe: HealthProbe | None,
    deep_for_callers: bool = False,
    problem: str = "",
) -> Starlette:
    """Make the control API of a role.

    ``deep_for_callers``: callers with a token always get the upstream's health, and no one else does; otherwise every
    request with ``?deep=1`` gets it. ``problem`` is why the role refuses every request; it has no ``probe`` then.
    """
    started_at = time.monotonic()

    async def health(request: Request) -> JSONResponse:
        known = request.scope["state"].get("caller") is not None
        body: dict[str, object] = {"ok": True, "status": "live", "version": __version__}
        if known or not deep_for_callers:
            uptime = round(time.monotonic() - started_at, 1)
            body |= {"role": role, "instance": instance, "uptimeSeconds": uptime}
        status = 200
        if problem:
            body |= {"ok": False, "message": problem}
            status = 503
        if probe is not None and (
            known if deep_for_callers else request.query_params.get("deep") in ("1", "true")
        ):
            result = await probe.check()
            body |= {"ok": result.ok, "upstream": result.to_json(probe.upstream)}
            status = 200 if result.ok else 503
        return JSONResponse(body, status_code=status, headers={"cache-control": "no-store"})

    return Starlette(routes=[Route("/health", health), Route("/healthz", health)])
