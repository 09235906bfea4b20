"""A config that leads requests past the proxy is told; what cannot be told is taken to fit."""

from __future__ import annotations

from typing import Any

import pytest

from clawgate.bundled.anthropic_claude_proxy.config import ID, ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.config_check import diagnostics, models_in, unreachable_reason
from clawgate.bundled.anthropic_claude_proxy.provider import ProxyProvider
from clawgate.plugins.api import ChecksConfig


def file(**provider: Any) -> dict[str, Any]:
    return {"models": {"providers": {ID: provider}}}


@pytest.mark.parametrize(
    ("url", "config"),
    [
        ("http://127.0.0.1:3456", {}),
        ("http://localhost:3457/v1", {"port": 3457}),
        ("http://127.0.0.1:3456", {"host": "localhost"}),
        ("http://proxy.test:3456", {"host": "proxy.test", "autoStart": False}),
        ("${PROXY}", {"port": 3457}),
        ("http://127.0.0.1:x", {}),
        (None, {}),
    ],
)
def test_what_leads_there_or_cannot_be_told_fits(url: object, config: dict[str, Any]) -> None:
    assert diagnostics(file(baseUrl=url), ProxyConfig.model_validate(config)) == []


@pytest.mark.parametrize(
    ("url", "step"),
    [
        ("http://127.0.0.1:3457", "set it to http://127.0.0.1:3456, or port to 3457"),
        ("http://192.0.2.7:3457", "set it to http://127.0.0.1:3456, or host to 192.0.2.7 and port to 3457"),
    ],
)
def test_what_leads_elsewhere_does_not(url: str, step: str) -> None:
    (found,) = diagnostics(file(baseUrl=url), ProxyConfig())
    assert found.path == ("models", "providers", ID, "baseUrl") and found.fix.startswith(step)
    assert "the proxy is at http://127.0.0.1:3456" in found.message
    assert found in ProxyProvider().check_config(file(baseUrl=url), ProxyConfig())
    assert isinstance(ProxyProvider(), ChecksConfig)


def test_why_no_request_comes() -> None:
    there = file(baseUrl="http://127.0.0.1:3456")
    assert unreachable_reason(there) is None
    assert unreachable_reason(there | {"plugins": {"entries": {ID: {"enabled": True}}}}) is None
    assert unreachable_reason(there | {"plugins": {"allow": [ID], "deny": ["other"]}}) is None
    assert unreachable_reason({"plugins": {"entries": {ID: {"enabled": True}}}}) is None
    for config in (
        {},
        there | {"plugins": {"enabled": False}},
        there | {"plugins": {"deny": [ID]}},
        there | {"plugins": {"allow": ["other"]}},
        {"models": "odd"},
    ):
        assert unreachable_reason(config) is not None


@pytest.mark.parametrize("odd", [None, {}, "x", [1, {"id": 2}, {"id": "a\x1b"}]])
def test_models_that_are_none(odd: object) -> None:
    settings = ProxyConfig.model_validate({"models": ["own"]})
    assert models_in(file(models=odd), settings) == []
    assert models_in(file(models=[{"id": "m"}]), settings) == ["m"]
    assert models_in({}, settings) == ["own"]
