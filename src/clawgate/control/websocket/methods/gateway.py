"""Methods about the gateway itself: health, status, its log, its config, and its restart."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec

from clawgate import __version__
from clawgate.control.api import serving_report
from clawgate.control.websocket.hello import presence
from clawgate.control.websocket.method import Call, Gateway
from clawgate.control.websocket.params import Count, Params
from clawgate.control.websocket.transcript import to_ms
from clawgate.errors import GatewayUnavailable, StoreUnavailable
from clawgate.policy.proxy_identity import is_user
from clawgate.policy.redaction import REDACTED, Redactor
from clawgate.settings.redaction import redact
from clawgate.settings.secrets import PLACEHOLDER

_RECENT = 5
_MOST_COUNTED = 1000
_MAX_LINES = 5000
_MAX_BYTES = 1_000_000


async def health(call: Call, _params: object) -> object:
    """What `GET /health` has for commands of this user is behind the members of OpenClaw; a proxy's user has it not."""
    gateway = call.gateway
    report = {} if is_user(call.client.caller) else await serving_report(gateway.router.models)
    return {
        **report,
        "ok": True,
        "ts": gateway.now_ms(),
        "durationMs": 0,
        "plugins": {"loaded": gateway.plugins(), "errors": [], "unavailable": []},
        "channels": {},
        "channelOrder": [],
        "channelLabels": {},
        "heartbeatSeconds": 0,
    }


async def _sessions(call: Call, agent: str, now: int) -> dict[str, Any]:
    """Return how many sessions of an agent the caller has, none where the database cannot be used now."""
    try:
        store = await call.agents.store()
        found = await store.sessions(caller=call.client.caller, agent=agent, limit=_MOST_COUNTED)
        name = call.path_of(store)
    except StoreUnavailable:
        found, name = (), ""
    recent = [
        {"key": one.key, "updatedAt": to_ms(one.updated_at), "age": max(now - to_ms(one.updated_at), 0)}
        for one in found[:_RECENT]
    ]
    return {"path": name, "count": len(found), "recent": recent}


async def status(call: Call, _params: object) -> object:
    gateway = call.gateway
    primary, now = gateway.router.models.catalog.primary, gateway.now_ms()
    agents = gateway.agents.agents if gateway.agents is not None else None
    by_agent = [
        {"agentId": name, **await _sessions(call, name, now)}
        for name in (agents.specs if agents is not None else ())
    ]
    return {
        "runtimeVersion": __version__,
        "heartbeat": {"defaultAgentId": agents.default if agents is not None else "", "agents": []},
        "channelSummary": [],
        "queuedSystemEvents": [],
        "sessions": {
            "paths": sorted({row["path"] for row in by_agent if row["path"]}),
            "count": sum(row["count"] for row in by_agent),
            "defaults": {"model": str(primary) if primary is not None else None, "contextTokens": None},
            "recent": [],
            "byAgent": by_agent,
        },
        "pid": os.getpid(),
        "uptimeMs": gateway.uptime_ms,
    }


async def system_presence(call: Call, _params: object) -> object:
    return [presence(call.gateway)]


class LogsTail(Params, frozen=True):
    """``cursor`` is that of the last response: what was written since then is returned."""

    cursor: Count = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=_MAX_LINES)] = 500
    max_bytes: Annotated[int, msgspec.Meta(ge=1, le=_MAX_BYTES)] = 250_000


async def logs_tail(call: Call, params: LogsTail) -> object:
    path = call.gateway.log_file
    if path is None:
        raise GatewayUnavailable(
            "logs.tail: this gateway logs to its terminal, and not to a file; start it with: clawgate gateway start"
        )
    return await asyncio.to_thread(_tail, path, params)


def _tail(path: Path, params: LogsTail) -> dict[str, object]:
    """Return whole lines: behind the cursor, or the last ones for a first call and after a rotation."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            is_reset = params.cursor > size
            start = params.cursor if 0 < params.cursor <= size else 0
            begin = max(start, size - params.max_bytes)
            file.seek(begin)
            *lines, rest = file.read(size - begin).split(b"\n")
    except OSError as error:
        raise GatewayUnavailable(f"{path}: the log cannot be read: {error.strerror}") from None
    if begin > start and lines:
        lines = lines[1:]  # its beginning is missing
    kept = lines[-params.limit :]
    return {
        "file": str(path),
        "cursor": size - len(rest),
        "size": size,
        "lines": [line.decode("utf-8", "replace") for line in kept if line],
        "truncated": begin > start or len(kept) < len(lines),
        "reset": is_reset,
    }


async def config_get(call: Call, _params: object) -> object:
    """Return the config as it is used, without a secret: by name and shape, and each known one by its value."""
    file = call.gateway.file()
    hide = Redactor(file.secrets()).redact_known
    parsed = _without_known(redact(dict(file.raw)), hide)
    return {
        "path": str(file.path),
        "exists": bool(file.digest),
        "raw": None,
        "parsed": parsed,
        "sourceConfig": parsed,
        "resolved": parsed,
        "config": parsed,
        "runtimeConfig": parsed,
        "valid": True,
        "issues": [],
        "warnings": [],
        "legacyIssues": [],
    }


def _without_known(value: object, hide: Callable[[str], str]) -> object:
    if isinstance(value, dict):
        return {_without_known(key, hide): _without_known(part, hide) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_known(part, hide) for part in value]
    text = str(value)
    hidden = hide(text)
    return value if hidden == text else hidden.replace(REDACTED, PLACEHOLDER)


class RestartRequest(msgspec.Struct, frozen=True):
    """Further members have no effect, as with OpenClaw."""

    reason: str = ""


async def restart_preflight(call: Call, _params: object) -> object:
    return _preflight(call.gateway)


async def restart_request(call: Call, params: RestartRequest) -> object:
    """Restart once running requests have ended, or say in the log why the gateway keeps running."""
    gateway = call.gateway
    if gateway.restart is None:
        raise GatewayUnavailable(
            "gateway.restart.request: this gateway cannot restart itself; restart what runs it"
        )
    # The response first: the signal ends the gateway's accepting at once.
    asyncio.get_running_loop().call_later(RESTART_SECONDS, gateway.restart)
    reason = params.reason[:200] or "gateway.restart.request"
    return {
        "ok": True,
        "status": "scheduled",
        "preflight": _preflight(gateway),
        "restart": {
            "ok": True, "pid": os.getpid(), "signal": "SIGUSR1", "reason": reason, "mode": "signal",
            "delayMs": int(RESTART_SECONDS * 1000), "coalesced": False,
        },
    }  # fmt: skip


RESTART_SECONDS = 0.1


def _preflight(gateway: Gateway) -> dict[str, object]:
    runs = gateway.count_runs()
    summary = "safe to restart now" if not runs else f"{runs} runs are under way; a restart waits for them"
    return {
        "safe": not runs,
        "counts": {"embeddedRuns": runs, "totalActive": runs},
        "blockers": [],
        "summary": summary,
    }
