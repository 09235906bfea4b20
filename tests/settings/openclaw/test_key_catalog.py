"""What the models say of a key: description, default, variables, flag."""

from __future__ import annotations

import pytest

from clawgate.settings.key_path import KeyPath
from clawgate.settings.openclaw.key_catalog import applied_live, known_key, known_paths


def test_a_key_is_known_with_its_default_and_its_variables() -> None:
    port = known_key(("gateway", "port"))
    assert port is not None
    assert (port.default, port.variables, port.flag, port.secret) == (
        18789,
        ("OPENCLAW_GATEWAY_PORT",),
        None,
        False,
    )
    assert port.description


def test_a_setting_of_a_role_has_its_flag_too() -> None:
    url = known_key(("plugins", "entries", "proxy-bridge", "config", "remoteUrl"))
    assert url is not None
    assert (url.default, url.variables, url.flag) == (None, ("PROXY_BRIDGE_URL",), "--remote-url")
    port = known_key(("plugins", "entries", "proxy-bridge", "config", "bridgePort"))
    assert port is not None and port.flag == "--port"


@pytest.mark.parametrize(
    "path",
    [
        ("models", "providers", "any-name", "baseUrl"),
        ("models", "providers", "any-name", "models", 3, "id"),
        ("agents", "defaults", "models", "openai/gpt-4o", "alias"),
        ("models", "providers", "x", "request", "auth", "value"),
        ("plugins", "entries", "anything", "enabled"),
    ],
)
def test_names_and_indexes_may_be_any(path: KeyPath) -> None:
    assert known_key(path) is not None


@pytest.mark.parametrize("path", [(), ("gateway", "prt"), ("gateway", "port", "x"), ("channels",)])
def test_other_keys_are_not_known(path: KeyPath) -> None:
    assert known_key(path) is None


def test_a_secret_is_known_as_one() -> None:
    token, bind = known_key(("gateway", "auth", "token")), known_key(("gateway", "bind"))
    assert token is not None and token.secret and bind is not None and not bind.secret


def test_paths_that_need_no_name_are_listed() -> None:
    found = set(known_paths())
    assert {("gateway", "auth", "token"), ("models", "providers")} <= found
    assert ("plugins", "entries", "openai-proxy", "config", "port") in found
    assert not any("*" in path for path in found)


@pytest.mark.parametrize(
    "path",
    [
        ("models", "x"),
        ("agents",),
        ("tools", "x"),
        ("mcp", "servers", "x"),
        ("plugins",),
        ("plugins", "entries", "proxy-bridge"),
        ("gateway", "auth", "x"),
        ("gateway", "trustedProxies"),
        ("gateway", "http"),
        ("env", "vars"),
    ],
)
def test_what_a_running_gateway_takes_over(path: KeyPath) -> None:
    """As the reloader does."""
    assert applied_live(path)


@pytest.mark.parametrize(
    "path",
    [
        ("gateway", "port"),
        ("gateway", "bind"),
        ("gateway", "customBindHost"),
        ("gateway",),
        ("plugins", "entries", "openai-proxy", "config", "port"),
        ("plugins", "entries", "clawgate", "config", "database"),
        ("plugins", "entries", "clawgate", "config", "metricsPort"),
        ("plugins", "entries", "clawgate", "config", "drainTimeout"),
        ("channels",),
        (),
    ],
)
def test_what_needs_a_restart(path: KeyPath) -> None:
    assert not applied_live(path)
