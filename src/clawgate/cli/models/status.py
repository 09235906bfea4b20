"""The output of `clawgate models status`, made of what is known of the providers. Must not print a secret unmasked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clawgate.cli.errors import fail
from clawgate.cli.outcome import failure_text, outcome_json
from clawgate.cli.terminal.table import print_table
from clawgate.errors import EgressDenied, GatewayError
from clawgate.providers.availability import egress_error
from clawgate.providers.provider import Provider

if TYPE_CHECKING:  # the probe itself is loaded only for --probe
    from clawgate.app.provider_probe import ProviderProbeResult
    from clawgate.cli.context import LoadedConfig
    from clawgate.processes.instance.availability import KnownAvailability


def status_json(
    path: Path, known: KnownAvailability, probes: Mapping[str, ProviderProbeResult]
) -> dict[str, object]:
    """Return the JSON output; its keys are those of OpenClaw's own `models status --json`, where it has them."""
    availability = known.availability
    catalog = availability.catalog
    return {
        **outcome_json(availability.serving_error()),
        "basedOn": known.based_on,
        "configPath": str(path),
        "defaultModel": str(catalog.primary) if catalog.primary else None,
        "fallbacks": [str(ref) for ref in catalog.fallbacks],
        "aliases": {alias: str(ref) for alias, ref in catalog.aliases.items()},
        "notes": list(catalog.notes),
        "providers": [
            _provider_json(one, availability.error_of(one), probes.get(name))
            for name, one in catalog.providers.items()
        ],
    }


def _provider_json(
    provider: Provider, error: GatewayError | None, probe: ProviderProbeResult | None
) -> dict[str, object]:
    output: dict[str, object] = {
        "id": provider.id,
        "baseUrl": provider.base_url or None,
        "api": provider.api,
        "auth": provider.auth_kind,
        "maskedSecret": provider.masked() or None,
        "ready": error is None,
        "whyNotReady": error and error.message,
        "egress": egress_rule(provider),
        "builtIn": provider.built_in,
        "models": len(provider.models),
        "notes": list(provider.notes),
    }
    if probe is not None:
        output["probe"] = {"state": probe.state, "message": probe.message, "latencyMs": probe.latency_ms}
    return output


def print_status(path: Path, known: KnownAvailability, probes: Mapping[str, ProviderProbeResult]) -> None:
    availability = known.availability
    catalog = availability.catalog
    errors = {name: availability.error_of(one) for name, one in catalog.providers.items()}
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
        [_row(provider, errors[name], probes.get(name)) for name, provider in catalog.providers.items()],
    )
    for name, provider in catalog.providers.items():
        error = errors[name]
        lines = [failure_text(error)] if error is not None else []
        if name in probes and probes[name].message:
            lines.append(f"{probes[name].state}: {probes[name].message}")
        lines += provider.notes
        if lines:
            click.echo(f"\n{name}:")
            for line in lines:
                click.echo(f"  {line}")
    click.echo(f"\nBased on {known.source}.")
    if (error := availability.serving_error()) is not None:
        click.echo(f"Requests would fail with {failure_text(error)}", err=True)


def print_provider(loaded: LoadedConfig, name: str, *, as_json: bool) -> bool:
    """Probe one provider and print what is known of it; return whether requests to it would succeed."""
    from clawgate.app.provider_probe import probe_all

    provider = loaded.catalog.providers.get(name)
    if provider is None:
        fail(
            f"the config has no provider '{name}'; to set it up: clawgate models auth login --provider {name}"
        )
    error = loaded.known.availability.error_of(provider)
    probe = probe_all([provider]).get(name)
    works = error is None and probe is not None and not probe.message
    if as_json:
        click.echo(json.dumps({"ok": works, **_provider_json(provider, error, probe)}, indent=2))
        return works
    _, endpoint, dialect, auth, egress, health = _row(provider, error, probe)
    reason = failure_text(error) if error is not None else probe.message if probe is not None else ""
    rows = {"endpoint": endpoint, "dialect": dialect, "auth": auth, "egress": egress, "health": health}
    rows["requests"] = "would succeed" if works else f"would fail: {reason}"
    for key, value in rows.items():
        click.echo(f"{key + ':':<10} {value}")
    return works


def _row(
    provider: Provider, error: GatewayError | None, probe: ProviderProbeResult | None
) -> tuple[str, ...]:
    masked = provider.masked()
    health = "ready" if error is None else "blocked" if isinstance(error, EgressDenied) else "not ready"
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
    if egress_error(provider) is not None:
        return "blocked"
    if provider.allows_private:
        return "private allowed"
    if provider.trusts_loopback:
        return "own loopback"
    return "public only"
