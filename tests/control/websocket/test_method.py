"""What a call sees of the gateway."""

from __future__ import annotations

import pytest

from clawgate.control.websocket.clients import Client
from clawgate.control.websocket.method import Call
from clawgate.errors import InvalidRequest
from tests.control.websocket.fake_socket import gateway


def test_a_call_that_needs_agents_names_the_switch_once_they_are_off() -> None:
    """Also one that began before."""
    client = Client(conn_id="c", caller="t", scopes=frozenset(), caps=frozenset(), send=lambda frame: None)
    call = Call(client=client, gateway=gateway(), respond=lambda payload: None)
    with pytest.raises(InvalidRequest, match=r"gateway\.http\.endpoints\.chatCompletions\.enabled"):
        _ = call.agents


def test_the_uptime_is_never_negative() -> None:
    assert gateway().uptime_ms == 5000
    assert gateway(now_ms=lambda: 0).uptime_ms == 0
