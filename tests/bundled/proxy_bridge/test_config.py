"""The addresses of the bridge; its settings are those of ``clawgate bridge run``."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from clawgate.bundled.proxy_bridge.config import (
    has_own_route,
    is_the_bridge,
    is_this_machine,
    models_problem,
    models_url,
    origin,
)
from clawgate.plugins.api import BridgeSettings

NEEDED = {"remoteUrl": "https://proxy.example.com", "proxyToken": "tok-Xc82Lm"}


def test_only_some_settings_give_the_bridge_a_route_of_its_own() -> None:
    assert not has_own_route(BridgeSettings.model_validate(NEEDED | {"idleTimeout": 5}))
    for more in ({"caFile": "x.pem"}, {"upstreamProxy": "http://p:1"}):
        assert has_own_route(BridgeSettings.model_validate(NEEDED | more))


def test_a_weak_token_is_rejected_with_the_config() -> None:
    with pytest.raises(ValidationError, match="shorter than 16"):
        BridgeSettings.model_validate(NEEDED | {"bridgeToken": "short"})


@pytest.mark.parametrize(
    ("url", "is_it"),
    [
        ("http://127.0.0.1:18800", True),
        ("http://127.0.0.1:18800/v1", True),
        ("http://LocalHost:18800/", True),
        ("http://[::1]:18800", True),
        ("http://0.0.0.0:18800", True),
        ("http://127.8.8.8:18800", True),
        ("http://127.0.0.1:8089", False),
        ("http://192.0.2.7:18800", False),
        ("https://proxy.example.com", False),
        ("http://127.0.0.1:abc", False),
    ],
)
def test_the_bridge_itself_is_known_by_every_name_of_this_machine(url: str, is_it: bool) -> None:
    assert is_the_bridge(url, 18800) is is_it


def test_the_usual_port_of_a_scheme_counts() -> None:
    assert is_the_bridge("http://localhost", 80) and not is_the_bridge("https://localhost", 80)


def test_a_remote_url_with_and_without_v1_is_the_same_remote() -> None:
    for url in ("https://x/a", "https://x/a/", "https://x/a/v1", "https://x/a/v1/"):
        assert models_url(url) == "https://x/a/v1/models"


def test_a_bridge_that_listens_everywhere_is_asked_here() -> None:
    assert origin("0.0.0.0", 1) == "http://127.0.0.1:1" and origin("::", 1) == "http://[::1]:1"
    assert is_this_machine("::1") and not is_this_machine("example.com")


def test_what_is_no_id_of_a_model_is_told() -> None:
    assert models_problem("gpt-4o, o3:high, org/model@1") is None
    assert "'two words'" in (models_problem("a, two words") or "")
