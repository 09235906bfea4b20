"""What of a config file that can be used does not do what somebody may think it does?

What OpenClaw would refuse in it, providers that cannot serve, models that are named and that no provider has. One
place for ``config validate``, which tells all of them, and ``config set``, which tells those that a change brings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clawgate.cli.places import Places, read

if TYPE_CHECKING:
    from clawgate.settings.config_file import ConfigFile


def warnings_of(file: ConfigFile) -> list[str]:
    """One sentence each, with its key path; no value that could be a secret."""
    from clawgate.providers.catalog import build_catalog

    catalog = build_catalog(file.config, file.unset, file.environment)
    written = [found for name, found in catalog.providers.items() if name in file.config.models.providers]
    lame = [f"{found.id} cannot serve: {found.why_not_ready}" for found in written if found.why_not_ready]
    return [*file.warnings, *lame, *catalog.notes]


def warnings_at(where: Places) -> list[str]:
    """The same for the file there; none for one that cannot be used, of which worse things are told."""
    file, _ = read(where)
    return warnings_of(file) if file is not None else []
