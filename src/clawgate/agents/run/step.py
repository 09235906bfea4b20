"""Decides what a run does next: call the model, run tools, completion, or give up.

Pure: a run is a value, and each function returns the next one with what has to be done. Law: no limit is passed; a call
of a tool has one result; calls of the client's tools end the run, and their results begin the next one. So do calls of
the agent's tools that need the client's approval: the next run begins with those that it approved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from clawgate.errors import GatewayError, RunLimitExceeded, ToolChoiceUnsatisfied, UpstreamMalformed
from clawgate.wire.translate.chat_upstream import opaque_state

Message = dict[str, Any]

_REASONING = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks")
"""Members of a message that a client of an agent is not sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """What one run may use at most; None: no limit. ``max_cost`` is in US dollars."""

    max_turns: int = 50
    max_tool_calls: int = 200
    max_tokens: int | None = None
    max_cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call, or of several: ``+`` sums them. Those of the cache are part of the input, those of
    reasoning of the output. ``cost`` is in US dollars, None where a price is not known.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost: Decimal | None = Decimal(0)
    cache_write_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        known = self.cost is not None and other.cost is not None
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.cost + other.cost if known else None,  # type: ignore[operator]
            self.cache_write_tokens + other.cache_write_tokens,
        )

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool by the model; ``arguments`` is its JSON as the model wrote it.

    ``carried`` are the members that its provider wants back with it, as from a client that brings the conversation.
    """

    id: str
    name: str
    arguments: str
    carried: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Completion:
    """One response of the model: its ``message`` as it goes into the history."""

    message: Message
    finish_reason: str
    usage: Usage

    @property
    def text(self) -> str:
        content = self.message.get("content")
        return content if isinstance(content, str) else ""

    @property
    def refusal(self) -> str:
        return self.message.get("refusal") or ""

    @property
    def calls(self) -> tuple[Call, ...]:
        return calls_of(self.message)


def calls_of(message: Message) -> tuple[Call, ...]:
    """Return the calls of tools in a message of the model."""
    return tuple(
        Call(
            call["id"],
            call["function"]["name"],
            call["function"].get("arguments") or "",
            opaque_state.only(call, opaque_state.CALL_MEMBERS),
        )
        for call in message.get("tool_calls") or ()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """What is the same for all model calls of a run.

    ``tools`` are the definitions of the agent's own tools, ``client_tools`` those of the client; with ``required`` the
    completion has to call one of the latter, with ``required_name`` that one. ``options`` are further fields.
    ``guarded`` are the names of the agent's own tools whose calls need approval; ``new_id`` returns the id of one by
    its number in its completion.
    """

    tools: tuple[Message, ...] = ()
    client_tools: tuple[Message, ...] = ()
    required: bool = False
    required_name: str | None = None
    guarded: frozenset[str] = frozenset()
    new_id: Callable[[int], str] = str
    options: Mapping[str, Any] = field(default_factory=dict)
    limits: RunLimits = field(default_factory=RunLimits)

    @property
    def client_names(self) -> frozenset[str]:
        return frozenset(tool["function"]["name"] for tool in self.client_tools)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run so far. ``messages`` is what the model is sent; ``turns`` is what the run added to them.

    ``approved`` are the calls that it begins with; ``messages`` have a place for the result of each.
    """

    plan: RunPlan
    messages: tuple[Message, ...]
    approved: tuple[Call, ...] = ()
    turns: tuple[Message, ...] = ()
    model_calls: int = 0
    tool_calls: int = 0
    usage: Usage = Usage()
    text: str = ""
    """What the client was sent so far, of all completions."""
    refusal: str = ""

    def add(self, *turns: Message) -> Run:
        return replace(self, messages=(*self.messages, *turns), turns=(*self.turns, *turns))


@dataclass(frozen=True, slots=True)
class CallModel:
    """Send ``fields``, a chat completions request without its model.

    ``error``: what the model did of the same call before; the next one of the run is called, or it is raised.
    """

    fields: Message
    error: GatewayError | None = None


@dataclass(frozen=True, slots=True)
class RunTools:
    """Run these calls of the agent's own tools, side by side."""

    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Finish:
    """Complete the response; ``calls`` are those that the client has to run, or to approve."""

    finish_reason: str
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class GiveUp:
    error: GatewayError


Action = CallModel | RunTools | Finish | GiveUp


def begin(run: Run) -> Action:
    """Return the first action."""
    return RunTools(run.approved) if run.approved else _call_model(run)


