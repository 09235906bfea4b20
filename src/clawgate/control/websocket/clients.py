"""Knows the authenticated connections of the gateway: sends them its events, and a tick while they are open.

Law: an event of a caller's run or session goes to this caller's connections alone, and to those that may read. Each
connection counts its own events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from clawgate.control.websocket.frames import encode_event
from clawgate.policy.proxy_identity import READ, implies

TICK_SECONDS = 30.0
"""``policy.tickIntervalMs``: a client takes a connection that is silent for twice as long for dead."""


@dataclass(slots=True, eq=False, kw_only=True)
class Client:
    """One authenticated connection, as methods see it. ``send`` sends one frame and never blocks."""

    conn_id: str
    caller: str
    scopes: frozenset[str]
    caps: frozenset[str]
    send: Callable[[bytes], None]
    watches_sessions: bool = False
    """Whether it gets `sessions.changed`."""
    runs: set[str] = field(default_factory=set)
    """The runs that it started and that are not over."""
    _seq: int = 0

    def may(self, scope: str) -> bool:
        return implies(self.scopes, scope)

    def event(self, event: str, payload: object) -> None:
        self._seq += 1
        self.send(encode_event(event, payload, self._seq))


class Clients:
    """``now_ms`` returns milliseconds of UNIX time."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._clients: dict[str, dict[Client, None]] = {}
        """By their callers: an event of one run costs nothing for the connections of others."""
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return sum(map(len, self._clients.values()))

    def add(self, client: Client) -> None:
        self._clients.setdefault(client.caller, {})[client] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def remove(self, client: Client) -> None:
        own = self._clients.get(client.caller, {})
        own.pop(client, None)
        if not own:
            self._clients.pop(client.caller, None)
        if not self._clients and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def readers(self, caller: str) -> list[Client]:
        """Return the connections that get the events of ``caller``."""
        return [client for client in self._clients.get(caller, ()) if client.may(READ)]

    def session_changed(self, caller: str, key: str, agent: str, reason: str) -> None:
        payload = {"sessionKey": key, "agentId": agent, "reason": reason, "ts": self._now_ms()}
        for client in self.readers(caller):
            if client.watches_sessions:
                client.event("sessions.changed", payload)

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)
        payload = {"ts": self._now_ms()}
        for client in [client for own in self._clients.values() for client in own]:
            client.event("tick", payload)
