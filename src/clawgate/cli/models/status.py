"""What does `clawgate models status` say, for people and for programs? From a catalog alone; secrets are masked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clawgate.cli.terminal.table import show_table
from clawgate.policy.egress import Reason
from clawgate.providers.catalog import Catalog
from clawgate.providers.endpoint import address_kind
from clawgate.providers.provider import Provider

if TYPE_CHECKING:  # the probe itself is loaded only for --probe
    from clawgate.app.provider_probe import ProviderProbeResult


def status_json(path: Path, catalog: Catalog, seen: Mapping[str, ProviderProbeResult]) -> dict[str, object]:
    """Names of the top level as OpenClaw's own `models status --json` has them, where it has them."""
    return {
        "configPath": str(path),
        "defaultModel": str(catalog.primary) if catalog.primary else None,
        "fallbacks": [str(ref) for ref in catalog.fallbacks],
        "aliases": {alias: str(ref) for alias, ref in catalog.aliases.items()},
        "notes": list(catalog.notes),
        "providers": [_provider_json(found, seen.get(name)) for name, found in catalog.providers.items()],
    }


def _provider_json(provider: Provider, seen: ProviderProbeResult | None) -> dict[str, object]:
    said: dict[str, object] = {
        "id": provider.id,
        "baseUrl": provider.base_url or None,
        "api": provider.api,
        "auth": provider.auth_kind,
        "maskedSecret": provider.masked() or None,
        "ready": provider.why_not_ready is None,
        "whyNotReady": provider.why_not_ready,
        "egress": egress_rule(provider),
        "builtIn": provider.built_in,
        "models": len(provider.models),
        "notes": list(provider.notes),
    }
    if seen is not None:
        said["probe"] = {"state": seen.state, "message": seen.message, "latencyMs": seen.latency_ms}
    return said


def show_status(path: Path, catalog: Catalog, seen: Mapping[str, ProviderProbeResult]) -> None:
    """The same on standard output."""
    fallbacks = ", ".join(map(str, catalog.fallbacks)) or "(none)"
    aliases = ", ".join(f"{alias} -> {ref}" for alias, ref in catalog.aliases.items()) or "(none)"
    rows = {
        "Config": str(path) if path.exists() else f"{path} (does not exist; defaults)",
        "Default": str(catalog.primary or "(none: set it with clawgate models set <provider/model>)"),
        f"Fallbacks ({len(catalog.fallbacks)})": fallbacks,
        f"Aliases ({len(catalog.aliases)})": aliases,
    }
    for name, value in rows.items():
        click.echo(f"{name:<14}: {value}")
    for note in catalog.notes:
        click.echo(f"  note: {note}")
    click.echo("")
    show_table(
        ("Provider", "Endpoint", "Dialect", "Auth", "Egress", "Health"),
        [_row(found, seen.get(name)) for name, found in catalog.providers.items()],
    )
    for name, found in catalog.providers.items():
        said = [f"not ready: {found.why_not_ready}"] if found.why_not_ready else []
        if name in seen and seen[name].message:
            said.append(f"{seen[name].state}: {seen[name].message}")
        said += found.notes
        if said:
            click.echo(f"\n{name}:")
            for text in said:
                click.echo(f"  {text}")


def _row(provider: Provider, seen: ProviderProbeResult | None) -> tuple[str, ...]:
    masked = provider.masked()
    health = "not ready" if provider.why_not_ready else "blocked" if blocked(provider) else "ready"
    return (
        provider.id,
        provider.base_url or "(none)",
        provider.api,
        f"{provider.auth_kind} ({masked})" if masked else provider.auth_kind,
        egress_rule(provider),
        seen.text if seen is not None else health,
    )


def egress_rule(provider: Provider) -> str:
    """What the addresses of a provider may be. Metadata and link-local ones are never dialled, whatever it says."""
    if provider.trusted:
        return "private allowed"
    if blocked(provider):
        return "blocked"
    return "public only"


def blocked(provider: Provider) -> bool:
    """Whether it is known before dialling that its address is private and not allowed to be."""
    if provider.origin is None or provider.trusted or provider.proxy is not None:
        return False
    return address_kind(provider.origin) in (Reason.LOOPBACK, Reason.PRIVATE)
