"""The rows of `clawgate models auth list`: each provider's kind of credential, masked, and where it is from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from clawgate.cli.auth.wizard.credential_block import credential_of
from clawgate.cli.terminal.table import print_table
from clawgate.plugins.api import object_at
from clawgate.providers.built_in import BUILT_IN
from clawgate.providers.catalog import Catalog
from clawgate.providers.provider import Provider
from clawgate.settings.key_path import format_key_path
from clawgate.settings.openclaw.config_file import ConfigFile


@dataclass(frozen=True, slots=True)
class AuthRow:
    """``source`` is a place in the file or a variable; "" if there is no credential.

    ``kind`` is set for a credential that is not usable yet, too.
    """

    provider: Provider
    kind: str
    source: str
    variable: str | None

    def to_json(self) -> dict[str, object]:
        return {
            "id": self.provider.id,
            "auth": self.kind,
            "maskedSecret": self.provider.masked() or None,
            "source": self.source or None,
            "variable": self.variable,
            "ready": self.provider.problem is None,
            "whyNotReady": self.provider.problem,
        }


def auth_rows(file: ConfigFile, catalog: Catalog) -> list[AuthRow]:
    return [_row(provider, file) for provider in catalog.providers.values()]


def _row(provider: Provider, file: ConfigFile) -> AuthRow:
    stored = credential_of(object_at(file.raw, ("models", "providers", provider.id)))
    if stored is not None:
        path = ("models", "providers", provider.id, *stored.path)
        place = file.origins.get(format_key_path(path), file.path.name)
        is_reference = stored.secret.startswith("${") and stored.secret.endswith("}")
        variable = stored.secret[2:-1] if is_reference else None
        kind = provider.auth_kind if provider.credential.line() else f"{stored.kind} {stored.header}".rstrip()
        return AuthRow(provider, kind, f"{variable} ({place})" if variable else place, variable)
    built_in = BUILT_IN.get(provider.id)
    if built_in is not None and provider.credential.line():
        return AuthRow(provider, provider.auth_kind, f"{built_in.variable} (environment)", built_in.variable)
    source = "the settings of its plugin" if provider.credential.line() else ""
    return AuthRow(provider, provider.auth_kind, source, None)


def print_rows(rows: Sequence[AuthRow]) -> None:
    print_table(
        ("Provider", "Auth", "Secret", "From", "Ready"),
        [
            (
                row.provider.id,
                row.kind,
                row.provider.masked() or "-",
                row.source or "-",
                "no" if row.provider.problem else "yes",
            )
            for row in rows
        ],
    )
    for row in rows:
        if row.provider.problem:
            click.echo(f"\n{row.provider.id}: not ready: {row.provider.problem}")
