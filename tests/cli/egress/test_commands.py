"""`clawgate egress list` and `tail` show the private connections of the gateway."""

from __future__ import annotations

import asyncio
import json

import pytest

from clawgate.cli.egress.commands import _news
from clawgate.policy.egress_ledger import LedgerRow
from clawgate.state.store import open_store
from tests.cli.stored_runs import StateHome
from tests.state.runs import Clock
from tests.state.test_egress import row

ROWS = (
    row("1", bytes_sent=10, bytes_received=20, status="closed", closed_at=1_800_000_001.0),
    row("2", opened_at=1_800_000_002.0, requester="tool:web_fetch", verdict="refused", status="refused"),
    row("3", opened_at=1_800_000_003.0, requester="provider:other", verdict="reported"),
)


def store(state: StateHome, *rows: LedgerRow) -> None:
    async def write() -> None:
        opened = await open_store(state.database, clock=Clock())
        await opened.save_connections(rows)
        await opened.close()

    asyncio.run(write())


def test_what_the_database_has_is_listed_without_a_gateway(state: StateHome) -> None:
    store(state, *ROWS)
    for arguments in (["egress"], ["egress", "list"]):
        found = state.run(*arguments)
        assert found.exit_code == 0 and "no gateway runs" in found.stderr
        lines = found.stdout.splitlines()
        assert lines[0].split()[:4] == ["Time", "Requester", "URL", "Address"]
        assert [line.split()[2] for line in lines[1:]] == ["provider:other", "tool:web_fetch", "provider:owl"]
        assert "10/20" in lines[3] and "let through (report)" in lines[1]


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--refused"], ["3", "2"]),
        (["--requester", "provider"], ["3", "1"]),
        (["--requester", "tool:web_fetch"], ["2"]),
        (["--since", "2027-01-15T08:00:02"], ["3", "2"]),
        (["--limit", "1"], ["3"]),
    ],
)
def test_list_filters(state: StateHome, options: list[str], ids: list[str]) -> None:
    store(state, *ROWS)
    output = json.loads(state.run("egress", "list", *options, "--json").stdout)
    assert [one["id"] for one in output["rows"]] == ids and output["count"] == len(ids)


def test_a_connection_for_programs(state: StateHome) -> None:
    store(state, ROWS[0])
    (one,) = json.loads(state.run("egress", "--json").stdout)["rows"]
    assert one == {
        "id": "1",
        "at": "2027-01-15T08:00:00.250+00:00",
        "requester": "provider:owl",
        "url": "http://10.0.0.7:8000",
        "address": "10.0.0.7",
        "kind": "private",
        "rule": "models.providers.owl.request.allowPrivateNetwork",
        "verdict": "allowed",
        "status": "closed",
        "closedAt": "2027-01-15T08:00:01.000+00:00",
        "bytesSent": 10,
        "bytesReceived": 20,
    }


def test_whether_a_connection_is_open_is_not_known_of_a_gateway_that_is_gone(state: StateHome) -> None:
    store(state, ROWS[2])
    (one,) = json.loads(state.run("egress", "--json").stdout)["rows"]
    assert one["status"] == "unknown"


def test_where_there_is_nothing_that_is_said_and_no_database_made(state: StateHome) -> None:
    found = state.run("egress")
    assert (found.exit_code, found.stdout) == (0, "No private connections\n")
    assert "no gateway runs, and there is no database yet" in found.stderr and not state.database.exists()


def test_a_row_is_news_when_it_begins_and_when_it_ends() -> None:
    shown: dict[str, str] = {}
    first, second = row("1"), row("2")
    assert list(_news([second, first], shown)) == [first, second]
    assert list(_news([second, first], shown)) == []
    ended = row("1", status="closed")
    assert list(_news([row("3"), second, ended], shown)) == [ended, row("3")]
