"""Finds out what listens on the bridge's port: the gateway's bridge, another bridge, another program, or nothing.

Must not send a secret: any program may listen there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clawgate.plugins.api import Fetch, FetchFailed, FetchRequest

_REASON_CHARACTERS = 4000
ListenerKind = Literal["bridge", "other", "none"]
"""A bridge of clawgate, of whichever process; another program; nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """What listens there. ``instance`` is None if it does not report one, as a bridge with a token.

    A ``bridge`` with a ``reason`` refuses every request for it.
    """

    kind: ListenerKind
    reason: str = ""
    instance: str | None = None
    version: str = ""


async def check_listener(fetch: Fetch, bridge: str) -> Listener:
    """Fetch the health of what listens at ``bridge``, an origin; within 5 s."""
    request = FetchRequest(
        url=f"{bridge}/health", allow_private=True, connect_seconds=2.0, response_seconds=3.0
    )
    try:
        response = await fetch(request)
    except FetchFailed as error:
        if error.cause == "unreachable":
            return Listener(kind="none", reason=f"nothing listens at {bridge}")
        return Listener(kind="other", reason=f"the program at {bridge} does not respond as a bridge does")
    body = response.json()
    if not isinstance(body, dict) or body.get("status") != "live" or not _line(body.get("version")):
        return Listener(kind="other", reason=f"the program at {bridge} is not a bridge of clawgate")
    role = body.get("role", "bridge")
    if role != "bridge":
        return Listener(kind="other", reason=f"a clawgate {_line(role)} listens at {bridge}, not a bridge")
    refuses = body.get("ok") is False
    reason = f"every request fails until this is fixed: {_shown(body.get('message'))}" if refuses else ""
    return Listener(
        kind="bridge",
        reason=reason,
        instance=_line(body.get("instance")) or None,
        version=_line(body["version"]),
    )


def _line(value: object) -> str:
    return value if isinstance(value, str) and value.isprintable() and len(value) <= 100 else ""


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else "it gives no reason"
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_REASON_CHARACTERS])
