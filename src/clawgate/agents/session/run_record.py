"""Makes of a run the record that is stored of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clawgate.agents.run.driver import ToolOutcome
from clawgate.agents.run.step import Call
from clawgate.agents.run.tool_uses import ModelUse
from clawgate.agents.session.run_order import RunOrder
from clawgate.state.records import ModelUsage, RunRecord, StoredSession, ToolCallRecord


def record_of(order: RunOrder, session: StoredSession | None, *, keeps: bool, **outcome: Any) -> RunRecord:
    """``session`` is as it was when the run began; with ``keeps`` the run changes it, where the request has one.

    ``outcome`` are the other fields of `RunRecord`.
    """
    return RunRecord(
        run=order.run,
        caller=order.caller,
        agent=order.agent,
        session=order.session.text,
        keeps_session=order.session.is_kept and keeps,
        expected_seq=session.next_seq if session is not None else 0,
        trace_id=order.trace_id,
        key=order.key,
        **outcome,
    )


def used(use: ModelUse) -> ModelUsage:
    usage = use.usage
    return ModelUsage(
        provider=use.model.provider if use.model is not None else "",
        model=use.model.model if use.model is not None else "",
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        cost=usage.cost,
    )


def last_model(uses: Sequence[ModelUse]) -> dict[str, str | None]:
    """Return the provider and the model of the last response, by the names that the record has."""
    model = uses[-1].model if uses else None
    if model is None:
        return {"provider": None, "model": None}
    return {"provider": model.provider, "model": model.model}


def called(call: Call, outcome: ToolOutcome, started_at: float, seconds: float) -> ToolCallRecord:
    """A call of one of the agent's own tools."""
    return ToolCallRecord(
        id=call.id,
        name=call.name,
        arguments=call.arguments,
        result=outcome.result,
        status="error" if outcome.failed else "ok",
        started_at=started_at,
        seconds=seconds,
    )


def returned(call: Call, now: float) -> ToolCallRecord:
    """A call that the client was sent: its result comes with a later request."""
    return ToolCallRecord(
        id=call.id,
        name=call.name,
        arguments=call.arguments,
        result="",
        status="client",
        started_at=now,
        seconds=0.0,
    )
