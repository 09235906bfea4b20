"""The response to `connect` lists what there is, and shows paths of this machine to an administrator alone."""

from __future__ import annotations

from clawgate.control.websocket.clients import Client
from clawgate.control.websocket.hello import hello_ok
from clawgate.control.websocket.methods.table import METHODS
from clawgate.relay.websocket import MESSAGE_BYTES, UNSENT_BYTES
from tests.control.websocket.fake_socket import gateway


def client(*scopes: str) -> Client:
    return Client(
        conn_id="c1", caller="token", scopes=frozenset(scopes), caps=frozenset(), send=lambda frame: None
    )


def test_the_limits_are_those_of_the_transport() -> None:
    hello = hello_ok(gateway(), client("operator.read"), METHODS.values())
    assert hello["policy"] == {
        "maxPayload": MESSAGE_BYTES, "maxBufferedBytes": UNSENT_BYTES, "tickIntervalMs": 30_000,
    }  # fmt: skip


def test_no_method_or_event_of_agents_is_listed_while_they_are_off() -> None:
    features = hello_ok(gateway(), client("operator.read"), METHODS.values())["features"]
    assert isinstance(features, dict)
    assert "health" in features["methods"] and "chat.send" not in features["methods"]
    assert features["events"] == ["connect.challenge", "tick", "shutdown"]


def test_paths_are_for_an_administrator() -> None:
    reader = hello_ok(gateway(), client("operator.write"), METHODS.values())
    assert "/state" not in repr(reader)
    admin = hello_ok(gateway(), client("operator.admin"), METHODS.values())["snapshot"]
    assert isinstance(admin, dict) and admin["configPath"] == "/state/openclaw.json"


def test_the_rights_are_listed_in_one_order() -> None:
    hello = hello_ok(gateway(), client("operator.write", "operator.read"), METHODS.values())
    assert hello["auth"] == {"role": "operator", "scopes": ["operator.read", "operator.write"]}
