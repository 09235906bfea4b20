"""Keeps the latest private connections of this process in memory, and which of them are still to be stored.

One row per connection to an address that is not public, and one per refusal. Must not read a clock: ``now`` is in UNIX
seconds. Law: a row has no query, user or password of a URL; its memory is bounded, and a row that had to go before it
was stored is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from clawgate.policy.printable import escape_controls

SIZE = 1000
"""Rows in memory."""
MOST_ROWS = 1000
"""Rows of one listing."""

Verdict = Literal["allowed", "refused", "reported"]
"""``reported``: refused, but let through since ``network.mode`` is "report"."""
Status = Literal["open", "closed", "failed", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """``instance`` is the run of the gateway that has the connection; ``address`` is "" where none was found.

    ``closed_at`` is None while it is open, and for ever where its process was killed; bytes are None where they are not
    known.
    """

    id: str
    instance: str
    opened_at: float
    requester: str
    url: str
    address: str
    kind: str
    rule: str
    verdict: Verdict
    status: Status
    closed_at: float | None = None
    bytes_sent: int | None = None
    bytes_received: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerQuery:
    """Which rows are wanted; ``requester`` is one, or the beginning of several up to its ":"."""

    since: float | None = None
    requester: str | None = None
    refused: bool = False
    limit: int = MOST_ROWS

    def matches(self, row: LedgerRow) -> bool:
        return (
            (self.since is None or row.opened_at >= self.since)
            and (self.requester is None or self.requester in (row.requester, kind_of(row.requester)))
            and (not self.refused or row.verdict != "allowed")
        )


MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Listing:
    """``source`` is `MEMORY`, or the name of the database."""

    rows: Sequence[LedgerRow]
    source: str


def kind_of(requester: str) -> str:
    """Return what kind of requester it is: "provider" of "provider:openai"."""
    return requester.partition(":")[0]


class EgressLedger:
    """``instance`` identifies this run of the program. ``on_change`` is called when there is something to store."""

    def __init__(self, instance: str, *, size: int = SIZE) -> None:
        self.instance = instance
        self.on_change: Callable[[], None] = lambda: None
        self.dropped = 0
        """Rows that are neither in memory nor stored."""
        self.counts: Counter[tuple[str, str, str]] = Counter()
        """Connections and refusals, those to public addresses too, by kind of requester, verdict, kind of address."""
        self._size = size
        self._rows: dict[str, LedgerRow] = {}
        self._unsaved: dict[str, LedgerRow] = {}
        self._open: dict[str, LedgerRow] = {}
        self._number = 0

    def count(self, requester: str, verdict: Verdict, kind: str) -> None:
        self.counts[kind_of(requester), verdict, kind] += 1

    def add(
        self,
        *,
        now: float,
        requester: str,
        url: str,
        address: str,
        kind: str,
        rule: str,
        verdict: Verdict,
    ) -> LedgerRow:
        self._number += 1
        row = LedgerRow(
            id=f"{self.instance}-{self._number}",
            instance=self.instance,
            opened_at=now,
            requester=escape_controls(requester),
            url=escape_controls(url),
            address=escape_controls(address),
            kind=kind,
            rule=escape_controls(rule),
            verdict=verdict,
            status="refused" if verdict == "refused" else "open",
            closed_at=now if verdict == "refused" else None,
        )
        if verdict != "refused":
            self._open[row.id] = row
        self._put(row)
        return row

    def end(
        self, row: LedgerRow, status: Status, *, now: float, sent: int | None, received: int | None
    ) -> None:
        """A connection ended, or could not be opened. Its second end changes nothing."""
        if self._open.pop(row.id, None) is not None:
            self._put(replace(row, status=status, closed_at=now, bytes_sent=sent, bytes_received=received))

    def close(self, now: float) -> None:
        """This process ends, and its connections with it."""
        for row in list(self._open.values()):
            self.end(row, "closed", now=now, sent=None, received=None)

    def _put(self, row: LedgerRow) -> None:
        for rows in (self._rows, self._unsaved):
            rows[row.id] = row
        if len(self._rows) > self._size:
            del self._rows[next(iter(self._rows))]
        if len(self._unsaved) > self._size:
            del self._unsaved[next(iter(self._unsaved))]
            self.dropped += 1
        self.on_change()

    def unsaved(self, limit: int) -> Sequence[LedgerRow]:
        """Return some of the rows that are new, or changed since they were stored."""
        return list(self._unsaved.values())[:limit]

    def saved(self, rows: Sequence[LedgerRow]) -> None:
        """These are stored, as they are here."""
        for row in rows:
            if self._unsaved.get(row.id) is row:
                del self._unsaved[row.id]

    def find(self, query: LedgerQuery) -> Sequence[LedgerRow]:
        """Return the rows in memory, newest first."""
        found = [row for row in self._rows.values() if query.matches(row)]
        return sorted(found, key=lambda row: row.opened_at, reverse=True)[: query.limit]
