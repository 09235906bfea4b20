"""The rows of `clawgate models list`, made of what is known of the providers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from clawgate.cli.outcome import failure_text
from clawgate.cli.terminal.table import print_table
from clawgate.errors import GatewayError
from clawgate.policy.egress.names import host_kind
from clawgate.policy.egress.ranges import PRIVATE_KINDS
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.availability import Availability
from clawgate.providers.catalog import Catalog
from clawgate.providers.provider import Model, Provider


@dataclass(frozen=True, slots=True)
class ModelRow:
    """``model`` is None if the provider does not list it, ``provider`` is None if the config has no such provider."""

    ref: ModelRef
    provider: Provider | None
    model: Model | None
    tags: tuple[str, ...]
    error: GatewayError | None

    @property
    def local(self) -> bool:
        """Whether the provider's address is loopback or private; False for a host name."""
        origin = self.provider.origin if self.provider else None
        return origin is not None and host_kind(origin.host) in PRIVATE_KINDS

    @property
    def available(self) -> bool:
        return self.error is None

    def to_json(self) -> dict[str, object]:
        """Return the object of OpenClaw's own `models list --json`."""
        return {
            "key": str(self.ref),
            "name": self.model.name if self.model else self.ref.model,
            "input": "+".join(self.model.input) if self.model else None,
            "contextWindow": self.model.context_window if self.model else None,
            "local": self.local,
            "available": self.available,
            "whyNot": self.error and self.error.message,
            "tags": list(self.tags),
        }


def model_rows(availability: Availability, refs: Sequence[ModelRef]) -> list[ModelRow]:
    return [_row(availability, ref) for ref in refs]


def _row(availability: Availability, ref: ModelRef) -> ModelRow:
    catalog = availability.catalog
    provider = catalog.providers.get(ref.provider)
    model = next((model for model in provider.models if model.id == ref.model), None) if provider else None
    tags = ["default"] if ref == catalog.primary else []
    if ref in catalog.fallbacks:
        tags.append(f"fallback#{catalog.fallbacks.index(ref) + 1}")
    tags += ["configured"] if model else []
    tags += [f"alias:{alias}" for alias, other in catalog.aliases.items() if other == ref]
    return ModelRow(ref, provider, model, tuple(tags), availability.model_error(ref))


def print_rows(rows: Sequence[ModelRow], catalog: Catalog, provider: str | None) -> None:
    if rows:
        print_table(
            ("Model", "Input", "Ctx", "Local", "Auth", "Tags"),
            [
                (
                    str(row.ref),
                    "+".join(row.model.input) if row.model else "-",
                    _thousands(row.model.context_window if row.model else None),
                    "yes" if row.local else "no",
                    "yes" if row.available else "no",
                    ",".join(row.tags),
                )
                for row in rows
            ],
        )
    for reason in dict.fromkeys(failure_text(row.error) for row in rows if row.error is not None):
        click.echo(f"Requests would fail with {reason}", err=True)
    for name, other in catalog.providers.items():
        if not other.models and provider in (None, name):
            click.echo(f"{name}: the config lists no models; every {name}/<model> is sent to it as it is")


def _thousands(tokens: int | None) -> str:
    if tokens is None:
        return "-"
    return f"{tokens / 1000:.0f}k" if tokens >= 1000 else str(tokens)
