"""A provider that leads elsewhere than to the bridge is told; what cannot be told is taken to fit."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.bundled.proxy_bridge.config import ID
from clawgate.bundled.proxy_bridge.config_check import diagnostics
from clawgate.bundled.proxy_bridge.provider import BridgeProvider
from clawgate.plugins.api import BridgeSettings, ChecksConfig
from tests.bundled.proxy_bridge.host import LOCAL_TOKEN, TOKEN


def told(provider: dict[str, Any], **config: Any) -> list[str]:
    settings = BridgeSettings.model_validate(
        {"remoteUrl": "https://remote.test", "proxyToken": TOKEN, **config}
    )
    file = {"models": {"providers": {ID: provider}}, "plugins": {"entries": {ID: {"config": config}}}}
    found = diagnostics(file, settings)
    assert all(LOCAL_TOKEN not in str(note) for note in found)
    return [f"{note.path[-1]}: {note.message}: {note.fix}" for note in found]


@pytest.mark.parametrize(
    ("url", "config"),
    [
        ("http://127.0.0.1:18800/v1", {}),
        ("http://LOCALHOST:18801/v1", {"bridgePort": 18801}),
        ("http://127.0.0.1:18800/v1", {"host": "localhost"}),
        ("http://192.0.2.7:18800/v1", {"host": "0.0.0.0"}),
        ("http://[::1]:18800/v1", {"host": "::1"}),
        ("http://127.0.0.1:${PORT}/v1", {"bridgePort": 18801}),
        ("http://127.0.0.1:99999/v1", {}),
        ("127.0.0.1", {}),
        (None, {"bridgePort": 0}),
    ],
)
def test_what_leads_there_or_cannot_be_told_fits(url: str | None, config: dict[str, Any]) -> None:
    assert told({"baseUrl": url}, **config) == []


@pytest.mark.parametrize(
    ("url", "config", "says"),
    [
        ("http://127.0.0.1:18801/v1", {}, "set it to http://127.0.0.1:18800/v1, or bridgePort to 18801"),
        ("http://127.0.0.1:18800/v1", {"bridgePort": 18801}, "leads to 127.0.0.1:18800, but the bridge listens at"),
        ("http://[::1]:18800/v1", {}, "leads to ::1:18800"),
        ("https://localhost/v1", {}, "leads to localhost:443"),
        ("http://127.0.0.1:18800/v1", {"bridgePort": 0}, "bridgePort: the bridge takes any free port (0)"),
    ],
)  # fmt: skip
def test_what_leads_elsewhere_does_not(url: str, config: dict[str, Any], says: str) -> None:
    (one,) = told({"baseUrl": url}, **config)
    assert says in one


@pytest.mark.parametrize(
    ("key", "token", "fits"),
    [
        ("bridge", LOCAL_TOKEN, False),
        (None, LOCAL_TOKEN, False),
        ("another-3Gm7QwXz9NcVt5Hr", LOCAL_TOKEN, False),
        (LOCAL_TOKEN, LOCAL_TOKEN, True),
        ("${PROXY_BRIDGE_LOCAL_TOKEN}", LOCAL_TOKEN, True),
        ({"source": "env", "id": "X"}, LOCAL_TOKEN, True),
        ("bridge", None, True),
    ],
)
def test_a_bridge_that_wants_a_token_gets_the_same(key: object, token: str | None, fits: bool) -> None:
    provider = {"baseUrl": "http://127.0.0.1:18800/v1"} | ({} if key is None else {"apiKey": key})
    found = told(provider, **({"bridgeToken": token} if token else {}))
    assert (found == []) is fits and all("set both to the same value" in one for one in found)


def test_another_way_to_give_the_token_is_not_judged() -> None:
    provider = {"baseUrl": "http://127.0.0.1:18800/v1", "request": {"auth": {"mode": "header"}}}
    assert told(provider, bridgeToken=LOCAL_TOKEN) == []


def test_without_a_provider_there_is_nothing_to_fit() -> None:
    settings = BridgeSettings.model_validate(
        {"remoteUrl": "https://remote.test", "proxyToken": TOKEN, "bridgeToken": LOCAL_TOKEN}
    )
    assert diagnostics({}, settings) == [] and isinstance(BridgeProvider(), ChecksConfig)
