"""Do the providers answer, and do they take our credentials? One small GET each, by the way that requests take."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

from clawgate.app.upstreams import provider_upstream
from clawgate.control.health import classify_response
from clawgate.errors import EgressDenied, GatewayError, UpstreamTimedOut
from clawgate.providers.provider import Provider
from clawgate.relay.upstream.dial import Dialer
from clawgate.relay.upstream.fetch import fetch

SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ProviderProbeResult:
    """What a probe of one provider found."""

    state: str
    message: str
    latency_ms: float | None = None

    @property
    def text(self) -> str:
        took = f" ({self.latency_ms:g} ms)" if self.latency_ms is not None else ""
        return f"{self.state}{took}"


def probe_all(providers: Iterable[Provider], dialer: Dialer | None = None) -> dict[str, ProviderProbeResult]:
    """Every provider that is ready, all at once; each has `SECONDS` to connect and as long again to answer."""
    ready = [provider for provider in providers if provider.problem is None]

    async def all_of_them() -> list[ProviderProbeResult]:
        found = dialer or Dialer()
        return await asyncio.gather(*(probe(provider, found) for provider in ready))

    return {provider.id: seen for provider, seen in zip(ready, asyncio.run(all_of_them()), strict=True)}


async def probe(provider: Provider, dialer: Dialer) -> ProviderProbeResult:
    """``GET <base>/models`` with the provider's credential."""
    return (await look(provider, dialer))[0]


async def look(provider: Provider, dialer: Dialer) -> tuple[ProviderProbeResult, bytes]:
    """The same with the body of an answer; only what was answered well has one."""
    loop = asyncio.get_running_loop()
    try:
        upstream = provider_upstream(
            _with_version(provider), dialer, via=b"clawgate-probe", listening=("", 0)
        )
        begun = loop.time()
        fetched = await fetch(upstream, b"/v1/models", connect_seconds=SECONDS, response_seconds=SECONDS)
    except UpstreamTimedOut as error:
        return ProviderProbeResult("timed out", error.message), b""
    except EgressDenied as error:
        return ProviderProbeResult("blocked", error.message), b""
    except GatewayError as error:
        return ProviderProbeResult("unreachable", error.message), b""
    except (ValueError, OSError) as error:
        return ProviderProbeResult("not ready", str(error)), b""
    found = classify_response(fetched, round((loop.time() - begun) * 1000, 1))
    seen = ProviderProbeResult(found.state, "" if found.ok else found.message, found.latency_ms)
    return seen, fetched.body if found.ok else b""


def _with_version(provider: Provider) -> Provider:
    """Anthropic's API answers nothing without the one version that it has (its API reference, "Versions")."""
    if provider.api != "anthropic-messages" or any(
        n.lower() == "anthropic-version" for n, _ in provider.headers
    ):
        return provider
    return replace(provider, headers=(*provider.headers, ("anthropic-version", "2023-06-01")))
