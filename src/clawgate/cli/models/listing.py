"""What does `clawgate models list` say of each model? From a catalog alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from clawgate.cli.terminal.table import show_table
from clawgate.policy.egress import Reason
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.catalog import Catalog
from clawgate.providers.endpoint import address_kind
from clawgate.providers.provider import Model, Provider


@dataclass(frozen=True, slots=True)
class Row:
    """``model`` is None where the config names a model and no provider lists it; ``provider``, where there is none."""

    ref: ModelRef
    provider: Provider | None
    model: Model | None
    tags: tuple[str, ...]

    @property
    def local(self) -> bool:
        """Whether its provider's address is known to be loopback or private."""
        origin = self.provider.origin if self.provider else None
        return origin is not None and address_kind(origin) in (Reason.LOOPBACK, Reason.PRIVATE)

    @property
    def available(self) -> bool:
        return self.provider is not None and self.provider.why_not(self.ref.model) is None

    def shown(self) -> dict[str, object]:
        """In the words of OpenClaw's own `models list --json`."""
        return {
            "key": str(self.ref),
            "name": self.model.name if self.model else self.ref.model,
            "input": "+".join(self.model.input) if self.model else None,
            "contextWindow": self.model.context_window if self.model else None,
            "local": self.local,
            "available": self.available,
            "tags": list(self.tags),
        }


def model_rows(catalog: Catalog, refs: Sequence[ModelRef]) -> list[Row]:
    """A row for each of ``refs``, in their order."""
    return [_row(catalog, ref) for ref in refs]


def _row(catalog: Catalog, ref: ModelRef) -> Row:
    provider = catalog.providers.get(ref.provider)
    model = next((model for model in provider.models if model.id == ref.model), None) if provider else None
    tags = ["default"] if ref == catalog.primary else []
    if ref in catalog.fallbacks:
        tags.append(f"fallback#{catalog.fallbacks.index(ref) + 1}")
    tags += ["configured"] if model else []
    tags += [f"alias:{alias}" for alias, held in catalog.aliases.items() if held == ref]
    return Row(ref, provider, model, tuple(tags))


def show_rows(rows: Sequence[Row], catalog: Catalog, provider: str | None) -> None:
    """The table, and which providers have models that the config does not list."""
    if rows:
        show_table(
            ("Model", "Input", "Ctx", "Local", "Auth", "Tags"),
            [
                (
                    str(row.ref),
                    "+".join(row.model.input) if row.model else "-",
                    _short(row.model.context_window if row.model else None),
                    "yes" if row.local else "no",
                    "yes" if row.available else "no",
                    ",".join(row.tags),
                )
                for row in rows
            ],
        )
    silent = [
        name for name, found in catalog.providers.items() if not found.models and provider in (None, name)
    ]
    for name in silent:
        click.echo(f"{name}: the config lists no models of it; any {name}/<model> is sent there as it is")


def _short(tokens: int | None) -> str:
    if tokens is None:
        return "-"
    return f"{tokens / 1000:.0f}k" if tokens >= 1000 else str(tokens)
