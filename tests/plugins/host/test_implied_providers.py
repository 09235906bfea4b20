"""The settings of a bundled plugin are enough: its provider and models exist without a block of their own."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.plugins.host.implied_providers import implied_providers
from clawgate.providers.catalog import build_catalog
from clawgate.settings.schema.openclaw import OpenClawConfig

CLAUDE, BRIDGE = "anthropic-claude-proxy", "proxy-bridge"
SEED = {
    "enabled": True,
    "config": {"port": 3460, "command": ["bunx", "x"], "models": ["claude-opus-4.6", "b"]},
}
REMOTE = {
    "enabled": True,
    "config": {
        "remoteUrl": "https://remote.test",
        "proxyToken": "canary-token",
        "models": ["gpt-4o", {"id": "m"}],
    },
}


def config(
    entries: dict[str, Any], providers: dict[str, Any] | None = None, **plugins: Any
) -> OpenClawConfig:
    return OpenClawConfig.model_validate(
        {"models": {"providers": providers or {}}, "plugins": {"entries": entries} | plugins}
    )


def test_the_claude_proxy_needs_no_block() -> None:
    found = build_catalog(config({CLAUDE: SEED}), {}, {}).providers[CLAUDE]
    assert found.problem is None and found.base_url == "http://127.0.0.1:3460/v1"
    assert found.trusts_loopback and not found.allow_private
    assert found.api == "anthropic-messages" and [one.id for one in found.models] == ["claude-opus-4.6", "b"]
    assert found.credential.line() == b""
    keyed = build_catalog(config({CLAUDE: SEED}), {}, {"MERIDIAN_API_KEY": "canary-key-1"}).providers[CLAUDE]
    assert b"canary-key-1" in keyed.credential.line()


def test_the_bridge_needs_no_block() -> None:
    found = build_catalog(config({BRIDGE: REMOTE}), {}, {}).providers[BRIDGE]
    assert found.problem is None and found.base_url == "http://127.0.0.1:18800/v1"
    assert [one.id for one in found.models] == ["gpt-4o", "m"]
    locked = REMOTE["config"] | {"bridgeToken": "canary-local-token", "bridgePort": 18900}  # type: ignore[operator]
    found = build_catalog(config({BRIDGE: REMOTE | {"config": locked}}), {}, {}).providers[BRIDGE]
    assert found.base_url == "http://127.0.0.1:18900/v1" and b"canary-local-token" in found.credential.line()


@pytest.mark.parametrize(
    ("entry", "plugins"),
    [
        (SEED | {"enabled": False}, {}),
        ({"config": SEED["config"]}, {}),
        (SEED, {"enabled": False}),
        (SEED, {"deny": [CLAUDE]}),
        (SEED, {"allow": ["other"]}),
    ],
)
def test_a_plugin_that_is_off_implies_nothing(entry: dict[str, Any], plugins: dict[str, Any]) -> None:
    assert implied_providers(config({CLAUDE: entry}, **plugins), {}) == {}


def test_a_block_of_the_config_wins_as_a_whole() -> None:
    block = {"baseUrl": "http://127.0.0.1:3460", "api": "anthropic-messages", "models": []}
    assert implied_providers(config({CLAUDE: SEED}, {CLAUDE: block}), {}) == {}


@pytest.mark.parametrize("settings", [{"port": "x"}, {"no_such": 1}])
def test_with_invalid_settings_the_provider_exists_and_cannot_be_used(settings: dict[str, Any]) -> None:
    found = build_catalog(config({CLAUDE: {"enabled": True, "config": settings}}), {}, {}).providers[CLAUDE]
    assert found.problem is not None


def test_a_bridge_on_any_port_implies_no_address() -> None:
    settings = REMOTE["config"] | {"bridgePort": 0}  # type: ignore[operator]
    found = build_catalog(config({BRIDGE: REMOTE | {"config": settings}}), {}, {}).providers[BRIDGE]
    assert found.problem is not None
