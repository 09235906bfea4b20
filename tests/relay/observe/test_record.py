"""A record says how an exchange went and has no place for what was said in it."""

from __future__ import annotations

import dataclasses

import pytest

from clawgate.errors import ClientLeft
from clawgate.relay.observe.record import CLIENT_LEFT, RequestRecord
from clawgate.relay.response.error_response import TABLE


def test_a_record_has_no_room_for_content() -> None:
    """Neither bodies nor headers nor the query: a new field has to be argued for here."""
    assert [field.name for field in dataclasses.fields(RequestRecord)] == [
        "method", "path", "caller", "model", "status", "code", "sent", "first_byte", "total", "reason", "served",
    ]  # fmt: skip


def test_a_record_cannot_be_changed_by_an_observer() -> None:
    record = RequestRecord(b"GET", b"/", "-", None, 200, None, 0, None, 0.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.status = 500  # type: ignore[misc]


def test_the_number_for_a_client_that_left_is_used_for_nothing_else() -> None:
    """Log readers know it from nginx; nobody is there to whom it could be sent."""
    assert CLIENT_LEFT == 499
    assert [kind for kind, (status, _) in TABLE.items() if status == CLIENT_LEFT] == [ClientLeft]
