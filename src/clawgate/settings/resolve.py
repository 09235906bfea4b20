"""Resolves one setting: flag, then environment, then config file, then default; the value and its origin.

Pure. Must stay the only place that knows this order: what starts a role and what explains a key both use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clawgate.settings.environment import Environment

DEFAULT = "default"
"""The origin of a value that is set nowhere."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """``origin`` is a flag, a variable with its source, a place in the config file, or `DEFAULT`."""

    value: object
    origin: str

    @property
    def is_default(self) -> bool:
        return self.origin == DEFAULT


def resolve(
    variables: Sequence[str],
    environment: Environment,
    *,
    flag: Resolved | None = None,
    in_file: Resolved | None = None,
    default: object = None,
) -> Resolved:
    """Return the value that counts. ``variables`` set it, the strongest first.

    An empty variable is unset; an empty flag is a value, which a setting may refuse.
    """
    if flag is not None and flag.value not in (None, ()):
        return flag
    for name in variables:
        if name in environment:
            return Resolved(environment[name], environment.origin(name))
    return in_file if in_file is not None else Resolved(default, DEFAULT)
