"""Finds the ledger: of the running gateway, else of the database, else there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clawgate.cli.context import LoadedConfig
from clawgate.cli.errors import fail
from clawgate.cli.running import find_running
from clawgate.cli.state_database import chosen_database, with_store
from clawgate.policy.egress_ledger import MEMORY, LedgerQuery, LedgerRow
from clawgate.processes.instance.egress_client import EgressCallFailed, read_egress
from clawgate.processes.instance.instance_lock import RunningInstance

NOTHING = "no gateway runs, and there is no database yet"


@dataclass(frozen=True, slots=True)
class FoundRows:
    """``source`` says where they are from; ``instance`` is the run of the gateway that is under way, if one is."""

    rows: Sequence[LedgerRow]
    source: str
    instance: str | None = None


def serving(loaded: LoadedConfig) -> RunningInstance | None:
    """Return the gateway of this state folder, if it serves."""
    running = find_running(loaded.paths)
    return running if running is not None and running.url is not None else None


def find_rows(loaded: LoadedConfig, query: LedgerQuery) -> FoundRows:
    """Return rows, newest first. A gateway that does not say ends the command."""
    running = serving(loaded)
    if running is None:
        chosen = chosen_database(loaded)
        if chosen.file is not None and not chosen.file.exists():
            return FoundRows((), NOTHING)
        nothing: Sequence[LedgerRow] = ()
        stored = with_store(loaded, lambda store: store.connections(query), absent=nothing)
        return FoundRows(stored, f"the database {chosen.name}; no gateway runs")
    found = ask(running, "/egress", _params(query))
    place = "since it began" if found.get("source") == MEMORY else f"and the database {found.get('source')}"
    rows = [LedgerRow(**row) for row in found.get("rows") or ()]
    return FoundRows(rows, f"the running gateway (pid {running.pid}), {place}", running.instance)


def ask(running: RunningInstance, path: str, params: Mapping[str, str]) -> dict[str, Any]:
    """Return what the running gateway says; what fails there ends the command."""
    try:
        return read_egress(running, path, params)
    except EgressCallFailed as failure:
        fail(f"the gateway (pid {running.pid}): {failure}")


def _params(query: LedgerQuery) -> dict[str, str]:
    params = {"limit": str(query.limit)}
    if query.since is not None:
        params["since"] = repr(query.since)
    if query.requester is not None:
        params["requester"] = query.requester
    if query.refused:
        params["refused"] = "1"
    return params
