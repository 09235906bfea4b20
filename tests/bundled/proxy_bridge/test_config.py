"""The bridge in the gateway is set as the bridge on its own is: no key, default or variable differs."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from clawgate.bundled.proxy_bridge.config import (
    BridgeConfig,
    is_here,
    is_the_bridge,
    models_url,
    origin,
    why_no_models,
)
from clawgate.settings.roles.bridge import BridgeSettings

NEEDED = {"remoteUrl": "https://proxy.example.com", "proxyToken": "tok-Xc82Lm"}


def told(field: FieldInfo) -> tuple[Any, ...]:
    return field.alias, field.default, field.description, field.json_schema_extra, field.exclude


def test_every_setting_is_the_one_of_clawgate_bridge_run() -> None:
    ours = {name: told(field) for name, field in BridgeConfig.model_fields.items()}
    theirs = {name: told(field) for name, field in BridgeSettings.model_fields.items()}
    assert ours == theirs


@pytest.mark.parametrize(
    "more",
    [
        {}, {"bridgePort": 0}, {"bridgePort": 70000}, {"bridgePort": True}, {"host": "::1"}, {"verbose": True},
        {"remoteUrl": "ftp://x"}, {"remoteUrl": "https://u:p@x"}, {"proxyToken": "${X}"}, {"proxyToken": ""},
        {"maxBodyMb": 0}, {"maxBodyMb": True}, {"maxBodyMb": 32}, {"idleTimeout": 0}, {"idleTimeout": 5},
        {"allowHost": "a, b"}, {"allowHost": ["a,b", "c"]}, {"allowHost": ","}, {"allowOrigin": [1]},
        {"models": ["a", {"id": "b"}]}, {"unheard": 1}, {"bridgeToken": "wOrXc82LmQz91-long"}, {"models": "a"},
        {"upstreamProxy": "http://127.0.0.1:3128"}, {"upstreamProxy": "127.0.0.1"}, {"clientKey": "/k.pem"},
        {"remoteUrl": "HTTP://x", "caFile": "/c.pem"}, {"remoteUrl": "http://x", "upstreamProxy": "http://p:1"},
    ],
)  # fmt: skip
def test_a_value_is_right_here_where_it_is_right_there(more: dict[str, Any]) -> None:
    def read(model: Any) -> Any:
        try:
            return model.model_validate(NEEDED | more).model_dump()
        except ValidationError:
            return "refused"

    assert read(BridgeConfig) == read(BridgeSettings)


def test_what_was_not_set_is_left_to_the_host() -> None:
    assert BridgeConfig.model_validate(NEEDED).limits() == {}
    found = BridgeConfig.model_validate(NEEDED | {"idleTimeout": 5, "caFile": "x.pem", "models": ["a"]})
    assert found.limits() == {"idle_timeout": 5.0, "ca_file": "x.pem"} and found.goes_its_own_way


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
    assert is_here("::1") and not is_here("example.com")


def test_what_is_no_id_of_a_model_is_told() -> None:
    assert why_no_models("gpt-4o, o3:high, org/model@1") is None
    assert "'two words'" in (why_no_models("a, two words") or "")
