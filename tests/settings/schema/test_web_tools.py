from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from clawgate.settings.schema.openclaw import OpenClawConfig


def read(**tools: Any) -> OpenClawConfig:
    return OpenClawConfig.model_validate({"tools": tools})


def test_web_fetch_has_openclaws_limits() -> None:
    fetch = read(web={"fetch": {}}).tools.web.fetch
    assert fetch is not None
    assert (fetch.enabled, fetch.max_chars, fetch.timeout_seconds, fetch.max_redirects) == (
        True,
        20_000,
        30,
        3,
    )
    assert (fetch.cache_ttl_minutes, fetch.allow_private_network) == (15, False)


def test_web_fetch_is_absent_without_its_block() -> None:
    assert read().tools.web.fetch is None
    assert read(web={"search": {"enabled": True}}).tools.web.fetch is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("enabled", "yes"),
        ("allowPrivateNetwork", "true"),
        ("maxChars", 0),
        ("maxChars", "20000"),
        ("maxResponseBytes", -1),
        ("timeoutSeconds", 1.5),
        ("maxRedirects", -1),
        ("cacheTtlMinutes", -1),
        ("cacheTtlMinutes", True),
        ("ssrfPolicy", {"dangerouslyAllowPrivateNetwork": 1}),
        ("ssrfPolicy", {"allowedHostnames": "a.example"}),
    ],
)
def test_a_wrong_value_is_rejected(key: str, value: object) -> None:
    with pytest.raises(ValidationError):
        read(web={"fetch": {key: value}})
