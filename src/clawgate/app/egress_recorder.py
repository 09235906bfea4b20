"""Records the private connections of one gateway: in memory, and in the state database while agents have it open.

Law: no request waits for a row, or fails with it. What is not stored in time is counted, and logged.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from clawgate.errors import GatewayError
from clawgate.policy.egress.address import parse_literal
from clawgate.policy.egress.policy import check_host
from clawgate.policy.egress.ranges import AddressKind
from clawgate.policy.egress_ledger import MEMORY, EgressLedger, LedgerQuery, Listing, Verdict
from clawgate.policy.shown_path import shown_path
from clawgate.providers.provider import Provider
from clawgate.relay.upstream.dial import Dialer, DialRecord
from clawgate.relay.upstream.traffic import OnEnd, Traffic

if TYPE_CHECKING:
    from clawgate.state.store import Store

BATCH = 100
_TURNS = 3
"""After so many turns of the loop every connection that was closed, also one over TLS, has reported its end."""
_RETRY_SECONDS = 5.0
_PAUSE_SECONDS = 0.05
"""Between two writes, so that many refusals become few transactions."""

OpenStore = Callable[[], Awaitable[object]]

logger = logging.getLogger("clawgate.egress")


class EgressRecorder:
    """The sink of a dialer. ``clock`` returns UNIX time."""

    def __init__(self, instance: str, clock: Callable[[], float]) -> None:
        self.ledger = EgressLedger(instance)
        self.open_store: OpenStore | None = None
        """Opens the database, and passes it to `use`; None where there is none."""
        self._clock = clock
        self._store: Store | None = None
        self._changed = asyncio.Event()
        self._logged = 0
        self.ledger.on_change = self._changed.set

    def on_dial(self, record: DialRecord) -> OnEnd | None:
        """Record a dial, or a refusal. Returns what records the end of a private connection."""
        decision = record.decision
        if decision is None:  # its name could not be resolved
            return None
        verdict: Verdict = (
            "refused" if not decision.allowed else "reported" if decision.reported else "allowed"
        )
        self.ledger.count(record.requester, verdict, decision.kind)
        if decision.kind is AddressKind.PUBLIC and verdict == "allowed":
            return None
        row = self.ledger.add(
            now=self._clock(),
            requester=record.requester,
            url=f"{record.origin}{shown_path(record.target)}",
            address=_address(record),
            kind=decision.kind,
            rule=decision.rule,
            verdict=verdict,
        )
        if verdict == "reported":
            logger.warning(
                "egress refused in report-only mode, and let through requester=%s url=%s address=%s rule=%s",
                row.requester, row.url, row.address, row.rule,
            )  # fmt: skip
        if verdict == "refused":
            return None

        def on_end(was_open: bool, traffic: Traffic) -> None:
            sent, received = traffic or (None, None)
            self.ledger.end(
                row, "closed" if was_open else "failed", now=self._clock(), sent=sent, received=received
            )

        return on_end

    def on_refused(self, provider: Provider) -> None:
        """A request was not sent to ``provider``. Record that if it is for its address, which was not resolved."""
        if provider.origin is None or provider.proxy is not None:
            return
        policy = provider.egress_policy()
        decision = check_host(provider.origin, policy)
        if not decision.allowed:
            refused = DialRecord(
                requester=policy.requester, origin=provider.origin, target=provider.path, decision=decision
            )
            self.on_dial(refused)

    def use(self, store: Store) -> None:
        """Store in this database from now on, beginning with what is in memory."""
        self._store = store
        self._changed.set()

    async def run(self) -> None:
        """Store what changes, until it is cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._open()
            if self._store is not None and not await self._flush(self._store):
                await asyncio.sleep(_RETRY_SECONDS)
                self._changed.set()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _open(self) -> None:
        """Open the database for the first row, once: where that fails, the next run of an agent tries it again."""
        open_store, self.open_store = self.open_store, None
        if self._store is None and open_store is not None:
            with contextlib.suppress(GatewayError):  # it is logged
                await open_store()

    async def _flush(self, store: Store) -> bool:
        """Store what is not stored yet. Returns False if that has to be tried again."""
        if (dropped := self.ledger.dropped) > self._logged:
            logger.warning("egress: %d rows of the ledger were not stored in time", dropped - self._logged)
            self._logged = dropped
        while rows := self.ledger.unsaved(BATCH):
            try:
                await store.save_connections(rows)
            except GatewayError as error:
                logger.debug("egress: rows are not stored yet: %s", error.message)
                return False
            self.ledger.saved(rows)
        return True

    async def close(self) -> None:
        """Store the rest; the database is closed afterwards."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self.ledger.close(self._clock())
        if self.ledger.unsaved(1):
            await self._open()
        store, self._store = self._store, None
        if store is not None:
            await self._flush(store)

    async def find(self, query: LedgerQuery) -> Listing:
        """Return rows, newest first: of the database where it is open, else of this process since it began."""
        await self._open()
        store = self._store
        if store is not None and await self._flush(store):
            try:
                return Listing(await store.connections(query), store.name)
            except GatewayError as error:
                logger.debug("egress: the database cannot be read: %s", error.message)
        return Listing(self.ledger.find(query), MEMORY)


def record_dials(dialer: Dialer, instance: str) -> EgressRecorder:
    """Return what records the dials from now on; they are still reported as before."""
    recorder, report = EgressRecorder(instance, time.time), dialer.on_dial

    def on_dial(record: DialRecord) -> OnEnd | None:
        report(record)
        return recorder.on_dial(record)

    dialer.on_dial = on_dial
    return recorder


def _address(record: DialRecord) -> str:
    """Return the address that was dialled or refused; "" for a name that was refused before it was resolved."""
    refused = (text for text, one in record.addresses if one == record.decision)
    return record.dialled or next(refused, str(parse_literal(record.origin.host) or ""))
