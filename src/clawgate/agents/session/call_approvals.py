"""Keeps the calls of one run that need approval: reads and stores decisions, and runs what was approved.

Law: a decision is stored before its call is run, and its result before anything else is done with it. So a call is run
once at most, whatever ends the run in between. A call that was not approved is not run, whatever led to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from clawgate.agents.run.approvals import APPROVAL_SECONDS, Place, as_stored, decisions_of, ids_in
from clawgate.agents.run.driver import ToolOutcome
from clawgate.agents.run.history import Composed
from clawgate.agents.run.step import Call
from clawgate.agents.session.run_order import RunOrder, RunServices
from clawgate.state.records import NewApproval

_NOT_APPROVED = "a call of this tool needs an approval, and this client gives none"


class CallApprovals:
    """``calls`` are those that the client approved; each is run once."""

    def __init__(self, order: RunOrder, services: RunServices) -> None:
        self.calls: tuple[Call, ...] = ()
        self._left: list[Call] = []
        self._order = order
        self._services = services
        self._session = order.session.text if order.session.is_kept else ""

    async def decided(self, composed: Composed) -> Composed:
        """Return it with calls and results as they are stored, once the run owns what its client decided.

        Raises `ApprovalInvalid`.
        """
        order, store, tools = self._order, self._services.store, self._order.tools
        ids = ids_in(composed.new)
        stored = await store.approvals(order.caller, ids) if ids else {}
        place = Place(
            agent=order.agent,
            session=self._session,
            digests=tools.digests() if stored else {},
            needed=tools.needed,
            now=self._services.clock(),
        )
        decisions = decisions_of(composed, stored, place)
        if decisions.decided:
            await shielded(store.decide(order.caller, decisions.decided, order.run))
        self.calls, self._left = decisions.calls, list(decisions.calls)
        return as_stored(composed, stored, decisions.texts)

    def waiting(self, calls: Sequence[Call]) -> tuple[NewApproval, ...]:
        """Return those of a response's calls that wait for approval."""
        order = self._order
        waiting = [call for call in calls if call.name in order.tools.needed]
        digests = order.tools.digests() if waiting else {}
        return tuple(
            NewApproval(
                id=call.id,
                name=call.name,
                arguments=call.arguments,
                definition=digests[call.name],
                session=self._session,
                expires_at=self._services.clock() + APPROVAL_SECONDS,
            )
            for call in waiting
        )

    async def run_tool(self, call: Call) -> ToolOutcome:
        order = self._order
        if call not in self._left:
            refusal = await self._refusal(call) if call.name in order.tools.needed else None
            return await order.tools.run(call) if refusal is None else ToolOutcome(refusal, failed=True)
        self._left.remove(call)
        outcome = await order.tools.run(call)
        await shielded(self._services.store.finish_call(order.caller, call.id, order.run, outcome.result))
        return outcome

    async def _refusal(self, call: Call) -> str | None:
        approve = self._order.approve
        return _NOT_APPROVED if approve is None else await approve(call)


async def shielded(work: Coroutine[Any, Any, None]) -> None:
    """Do ``work`` to its end, also if the caller is cancelled meanwhile."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
