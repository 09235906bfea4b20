from __future__ import annotations

from dataclasses import replace

from clawgate.policy.egress_ledger import EgressLedger, LedgerQuery, LedgerRow, Verdict


def add(ledger: EgressLedger, now: float, verdict: Verdict = "allowed") -> LedgerRow:
    return ledger.add(
        now=now,
        requester="provider:owl",
        url="http://10.0.0.7:8000",
        address="10.0.0.7",
        kind="private",
        rule="network.allow 10.0.0.0/8",
        verdict=verdict,
    )


def test_a_connection_is_one_row_from_its_beginning_to_its_end() -> None:
    ledger = EgressLedger("gw")
    row = add(ledger, 1.0)
    assert ledger.find(LedgerQuery()) == [row] and row.status == "open" and row.closed_at is None
    ledger.end(row, "closed", now=3.0, sent=10, received=20)
    closed = replace(row, status="closed", closed_at=3.0, bytes_sent=10, bytes_received=20)
    assert ledger.find(LedgerQuery()) == [closed]


def test_a_refusal_is_over_at_once() -> None:
    row = add(EgressLedger("gw"), 1.0, "refused")
    assert (row.status, row.closed_at) == ("refused", 1.0)


def test_memory_keeps_the_newest_rows_and_counts_what_was_not_stored() -> None:
    ledger = EgressLedger("gw", size=3)
    rows = [add(ledger, float(number)) for number in range(5)]
    assert ledger.find(LedgerQuery()) == rows[:1:-1] and ledger.dropped == 2
    assert ledger.find(LedgerQuery(limit=1)) == rows[-1:]


def test_a_row_that_was_stored_in_time_is_not_counted_as_dropped() -> None:
    ledger = EgressLedger("gw", size=3)
    for number in range(5):
        add(ledger, float(number))
        ledger.saved(ledger.unsaved(10))
    assert ledger.dropped == 0 and len(ledger.find(LedgerQuery())) == 3


def test_a_row_that_changes_while_it_is_stored_is_stored_once_more() -> None:
    ledger = EgressLedger("gw")
    row = add(ledger, 1.0)
    being_stored = ledger.unsaved(10)
    ledger.end(row, "closed", now=2.0, sent=1, received=1)
    ledger.saved(being_stored)
    assert [one.status for one in ledger.unsaved(10)] == ["closed"]


def test_every_change_is_announced() -> None:
    ledger, changes = EgressLedger("gw"), list[None]()
    ledger.on_change = lambda: changes.append(None)
    row = add(ledger, 1.0)
    ledger.end(row, "failed", now=2.0, sent=None, received=None)
    assert len(changes) == 2


def test_connections_are_counted_by_bounded_labels() -> None:
    ledger = EgressLedger("gw")
    for name in range(3):
        ledger.count(f"provider:{name}", "allowed", "public")
    ledger.count("tool:web_fetch", "refused", "metadata")
    assert ledger.counts == {("provider", "allowed", "public"): 3, ("tool", "refused", "metadata"): 1}
    assert ledger.find(LedgerQuery()) == []


def test_the_second_end_of_a_connection_changes_nothing() -> None:
    ledger = EgressLedger("gw")
    row, refused = add(ledger, 1.0), add(ledger, 2.0, "refused")
    ledger.end(row, "closed", now=3.0, sent=10, received=20)
    before = ledger.find(LedgerQuery())
    for one in (row, refused):
        ledger.end(one, "failed", now=4.0, sent=None, received=None)
    assert ledger.find(LedgerQuery()) == before


def test_a_row_has_no_control_characters() -> None:
    hostile = "a\x1b[2J\nb"
    row = EgressLedger("gw").add(
        now=1.0,
        requester=hostile,
        url=hostile,
        address=hostile,
        kind="private",
        rule=hostile,
        verdict="refused",
    )
    assert all(text.isprintable() for text in (row.requester, row.url, row.address, row.rule))
