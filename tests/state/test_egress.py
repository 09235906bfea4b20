from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clawgate.policy.egress_ledger import LedgerQuery, LedgerRow
from clawgate.state.store import Store


def row(id_: str, **changes: Any) -> LedgerRow:
    values: dict[str, Any] = {
        "id": id_,
        "instance": "gw",
        "opened_at": 1_800_000_000.25,
        "requester": "provider:owl",
        "url": "http://10.0.0.7:8000",
        "address": "10.0.0.7",
        "kind": "private",
        "rule": "models.providers.owl.request.allowPrivateNetwork",
        "verdict": "allowed",
        "status": "open",
    }
    return LedgerRow(**values | changes)


async def test_a_connection_is_one_row_before_and_after_its_end(store: Store) -> None:
    opened = row("a")
    await store.save_connections([opened])
    closed = replace(opened, status="closed", closed_at=1_800_000_001.0, bytes_sent=2**40, bytes_received=0)
    await store.save_connections([closed, row("b")])
    assert await store.connections(LedgerQuery()) == [row("b"), closed]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (LedgerQuery(), "dcba"),
        (LedgerQuery(limit=2), "dc"),
        (LedgerQuery(since=2.0), "dcb"),
        (LedgerQuery(requester="tool"), "cb"),
        (LedgerQuery(requester="tool:image"), "c"),
        (LedgerQuery(requester="too"), ""),
        (LedgerQuery(requester="t%"), ""),
        (LedgerQuery(refused=True), "db"),
        (LedgerQuery(refused=True, requester="tool", since=2.5), ""),
    ],
)
async def test_a_query_finds_the_same_in_the_database_as_in_memory(
    store: Store, query: LedgerQuery, expected: str
) -> None:
    rows = [
        row("a", opened_at=1.0),
        row("b", opened_at=2.0, requester="tool:web_fetch", verdict="refused"),
        row("c", opened_at=3.0, requester="tool:image"),
        row("d", opened_at=4.0, requester="server", verdict="reported"),
    ]
    await store.save_connections(rows)
    assert "".join(one.id for one in await store.connections(query)) == expected
    assert "".join(one.id for one in reversed(rows) if query.matches(one))[: query.limit] == expected
