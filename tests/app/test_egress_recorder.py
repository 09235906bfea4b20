from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from clawgate.app.egress_recorder import EgressRecorder
from clawgate.errors import StoreUnavailable
from clawgate.policy.egress.policy import Decision
from clawgate.policy.egress.ranges import AddressKind
from clawgate.policy.egress_ledger import MEMORY, LedgerQuery, LedgerRow
from clawgate.relay.upstream.dial import DialRecord
from clawgate.state.store import Store
from clawgate.wire.http.url import Origin
from tests.e2e.stand import until

ALLOWED = Decision(True, AddressKind.PRIVATE, "the.switch")
REFUSED = Decision(False, AddressKind.METADATA, "metadata addresses are never dialled")
REPORTED = Decision(True, AddressKind.LOOPBACK, "not allowed", reported=True)
PUBLIC = Decision(True, AddressKind.PUBLIC, "public addresses are allowed")


def record(decision: Decision | None, dialled: str | None = None) -> DialRecord:
    addresses = (("93.184.216.34", PUBLIC), ("10.0.0.7", decision)) if decision else ()
    origin = Origin("http", "llm.example", 8000)
    return DialRecord(
        requester="provider:owl", origin=origin, addresses=addresses, dialled=dialled, decision=decision
    )


class Shelf:
    """Stands in the place of the store; it fails as long as ``broken``."""

    name = "the shelf"

    def __init__(self) -> None:
        self.rows: dict[str, LedgerRow] = {}
        self.broken = False
        self.stored = asyncio.Event()

    async def save_connections(self, rows: Sequence[LedgerRow]) -> None:
        await asyncio.sleep(0)
        if self.broken:
            raise StoreUnavailable("it is broken")
        self.rows |= {row.id: row for row in rows}
        self.stored.set()

    async def connections(self, query: LedgerQuery) -> Sequence[LedgerRow]:
        return list(self.rows.values())


@pytest.fixture
def recorder() -> EgressRecorder:
    return EgressRecorder("gw", lambda: 5.0)


def shelf_of(recorder: EgressRecorder) -> Shelf:
    shelf = Shelf()
    recorder.use(cast(Store, cast(Any, shelf)))
    return shelf


async def rows(recorder: EgressRecorder) -> Sequence[LedgerRow]:
    return (await recorder.find(LedgerQuery())).rows


@pytest.mark.parametrize(
    ("decision", "dialled", "verdict", "status", "address"),
    [
        (ALLOWED, "10.0.0.7", "allowed", "open", "10.0.0.7"),
        (REFUSED, None, "refused", "refused", "10.0.0.7"),
        (REPORTED, "127.0.0.1", "reported", "open", "127.0.0.1"),
    ],
)
async def test_a_private_connection_is_a_row(
    recorder: EgressRecorder, decision: Decision, dialled: str | None, verdict: str, status: str, address: str
) -> None:
    on_end = recorder.on_dial(record(decision, dialled))
    assert (on_end is None) is (verdict == "refused")
    (row,) = await rows(recorder)
    assert (row.verdict, row.status, row.address) == (verdict, status, address)
    assert (row.requester, row.url, row.rule) == ("provider:owl", "http://llm.example:8000", decision.rule)


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "127.0.0.1"), ("0177.0.0.1", "127.0.0.1"), ("::1", "::1"), ("localhost", "")],
)
async def test_a_refused_literal_is_its_own_address(
    recorder: EgressRecorder, host: str, address: str
) -> None:
    recorder.on_dial(DialRecord(requester="provider:owl", origin=Origin("http", host, 80), decision=REFUSED))
    (row,) = await rows(recorder)
    assert row.address == address


@pytest.mark.parametrize("decision", [PUBLIC, None])
async def test_a_public_connection_and_a_name_without_address_are_no_rows(
    recorder: EgressRecorder, decision: Decision | None
) -> None:
    assert recorder.on_dial(record(decision, "93.184.216.34")) is None
    assert await rows(recorder) == []


