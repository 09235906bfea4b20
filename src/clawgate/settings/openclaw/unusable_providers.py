"""Makes what is wrong in the block of a provider the problem of that provider alone: the gateway starts without it.

Law: only where nothing else is wrong in the file. A provider with a problem gets no request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clawgate.settings.diagnostic import Diagnostic
from clawgate.settings.key_path import KeyPath
from clawgate.settings.schema.openclaw import OpenClawConfig, ProviderBlock

_PROVIDERS = ("models", "providers")


def problems_by_provider(problems: Iterable[tuple[KeyPath, Diagnostic]]) -> dict[str, str]:
    """Return what is wrong by provider; empty if anything else is wrong. Each problem has the path that it concerns."""
    found: dict[str, str] = {}
    for path, problem in problems:
        if path[:2] != _PROVIDERS or len(path) < 3:
            return {}
        name = str(path[2])
        found[name] = f"{found[name]}; {problem}" if name in found else str(problem)
    return found


def with_problems(config: OpenClawConfig, problems: Mapping[str, str]) -> OpenClawConfig:
    """Return the config in which these providers cannot be used."""
    providers = dict(config.models.providers)
    for name, problem in problems.items():
        providers[name] = providers.get(name, ProviderBlock()).with_problem(
            f"its settings cannot be used: {problem}"
        )
    return config.model_copy(update={"models": config.models.model_copy(update={"providers": providers})})
