"""What listens where the bridge should: ours, another gateway's or process's, a stranger, nobody?

Nothing secret is sent to find out; it may be anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clawgate.plugins.api import Fetch, FetchFailed, FetchRequest

Who = Literal["bridge", "other", "nobody"]
"""A bridge of clawgate, whosever it is; something else; nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """``instance`` is None where it was not told, as by a bridge that wants a token."""

    who: Who
    reason: str = ""
    instance: str | None = None
    version: str = ""


async def look(fetch: Fetch, bridge: str) -> Local:
    """Ask for the health of what listens at ``bridge``, an origin; within 5 s."""
    plan = FetchRequest(url=f"{bridge}/health", allow_private=True, connect_seconds=2.0, response_seconds=3.0)
    try:
        answer = await fetch(plan)
    except FetchFailed as error:
        if error.cause == "unreachable":
            return Local(who="nobody", reason=f"nothing listens at {bridge}")
        return Local(who="other", reason=f"what listens at {bridge} does not answer as a bridge does")
    said = answer.json()
    if not isinstance(said, dict) or said.get("status") != "live" or not _line(said.get("version")):
        return Local(who="other", reason=f"what listens at {bridge} is no bridge of clawgate")
    role = said.get("role", "bridge")
    if role != "bridge":
        return Local(who="other", reason=f"a clawgate {_line(role)} listens at {bridge}, and no bridge")
    return Local(who="bridge", instance=_line(said.get("instance")) or None, version=_line(said["version"]))


def _line(value: object) -> str:
    return value if isinstance(value, str) and value.isprintable() and len(value) <= 100 else ""
