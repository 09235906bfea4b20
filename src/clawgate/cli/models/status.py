"""The output of `clawgate models status`, made from a catalog alone. Must not print a secret unmasked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clawgate.cli.terminal.table import print_table
from clawgate.policy.egress import Reason
from clawgate.providers.catalog import Catalog
from clawgate.providers.endpoint import address_kind
from clawgate.providers.provider import Provider

if TYPE_CHECKING:  # the probe itself is loaded only for --probe
    from clawgate.app.provider_probe import ProviderProbeResult


def status_json(path: Path, catalog: Catalog, probes: Mapping[str, ProviderProbeResult]) -> dict[str, object]:
    """Return the JSON output; its keys are those of OpenClaw's own `models status --json`, where it has them."""
    return {
        "configPath": str(path),
        "defaultModel": str(catalog.primary) if catalog.primary else None,
        "fallbacks": [str(ref) for ref in catalog.fallbacks],
        "aliases": {alias: str(ref) for alias, ref in catalog.aliases.items()},
        "notes": list(catalog.notes),
        "providers": [_provider_json(one, probes.get(name)) for name, one in catalog.providers.items()],
    }


def _provider_json(provider: Provider, probe: ProviderProbeResult | None) -> dict[str, object]:
    output: dict[str, object] = {
        "id": provider.id,
        "baseUrl": provider.base_url or None,
        "api": provider.api,
        "auth": provider.auth_kind,
        "maskedSecret": provider.masked() or None,
        "ready": provider.problem is None,
        "whyNotReady": provider.problem,
        "egress": egress_rule(provider),
        "builtIn": provider.built_in,
        "models": len(provider.models),
        "notes": list(provider.notes),
    }
    if probe is not None:
        output["probe"] = {"state": probe.state, "message": probe.message, "latencyMs": probe.latency_ms}
    return output


def print_status(path: Path, catalog: Catalog, probes: Mapping[str, ProviderProbeResult]) -> None:
    fallbacks = ", ".join(map(str, catalog.fallbacks)) or "(none)"
    aliases = ", ".join(f"{alias} -> {ref}" for alias, ref in catalog.aliases.items()) or "(none)"
    rows = {
        "Config": str(path) if path.exists() else f"{path} (does not exist; using defaults)",
        "Default": str(catalog.primary or "(none; to set it: clawgate models set <provider/model>)"),
        f"Fallbacks ({len(catalog.fallbacks)})": fallbacks,
        f"Aliases ({len(catalog.aliases)})": aliases,
    }
    for name, value in rows.items():
        click.echo(f"{name:<14}: {value}")
    for note in catalog.notes:
        click.echo(f"  note: {note}")
    click.echo("")
    print_table(
        ("Provider", "Endpoint", "Dialect", "Auth", "Egress", "Health"),
        [_row(provider, probes.get(name)) for name, provider in catalog.providers.items()],
    )
    for name, provider in catalog.providers.items():
        lines = [f"not ready: {provider.problem}"] if provider.problem else []
        if name in probes and probes[name].message:
            lines.append(f"{probes[name].state}: {probes[name].message}")
        lines += provider.notes
        if lines:
            click.echo(f"\n{name}:")
            for line in lines:
                click.echo(f"  {line}")


def _row(provider: Provider, probe: ProviderProbeResult | None) -> tuple[str, ...]:
    masked = provider.masked()
    health = "not ready" if provider.problem else "blocked" if blocked(provider) else "ready"
    return (
        provider.id,
        provider.base_url or "(none)",
        provider.api,
        f"{provider.auth_kind} ({masked})" if masked else provider.auth_kind,
        egress_rule(provider),
        probe.text if probe is not None else health,
    )


def egress_rule(provider: Provider) -> str:
    """Return which addresses the provider may have. Metadata and link-local ones are never dialed."""
    if provider.allow_private:
        return "private allowed"
    if blocked(provider):
        return "blocked"
    return "public only"


def blocked(provider: Provider) -> bool:
    """Return whether the address is private and not allowed; False for a host name, which is checked when dialed."""
    if provider.origin is None or provider.allow_private or provider.proxy is not None:
        return False
    return address_kind(provider.origin) in (Reason.LOOPBACK, Reason.PRIVATE)
