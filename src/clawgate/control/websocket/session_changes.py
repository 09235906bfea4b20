"""Changes sessions for WebSockets where no run does: makes them, sets their models, adds messages to them.

Law: a change waits for its turn in the session, and is stored as a run's would be. Imported only where agents are on.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from clawgate.agents.endpoint.service import AgentService
from clawgate.agents.request.target import Target
from clawgate.control.websocket.clients import Clients
from clawgate.control.websocket.run_events import RunEvents
from clawgate.control.websocket.transcript import message_id
from clawgate.state.records import Extent, NewTurn, RunRecord, StoredSession
from clawgate.state.store import Store

HOLD_SECONDS = 30.0
"""How long a change of a session waits for the run that has it."""


class SessionChanges:
    """``store`` and ``now_ms`` as for `AgentRuns`."""

    def __init__(
        self,
        service: AgentService,
        store: Callable[[], Awaitable[Store]],
        clients: Clients,
        now_ms: Callable[[], int],
    ) -> None:
        self._service = service
        self._store = store
        self._clients = clients
        self._now_ms = now_ms

    async def set_model(self, caller: str, target: Target, model: str | None) -> None:
        """Set the model of a session, or return it to the agent's own for None.

        Raises `ModelNotFound` for one that the agent may not use.
        """
        chosen = str(self._service.choose(target.agent, model)) if model is not None else ""
        store = await self._store()
        async with store.hold(caller, target.session.text, HOLD_SECONDS, Extent(1)) as session:
            if session is not None or chosen:
                await store.commit(self._change(caller, target, session, session_model=chosen))

    async def create(self, caller: str, target: Target) -> None:
        """Make the session, where there is none yet."""
        store = await self._store()
        async with store.hold(caller, target.session.text, HOLD_SECONDS, Extent(1)) as session:
            if session is None:
                await store.commit(self._change(caller, target, None))

    async def inject(self, caller: str, target: Target, text: str) -> str | None:
        """Add a message of the agent to a session; return its id in histories, None without the session."""
        store, run = await self._store(), uuid.uuid4().hex
        turn, key = NewTurn(message={"role": "assistant", "content": text}), f"inject-{run}"
        async with store.hold(caller, target.session.text, HOLD_SECONDS, Extent(1)) as session:
            if session is None:
                return None
            await store.commit(self._change(caller, target, session, run=run, key=key, turns=(turn,)))
        now = self._now_ms()
        events = RunEvents(key, target.session.text, target.agent, now)
        for client in self._clients.readers(caller):
            client.event(*events.injected(text, now))
        return message_id(run, session.next_seq)

    def _change(
        self, caller: str, target: Target, session: StoredSession | None, **changes: Any
    ) -> RunRecord:
        """Return the record of a change that no run makes."""
        now = self._now_ms() / 1000
        made: dict[str, Any] = {
            "run": uuid.uuid4().hex,
            "caller": caller,
            "agent": target.agent,
            "session": target.session.text,
            "keeps_session": True,
            "expected_seq": session.next_seq if session is not None else 0,
            "started_at": now,
            "finished_at": now,
        }
        return RunRecord(**made | changes)
