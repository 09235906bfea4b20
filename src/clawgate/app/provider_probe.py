"""Probes whether providers are reachable and accept their credentials: one small GET each, sent like a request.

Those on this machine can also be dialed alone, as a running gateway does for its reports.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

from clawgate.app.upstreams import provider_upstream, version_line
from clawgate.control.health import classify_response
from clawgate.errors import EgressDenied, GatewayError, UpstreamTimedOut
from clawgate.providers.provider import Provider
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.fetch import FetchResponse, fetch
from clawgate.routing.provider_upstream import ProviderUpstream

SECONDS = 2.0
_VIA = b"clawgate-probe"


@dataclass(frozen=True, slots=True)
class ProviderProbeResult:
    """The result of one probe. ``state`` is one word or two, as "ok" or "timed out"; ``message`` is "" if ok."""

    state: str
    message: str
    latency_ms: float | None = None

    @property
    def text(self) -> str:
        return self.state if self.latency_ms is None else f"{self.state} ({self.latency_ms:g} ms)"


def probe_all(providers: Iterable[Provider]) -> dict[str, ProviderProbeResult]:
    """Probe every configured provider at once; each has `SECONDS` to connect and as long again to respond."""
    ready = [provider for provider in providers if provider.problem is None]

    async def probe_ready() -> list[ProviderProbeResult]:
        shared = Dialer()
        return await asyncio.gather(*(probe(provider, shared) for provider in ready))

    return {provider.id: result for provider, result in zip(ready, asyncio.run(probe_ready()), strict=True)}


async def probe(provider: Provider, dialer: Dialer) -> ProviderProbeResult:
    """Send ``GET <base>/models`` with the provider's credential."""
    return (await probe_with_response(provider, dialer))[0]


async def probe_with_response(
    provider: Provider, dialer: Dialer, target: bytes = b"/v1/models"
) -> tuple[ProviderProbeResult, FetchResponse | None]:
    """Probe as `probe` does, or with another target; return the response as well, None if there was none."""
    loop = asyncio.get_running_loop()
    try:
        upstream = provider_upstream(provider, dialer, via=_VIA, listening=("", 0))
        start = loop.time()
        response = await fetch(
            upstream,
            target,
            lines=version_line(provider),
            connect_seconds=SECONDS,
            response_seconds=SECONDS,
        )
    except UpstreamTimedOut as error:
        return ProviderProbeResult("timed out", error.message), None
    except EgressDenied as error:
        return ProviderProbeResult("blocked", error.message), None
    except GatewayError as error:
        state = "untrusted" if isinstance(error.__cause__, ssl.SSLCertVerificationError) else "unreachable"
        return ProviderProbeResult(state, error.message), None
    except (ValueError, OSError) as error:
        return ProviderProbeResult("not ready", str(error)), None
    health = classify_response(response, round((loop.time() - start) * 1000, 1))
    result = ProviderProbeResult(health.state, "" if health.ok else health.message, health.latency_ms)
    return result, response


def dial_local(providers: Iterable[Provider]) -> dict[str, GatewayError]:
    """Return the error of each provider on this machine that takes no connection. Sends nothing; a second at most."""

    async def dial() -> dict[str, GatewayError]:
        shared, dialed = Dialer(), []
        for provider in providers:
            with contextlib.suppress(ValueError, OSError):  # settings that cannot be used
                upstream = provider_upstream(provider, shared, via=_VIA, listening=("", 0))
                dialed.append(ProviderUpstream(provider, upstream))
        await asyncio.gather(*(one.recheck() for one in dialed))
        return {one.provider.id: one.failure for one in dialed if one.failure is not None}

    return asyncio.run(dial())
