from __future__ import annotations

import pytest
from sqlalchemy import LargeBinary, Table

from clawgate.state.tables import egress, metadata, sessions, turns

TABLES = list(metadata.sorted_tables)
named = pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.name))


@pytest.mark.parametrize(
    "table", [table for table in TABLES if table is not egress], ids=lambda table: str(table.name)
)
def test_every_table_has_the_caller(table: Table) -> None:
    """But the connections, which callers share."""
    assert "caller" in table.c and not table.c.caller.nullable


@pytest.mark.parametrize("table", [sessions, turns], ids=lambda table: str(table.name))
def test_a_session_is_identified_by_its_caller_and_its_key(table: Table) -> None:
    assert [column.name for column in table.primary_key][:2] in (["caller", "key"], ["caller", "session"])


@named
def test_nothing_is_a_pickled_object(table: Table) -> None:
    """Transcripts are JSON text; the one column of bytes is a response as it was sent."""
    binary = {column.name for column in table.c if isinstance(column.type, LargeBinary)}
    assert binary == ({"body"} if table.name == "idempotency" else set())
