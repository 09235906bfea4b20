"""Stores the private connections of gateways, and reads them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, bindparam, delete, insert, or_, select

from clawgate.policy.egress_ledger import LedgerQuery, LedgerRow
from clawgate.state.tables import egress

_DELETE = delete(egress).where(egress.c.id.in_(bindparam("ids", expanding=True)))
_INSERT = insert(egress)


def save(connection: Connection, rows: Sequence[LedgerRow]) -> None:
    """Write rows that are new, and those that have changed in place of what was written of them."""
    connection.execute(_DELETE, {"ids": [row.id for row in rows]})
    connection.execute(_INSERT, [asdict(row) for row in rows])


def find(connection: Connection, query: LedgerQuery) -> Sequence[LedgerRow]:
    """Return rows, newest first."""
    wanted = select(egress).order_by(egress.c.opened_at.desc(), egress.c.id.desc()).limit(query.limit)
    if query.since is not None:
        wanted = wanted.where(egress.c.opened_at >= query.since)
    if query.requester is not None:
        of_kind = egress.c.requester.startswith(f"{query.requester}:", autoescape=True)
        wanted = wanted.where(or_(egress.c.requester == query.requester, of_kind))
    if query.refused:
        wanted = wanted.where(egress.c.verdict != "allowed")
    return [LedgerRow(**row) for row in connection.execute(wanted).mappings()]
