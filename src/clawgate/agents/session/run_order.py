"""Describes one request for an agent with all that was decided about it, and what its run needs of the gateway."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, Protocol

from clawgate.agents.request.chat_request import ChatRequest
from clawgate.agents.request.slash_commands import Facts, SlashCommand
from clawgate.agents.request.target import SessionKey
from clawgate.agents.run.approvals import approval_id
from clawgate.agents.run.divergence import Turn
from clawgate.agents.run.driver import ToolOutcome
from clawgate.agents.run.events import RunEvent, Started
from clawgate.agents.run.history import HistoryLimit
from clawgate.agents.run.model_call import ModelCall
from clawgate.agents.run.step import Call, Message, RunLimits, RunPlan, Usage
from clawgate.errors import GatewayError
from clawgate.policy.model_routing import ModelRef
from clawgate.state.records import NewResponse, StoredSession
from clawgate.state.store import Store

Approve = Callable[[Call], Awaitable[str | None]]
"""Has the client decide on a call while the run waits; returns what the model reads of a refusal, None without one."""


class Tools(Protocol):
    """The tools of one agent."""

    @property
    def needed(self) -> Collection[str]:
        """The names of those whose calls need approval."""

    def definitions(self) -> Sequence[Message]: ...
    def digests(self) -> Mapping[str, str]: ...
    async def run(self, call: Call) -> ToolOutcome: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The turns up to the end of the response that a request continues.

    ``next_seq`` is that of its session's next turn where the response is the end of one; with ``is_whole`` False older
    turns are left out.
    """

    turns: Sequence[Turn]
    is_whole: bool
    next_seq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseOrder:
    """What is stored of a response beside the run. ``parent`` is the run of the response that it continues.

    ``body_of`` returns the response behind events, or of a run that failed behind them. With ``is_background`` it can
    be retrieved while it is made, however it ends.
    """

    parent: str | None
    input: list[Any]
    body_of: Callable[[Sequence[RunEvent], GatewayError | None], dict[str, Any]]
    is_background: bool = False

    def queued(self) -> NewResponse:
        """Return the response as it is before its run."""
        body = self.body_of([Started()], None) | {"status": "queued"}
        return NewResponse(body=body, input=self.input, status="queued", parent=self.parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """One request for an agent, with all that was decided about it.

    ``chain_of`` returns the models that serve it, given the model that its session was set to; ``command`` is what its
    turn is in place of a message for the model, done by ``facts_of`` and ``choose``. ``seconds`` is how long
    it may take, ``key`` its idempotency key. ``past`` is what it continues, in a session of its own or in none. Without
    ``approve`` the run ends with calls that need approval.
    """

    run: str
    caller: str
    agent: str
    session: SessionKey
    request: ChatRequest
    chain_of: Callable[[str | None], tuple[ModelRef, ...]]
    system: str
    tools: Tools
    limits: RunLimits
    seconds: float
    history: HistoryLimit = field(default_factory=HistoryLimit)
    options: Message = field(default_factory=dict)
    trace_id: str | None = None
    key: str | None = None
    past: Past | None = None
    response: ResponseOrder | None = None
    command: SlashCommand | None = None
    facts_of: Callable[[StoredSession | None, int], Facts]
    choose: Callable[[str], ModelRef]
    approve: Approve | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunServices:
    """What runs need of the gateway. ``clock`` returns UNIX seconds; ``cost_of`` is None for an unknown price."""

    store: Store
    call_model: Callable[[Sequence[ModelRef], Message, str], ModelCall]
    cost_of: Callable[[ModelRef | None, Usage], Decimal | None]
    clock: Callable[[], float]


def plan_of(order: RunOrder) -> RunPlan:
    """Return what is the same for all model calls of the run.

    A client that takes no calls can approve none, so its model is not offered what needs approval.
    """
    request, choice = order.request, order.request.tool_choice
    needed = frozenset(order.tools.needed)
    unusable = needed if choice.mode == "none" else ()
    return RunPlan(
        tools=tuple(tool for tool in order.tools.definitions() if tool["function"]["name"] not in unusable),
        guarded=needed.difference(unusable) if order.approve is None else frozenset(),
        new_id=partial(approval_id, order.run),
        client_tools=() if choice.mode == "none" else request.tools,
        required=choice.mode == "required",
        required_name=choice.name,
        options={**order.options, **request.options},
        limits=order.limits,
    )
