"""The client is read again when the last reason to wait is gone."""

from __future__ import annotations

from clawgate.relay.exchange.flow_control import BODY_BUDGET, FREE, NO_CONNECTION, UPSTREAM_WRITE, FlowControl
from tests.relay.fakes import FakeClient


def test_a_client_is_read_again_when_no_reason_is_left() -> None:
    client = FakeClient()
    flow = FlowControl(client)
    flow.pause_client(UPSTREAM_WRITE)
    flow.pause_client(BODY_BUDGET)
    assert (client.reading, flow.upstream_write_paused) == (False, True)
    flow.resume_client(UPSTREAM_WRITE)
    assert (client.reading, flow.upstream_write_paused) == (False, False)
    flow.resume_client(BODY_BUDGET)
    assert (client.reading, flow.reasons) == (True, 0)


def test_a_reason_that_was_not_there_resumes_nothing_that_others_paused() -> None:
    client = FakeClient()
    flow = FlowControl(client)
    flow.pause_client(UPSTREAM_WRITE)
    flow.resume_client(NO_CONNECTION)
    assert not client.reading


def test_the_shared_one_stays_as_it_is() -> None:
    assert (FREE.reasons, FREE.client_write_paused, FREE.upstream_write_paused) == (0, False, False)