def after_completion(run: Run, completion: Completion) -> tuple[Run, Action]:
    """The model has responded."""
    plan, before = run.plan, replace(run, usage=run.usage + completion.usage)
    message = _with_own_ids(completion.message, plan)
    run = replace(
        run.add(message),
        usage=run.usage + completion.usage,
        text=run.text + completion.text,
        refusal=run.refusal + completion.refusal,
    )
    calls = calls_of(message)
    theirs = tuple(call for call in calls if call.name in plan.client_names)
    if (error := _unsatisfied(plan, theirs)) is not None:
        return run, GiveUp(error)
    of_agent = [call for call in calls if call.name not in plan.client_names]
    if run.tool_calls + len(of_agent) > plan.limits.max_tool_calls:
        return run, GiveUp(_exceeded("tool calls", plan.limits.max_tool_calls, "maxToolCalls"))
    own = tuple(call for call in of_agent if call.name not in plan.guarded)
    theirs = tuple(call for call in calls if call not in own)
    if own:
        return replace(run, tool_calls=run.tool_calls + len(own)), RunTools(own)
    if theirs:
        # Where the model was cut, the arguments may be half of what it wanted.
        return run, Finish("length" if completion.finish_reason == "length" else "tool_calls", theirs)
    if (
        completion.finish_reason == "stop"
        and not (run.text or run.refusal)
        and any(map(message.get, _REASONING))
    ):
        cause = "the model ended after its reasoning, without a text or a call; send the request again"
        again = _call_model(before)
        if isinstance(again, CallModel):
            return before, replace(again, error=UpstreamMalformed(cause))
        return before, GiveUp(UpstreamMalformed(cause))
    return run, Finish(completion.finish_reason)


def after_tools(run: Run, results: Sequence[tuple[Call, str]]) -> tuple[Run, Action]:
    """All calls of the agent's own tools have their results, in any order."""
    if run.approved:
        texts = {call.id: result for call, result in results}
        messages = tuple(
            {**one, "content": texts[one["tool_call_id"]]} if one.get("tool_call_id") in texts else one
            for one in run.messages
        )
        run = replace(run, messages=messages, approved=(), tool_calls=len(texts))
        return run, _call_model(run)
    run = run.add(*({"role": "tool", "tool_call_id": call.id, "content": result} for call, result in results))
    ended = {call.id for call, _ in results}
    calling = next(turn for turn in reversed(run.turns) if turn["role"] == "assistant")
    theirs = tuple(call for call in calls_of(calling) if call.id not in ended)
    return run, Finish("tool_calls", theirs) if theirs else _call_model(run)


def _with_own_ids(message: Message, plan: RunPlan) -> Message:
    """Return the model's message with an id of ours for each call that needs approval: a model may repeat its own."""
    calls = message.get("tool_calls", ())
    if not any(call["function"]["name"] in plan.guarded for call in calls):
        return message
    named = [
        {**call, "id": plan.new_id(number)} if call["function"]["name"] in plan.guarded else call
        for number, call in enumerate(calls)
    ]
    return {**message, "tool_calls": named}


def after_model_call(run: Run) -> Run:
    """A model call was begun."""
    return replace(run, model_calls=run.model_calls + 1)


def _call_model(run: Run) -> Action:
    plan, limits = run.plan, run.plan.limits
    if run.model_calls >= limits.max_turns:
        return GiveUp(_exceeded("model calls", limits.max_turns, "maxTurns"))
    if limits.max_tokens is not None and run.usage.total_tokens >= limits.max_tokens:
        return GiveUp(_exceeded("tokens", limits.max_tokens, "maxTokens"))
    if limits.max_cost is not None and run.model_calls:
        if run.usage.cost is None:
            return GiveUp(
                RunLimitExceeded(
                    "the run was stopped: a model's price is not known, and maxCost limits what a run may cost; "
                    "give the model a `cost` under models.providers, or remove maxCost"
                )
            )
        if run.usage.cost >= limits.max_cost:
            return GiveUp(_exceeded("US dollars", limits.max_cost, "maxCost"))
    fields: Message = {**plan.options, "messages": list(run.messages)}
    # Where a call of the client's is required, no other tool may take its place.
    tools = plan.client_tools if plan.required else (*plan.tools, *plan.client_tools)
    if tools:
        fields["tools"] = list(tools)
    if plan.required_name is not None:
        fields["tool_choice"] = {"type": "function", "function": {"name": plan.required_name}}
    elif plan.required:
        fields["tool_choice"] = "required"
    return CallModel(fields)


def _unsatisfied(plan: RunPlan, calls: Sequence[Call]) -> GatewayError | None:
    """Texts: OpenClaw 2026.9.6, recorded."""
    name = plan.required_name
    if name is not None and all(call.name != name for call in calls):
        return ToolChoiceUnsatisfied(
            f"tool_choice required a {name} tool call, but the agent did not produce one"
        )
    if plan.required and not calls:
        return ToolChoiceUnsatisfied("tool_choice=required was not satisfied by the agent response")
    return None


def _exceeded(what: str, most: object, setting: str) -> RunLimitExceeded:
    return RunLimitExceeded(
        f"the run was stopped: it may use {most} {what} (plugins.entries.clawgate.config.agents, {setting})"
    )
