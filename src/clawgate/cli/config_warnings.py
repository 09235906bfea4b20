"""What of a config file that can be used does not do what somebody may think it does?

What OpenClaw would refuse in it, and models that are named and that no provider serves. One place for
``config validate``, which tells all of them, and ``config set``, which tells those that a change brings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clawgate.cli.places import Places, read

if TYPE_CHECKING:
    from clawgate.settings.config_file import ConfigFile


def warnings_of(file: ConfigFile) -> list[str]:
    """One sentence each, with its key path; no value that could be a secret."""
    from clawgate.providers.catalog import build_catalog

    return [*file.warnings, *build_catalog(file.config, file.unset, file.environment).notes]


def warnings_at(where: Places) -> list[str]:
    """The same for the file there; none for one that cannot be used, of which worse things are told."""
    file, _ = read(where)
    return warnings_of(file) if file is not None else []
