"""Learns from the running gateway whether requests are sent to its providers; without one, the config has to do.

The gateway is contacted at the moment of the question: what a file says of a child may be past.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clawgate.errors import GatewayUnavailable
from clawgate.processes.instance.daemon import endpoint_of
from clawgate.processes.instance.health_client import HealthCheck, check_health
from clawgate.processes.instance.instance_lock import RunningInstance, find_instance
from clawgate.providers.availability import Availability, provider_error, reported
from clawgate.providers.catalog import Catalog

SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class KnownAvailability:
    """What is known, and how: ``source`` as a phrase."""

    availability: Availability
    based_on: Literal["gateway", "config"]
    source: str


def known_availability(catalog: Catalog, folder: Path, config: Path) -> KnownAvailability:
    """Return the availability of the providers of ``catalog``, which the file ``config`` makes."""
    try:
        running = find_instance(folder)
    except OSError as error:
        return _by_config(catalog, f"whether a gateway runs cannot be seen: {error.strerror}")
    if running is None:
        return _by_config(catalog, "no gateway is running")
    name = f"gateway (pid {running.pid})"
    if running.config is not None and Path(running.config).resolve() != config.resolve():
        return _by_config(catalog, f"the running {name} uses another one: {running.config}")
    found = check_instance(running)
    if not found.ok and not running.is_visible:
        return _by_config(catalog, f"the {name} is not reachable from here: {found.error}")
    return KnownAvailability(availability_of(catalog, running, found), "gateway", f"the running {name}")


def check_instance(running: RunningInstance, seconds: float = SECONDS) -> HealthCheck:
    """Check the health of ``running``, and learn the state of its providers."""
    if running.url is None:
        return HealthCheck(False, 0.0, "it does not serve yet")
    host, port, tls = endpoint_of(running.url)
    return check_health(host, port, seconds=seconds, instance=running.instance, key=running.key, tls=tls)


def availability_of(catalog: Catalog, running: RunningInstance, found: HealthCheck) -> Availability:
    """Return what ``running`` reported when it was checked; nothing is available where it did not respond."""
    if not found.ok:
        error = GatewayUnavailable(f"the gateway (pid {running.pid}) does not respond: {found.error}")
        return Availability(catalog, lambda provider: error)
    document = (found.body or {}).get("providers")
    return Availability(catalog, reported(document) if isinstance(document, dict) else provider_error)


def _by_config(catalog: Catalog, why: str) -> KnownAvailability:
    return KnownAvailability(Availability(catalog, provider_error), "config", f"the config alone; {why}")
