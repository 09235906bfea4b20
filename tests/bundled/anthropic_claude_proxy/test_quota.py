"""What the proxy reports of its quota is shown; anything else is none, and no failure."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from clawgate.bundled.anthropic_claude_proxy.config import ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.quota import Quota, fetch_quota
from clawgate.plugins.api import FetchFailed, FetchRequest, FetchResponse

SEEN: list[FetchRequest] = []


def quota(body: Any, status: int = 200) -> list[Quota]:
    async def fetch(request: FetchRequest) -> FetchResponse:
        SEEN.append(request)
        return FetchResponse(status=status, body=json.dumps(body).encode())

    return asyncio.run(fetch_quota(fetch, ProxyConfig(), {"MERIDIAN_API_KEY": "canary-key"}))


def test_the_windows_are_read() -> None:
    found = quota(
        {
            "windows": [
                {"type": "five_hour", "utilization": 0.42, "resetsAt": 1_800_000_000_000},
                {"type": "seven_day", "utilization": 1},
            ]
        }
    )
    assert [str(one) for one in found] == ["five_hour 42% until 2027-01-15T08:00+00:00", "seven_day 100%"]
    assert SEEN[-1].url == "http://127.0.0.1:3456/v1/usage/quota" and SEEN[-1].trusted_user == "self"
    assert SEEN[-1].secret is not None and SEEN[-1].secret.get_secret_value() == "canary-key"


@pytest.mark.parametrize(
    "body",
    [
        None, [], {}, {"windows": 1}, {"windows": [1, {}]}, {"windows": [{"type": "a\x1b", "utilization": 1}]},
        {"windows": [{"type": "a", "utilization": True}]}, {"windows": [{"type": "a", "utilization": -1}]},
    ],
)  # fmt: skip
def test_anything_else_is_no_quota(body: Any) -> None:
    assert quota(body) == []


def test_a_proxy_without_a_quota_is_no_failure() -> None:
    async def refused(request: FetchRequest) -> FetchResponse:
        raise FetchFailed("unreachable", "nothing listens")

    assert quota({"windows": [{"type": "a", "utilization": 1}]}, 404) == []
    assert asyncio.run(fetch_quota(refused, ProxyConfig(), {})) == []


def test_a_time_that_is_none_is_left_out() -> None:
    (found,) = quota({"windows": [{"type": "a", "utilization": 0.5, "resetsAt": 1e300}]})
    assert str(found) == "a 50%"