@pytest.mark.parametrize(
    ("was_open", "traffic", "expected"),
    [(True, (7, 9), ("closed", 7, 9)), (True, None, ("closed", None, None)), (False, None, ("failed", None, None))],
)  # fmt: skip
async def test_the_end_of_a_connection_is_in_its_row(
    recorder: EgressRecorder, was_open: bool, traffic: tuple[int, int] | None, expected: tuple[Any, ...]
) -> None:
    on_end = recorder.on_dial(record(ALLOWED, "10.0.0.7"))
    assert on_end is not None
    on_end(was_open, traffic)
    (row,) = await rows(recorder)
    assert (row.status, row.bytes_sent, row.bytes_received) == expected


async def test_what_came_before_the_database_was_open_is_stored_in_it(recorder: EgressRecorder) -> None:
    recorder.on_dial(record(ALLOWED, "10.0.0.7"))
    assert (await recorder.find(LedgerQuery())).source == MEMORY
    shelf = shelf_of(recorder)
    storing = asyncio.create_task(recorder.run())
    await shelf.stored.wait()
    storing.cancel()
    assert (await recorder.find(LedgerQuery())).source == "the shelf"


@pytest.mark.parametrize("first", ["a row", "a listing"])
async def test_the_first_row_or_listing_opens_the_database_once(recorder: EgressRecorder, first: str) -> None:
    opened: list[Shelf] = []

    async def open_store() -> None:
        opened.append(shelf_of(recorder))

    recorder.open_store = open_store
    storing = asyncio.create_task(recorder.run())
    await asyncio.sleep(0)
    assert opened == []
    if first == "a row":
        recorder.on_dial(record(ALLOWED, "10.0.0.7"))
        await until(lambda: bool(opened and opened[0].rows), "the row")
    else:
        assert (await recorder.find(LedgerQuery())).source == "the shelf"
    assert (await recorder.find(LedgerQuery())).source == "the shelf" and len(opened) == 1
    storing.cancel()


async def test_rows_of_a_gateway_that_ends_at_once_are_stored(recorder: EgressRecorder) -> None:
    opened: list[Shelf] = []

    async def open_store() -> None:
        opened.append(shelf_of(recorder))

    recorder.open_store = open_store
    recorder.on_dial(record(REFUSED))
    await recorder.close()
    assert [row.status for row in opened[0].rows.values()] == ["refused"]


async def test_a_database_that_cannot_be_opened_is_not_tried_again_for_rows(recorder: EgressRecorder) -> None:
    tries: list[int] = []

    async def open_store() -> None:
        tries.append(1)
        raise StoreUnavailable("it is broken")

    recorder.open_store = open_store
    recorder.on_dial(record(REFUSED))
    for _ in range(2):
        assert (await recorder.find(LedgerQuery())).source == MEMORY
    assert tries == [1]


async def test_a_row_has_the_path_without_its_query_and_secrets(recorder: EgressRecorder) -> None:
    dial = replace(record(ALLOWED, "10.0.0.7"), target="/hooks/hunter2/run?key=1")
    recorder.on_dial(dial)
    (row,) = await rows(recorder)
    assert row.url == "http://llm.example:8000/hooks/***/run"


async def test_a_database_that_fails_fails_no_request_and_gets_the_row_later(
    recorder: EgressRecorder,
) -> None:
    shelf = shelf_of(recorder)
    shelf.broken = True
    recorder.on_dial(record(ALLOWED, "10.0.0.7"))
    listing = await recorder.find(LedgerQuery())
    assert listing.source == MEMORY and len(listing.rows) == 1
    shelf.broken = False
    assert len(await rows(recorder)) == len(shelf.rows) == 1


async def test_open_connections_are_closed_and_stored_when_the_process_ends(recorder: EgressRecorder) -> None:
    shelf = shelf_of(recorder)
    recorder.on_dial(record(ALLOWED, "10.0.0.7"))
    await recorder.close()
    assert [row.status for row in shelf.rows.values()] == ["closed"]


async def test_rows_that_were_not_stored_in_time_are_said(
    recorder: EgressRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1003):
        recorder.on_dial(record(REFUSED))
    shelf_of(recorder)
    await recorder.find(LedgerQuery())
    assert "3 rows of the ledger were not stored in time" in caplog.text


async def test_what_is_let_through_is_in_the_log(
    recorder: EgressRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        recorder.on_dial(record(REPORTED, "127.0.0.1"))
    assert "let through" in caplog.text and "http://llm.example:8000" in caplog.text
