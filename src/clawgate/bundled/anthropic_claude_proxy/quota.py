"""Fetches how much of the subscription is used, from a proxy that reports it.

Read in clients of @rynfar/meridian: ``windows`` of ``GET /v1/usage/quota``, each with its ``type``, its ``utilization``
from 0 to 1 and ``resetsAt`` in milliseconds. Anything else is no quota.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import SecretStr

from clawgate.bundled.anthropic_claude_proxy.config import ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.service import trusted_user
from clawgate.plugins.api import Fetch, FetchFailed, FetchRequest

_MAX_WINDOWS = 10
_LATEST_MS = 4_102_444_800_000  # the year 2100


@dataclass(frozen=True, slots=True)
class Quota:
    """The use of one window, such as five_hour: ``used`` from 0 to 1, ``resets_at`` in UNIX seconds."""

    window: str
    used: float
    resets_at: float | None = None

    def __str__(self) -> str:
        resets = ""
        if self.resets_at is not None:
            resets = f" until {datetime.fromtimestamp(self.resets_at, UTC):%Y-%m-%dT%H:%M+00:00}"
        return f"{self.window} {self.used:.0%}{resets}"


async def fetch_quota(fetch: Fetch, config: ProxyConfig, environment: Mapping[str, str]) -> list[Quota]:
    """Return the quota; empty where the proxy reports none. Raises nothing."""
    key = (config.env.get("MERIDIAN_API_KEY") or environment.get("MERIDIAN_API_KEY", "")).strip()
    try:
        response = await fetch(
            FetchRequest(
                url=f"{config.origin}/v1/usage/quota",
                header="x-api-key" if key else "",
                secret=SecretStr(key) if key else None,
                allow_private=True,
                trusted_user=trusted_user(config),
                connect_seconds=2.0,
                response_seconds=5.0,
            )
        )
    except FetchFailed:
        return []
    body = response.json() if response.status == 200 else None
    windows = body.get("windows") if isinstance(body, dict) else None
    found = [_quota(one) for one in windows[:_MAX_WINDOWS]] if isinstance(windows, list) else []
    return [one for one in found if one is not None]


def _quota(window: object) -> Quota | None:
    if not isinstance(window, dict):
        return None
    name, used, resets = (window.get(key) for key in ("type", "utilization", "resetsAt"))
    if not isinstance(name, str) or not name.isprintable() or len(name) > 60 or not _is_number(used, 100):
        return None
    return Quota(name, float(used), float(resets) / 1000 if _is_number(resets, _LATEST_MS) else None)  # type: ignore[arg-type]


def _is_number(value: object, highest: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= highest
