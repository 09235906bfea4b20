"""Methods by which a client approves or refuses the calls of tools that wait for it."""

from __future__ import annotations

from clawgate.control.websocket.method import Call
from clawgate.control.websocket.params import NonEmpty, Params


class ApprovalResolve(Params, frozen=True):
    id: NonEmpty
    decision: NonEmpty


async def approval_list(call: Call, params: Params) -> object:
    return call.agents.approvals.listed(call.client.caller)


async def approval_resolve(call: Call, params: ApprovalResolve) -> object:
    call.agents.approvals.resolve(call.client.caller, params.id, params.decision)
    return {"ok": True}
