"""MCP servers are read as OpenClaw has them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from clawgate.settings.schema.mcp import McpBlock, McpServer


def server(**keys: Any) -> McpServer:
    return McpBlock.model_validate({"servers": {"s": keys}}).servers["s"]


def test_the_defaults_are_openclaws() -> None:
    """OpenClaw 2026.9.6, `mcp-transport-config`: 30 s to connect, 60 s for a call."""
    found = server(command="npx", args=["-y", "x"])
    assert (found.connection_timeout_ms, found.request_timeout_ms) == (30_000, 60_000)
    assert found.enabled and found.ssl_verify


def test_numbers_and_booleans_of_the_environment_and_of_headers_are_texts() -> None:
    found = server(env={"A": 5, "B": True, "C": 1.5, "D": 2.0}, headers={"X-N": 7, "X-B": False})
    assert found.env == {"A": "5", "B": "true", "C": "1.5", "D": "2"}
    assert [value.get_secret_value() for value in found.headers.values()] == ["7", "false"]


def test_a_very_long_timeout_is_a_day() -> None:
    assert server(requestTimeoutMs=1e300).request_timeout_ms == 86_400_000


@pytest.mark.parametrize(
    "keys",
    [
        {"requestTimeoutMs": 0}, {"requestTimeoutMs": "5"}, {"connectionTimeoutMs": True}, {"args": "-y"},
        {"transport": "http"}, {"auth": "basic"}, {"headers": {"X": "a\nb"}}, {"headers": {"X": None}},
        {"enabled": "yes"}, {"toolFilter": {"include": [""]}}, {"env": {"A": []}},
    ],
)  # fmt: skip
def test_what_openclaw_rejects_is_rejected(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        server(**keys)


def test_a_header_is_never_shown() -> None:
    assert "s3cret" not in repr(server(headers={"Authorization": "Bearer s3cret"}))
