"""Has the connections of a caller approve calls of tools, while the runs that make them wait.

Law: a call is decided by its own caller, by a connection with the right for it, once; what is not decided in time, or
has none to decide it, is refused. It ends with its run: nothing of it is stored. Source of the shapes: the contract's
`PluginApprovalRequestParams`, and OpenClaw 2026.9.6.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from clawgate.agents.run.approvals import refused
from clawgate.agents.run.step import Call
from clawgate.control.websocket.clients import Clients
from clawgate.errors import InvalidRequest
from clawgate.policy.printable import escape_controls
from clawgate.policy.proxy_identity import APPROVALS

SECONDS = 600.0
"""How long a run waits, and with it its session; OpenClaw's longest time for such a call."""
REQUESTED, RESOLVED = "plugin.approval.requested", "plugin.approval.resolved"
ALLOW, DENY = "allow-once", "deny"
_TITLE, _DESCRIPTION, _DETAIL = 80, 512, 16_384
"""The most characters of the contract."""
_NO_CLIENT = "no client that may approve this call is connected, so it was not run"


@dataclass(slots=True, kw_only=True)
class _Waiting:
    caller: str
    payload: dict[str, Any]
    decision: asyncio.Future[str] = field(repr=False)


class Approvals:
    """``now_ms`` returns milliseconds of UNIX time."""

    def __init__(self, clients: Clients, now_ms: Callable[[], int]) -> None:
        self._clients = clients
        self._now_ms = now_ms
        self._waiting: dict[str, _Waiting] = {}

    async def refusal(self, caller: str, agent: str, session: str, run_id: str, call: Call) -> str | None:
        """Return what the model reads of a call that is not approved; None for one that is."""
        if not self._reviewers(caller):
            return _NO_CLIENT
        now, id_ = self._now_ms(), f"plugin:{uuid.uuid4()}"
        request = _request_of(call) | {"agentId": agent, "sessionKey": session, "runId": run_id}
        payload = {
            "id": id_,
            "request": request,
            "createdAtMs": now,
            "expiresAtMs": now + int(SECONDS * 1000),
        }
        waiting = _Waiting(
            caller=caller, payload=payload, decision=asyncio.get_running_loop().create_future()
        )
        self._waiting[id_] = waiting
        self._send(caller, REQUESTED, payload)
        decision = DENY
        try:
            async with asyncio.timeout(SECONDS):
                decision = await waiting.decision
        except TimeoutError:
            return refused(f"(no decision within {SECONDS:g} s)")
        finally:
            del self._waiting[id_]
            end = {"id": id_, "decision": decision, "ts": self._now_ms(), "request": request}
            self._send(caller, RESOLVED, end)
        return None if decision == ALLOW else refused()

    def resolve(self, caller: str, id_: str, decision: str) -> None:
        """Decide a call of ``caller`` that waits. Raises `InvalidRequest`."""
        waiting = self._waiting.get(id_)
        if waiting is None or waiting.caller != caller or waiting.decision.done():
            raise InvalidRequest(
                "plugin.approval.resolve: no call waits under this id; see plugin.approval.list"
            )
        if decision not in (ALLOW, DENY):
            raise InvalidRequest(f"plugin.approval.resolve: decision must be {ALLOW} or {DENY}")
        waiting.decision.set_result(decision)

    def listed(self, caller: str) -> list[dict[str, Any]]:
        """Return the calls of ``caller`` that wait, as they were sent."""
        return [one.payload for one in self._waiting.values() if one.caller == caller]

    def _reviewers(self, caller: str) -> list[Any]:
        return [client for client in self._clients.readers(caller) if client.may(APPROVALS)]

    def _send(self, caller: str, event: str, payload: dict[str, Any]) -> None:
        for client in self._reviewers(caller):
            client.event(event, payload)


def _request_of(call: Call) -> dict[str, Any]:
    arguments = escape_controls(call.arguments) or "{}"
    return {
        "pluginId": None,
        "title": _cut(call.name, _TITLE),
        "description": _cut(arguments, _DESCRIPTION),
        "detail": _cut(arguments, _DETAIL),
        "severity": "warning",
        "toolName": call.name,
        "toolCallId": call.id,
        "allowedDecisions": [ALLOW, DENY],
    }


def _cut(text: str, most: int) -> str:
    """Return at most ``most`` characters, with how many are left out."""
    if len(text) <= most:
        return text
    note = f" [{len(text)} characters; the rest is not shown]"
    return text[: most - len(note)] + note
