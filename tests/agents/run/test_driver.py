"""One run from its first model call to its end: what it does, and what it reports while it does it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from clawgate.agents.run.driver import RunDriver, ToolOutcome
from clawgate.agents.run.events import RunEvent, TextDelta, ToolEnded, ToolStarted
from clawgate.agents.run.step import Call, Finish, Message, Run, RunLimits, RunPlan, Usage
from clawgate.errors import GatewayError, UpstreamClosed, UpstreamMalformed
from clawgate.policy.model_routing import ModelRef
from tests.agents.model_stand import DONE, MODEL, ModelStand, call_of, chunk_of, models, usage_of
from tests.agents.run.test_step import tool
from tests.e2e.stand import until
from tests.peers.faults import never_responds, sse_response
from tests.peers.upstream import ScriptChoice

HELLO = sse_response(
    [chunk_of({"content": "hel"}), chunk_of({"content": "lo"}), chunk_of(reason="stop"), DONE]
)
REASONED = sse_response(
    [chunk_of({"reasoning_content": "hm"}), usage_of(10, 2), chunk_of(reason="stop"), DONE]
)
CALLS_TWO = sse_response(
    [call_of("own"), call_of("own", index=1), usage_of(10, 2), chunk_of(reason="tool_calls"), DONE]
)
CALLS_THEIRS = sse_response(
    [chunk_of({"content": "let me see"}), call_of("theirs", '{"a":1}'), chunk_of(reason="tool_calls"), DONE]
)


async def result_of(call: Call) -> ToolOutcome:
    return ToolOutcome(f"result of {call.id}")


def unknown(model: ModelRef | None, usage: Usage) -> Decimal | None:
    return None


@dataclass(slots=True)
class Reported:
    events: list[RunEvent] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))


def driver(
    stand: ModelStand,
    reported: Reported,
    *,
    run_tool: Callable[[Call], Awaitable[ToolOutcome]] = result_of,
    cost_of: Callable[[ModelRef | None, Usage], Decimal | None] = unknown,
    chain: Sequence[ModelRef] = (MODEL,),
    **plan: Any,
) -> RunDriver:
    def call_model(models: Sequence[ModelRef], fields: Message) -> Any:
        return stand.caller.call(models, fields, caller="me")

    run = Run(plan=RunPlan(**plan), messages=({"role": "user", "content": "hi"},))
    return RunDriver(
        run,
        chain=chain,
        call_model=call_model,
        run_tool=run_tool,
        cost_of=cost_of,
        emit=reported.events.append,
    )


async def test_text_is_reported_as_it_comes() -> None:
    reported = Reported()
    async with models(HELLO) as stand:
        made = driver(stand, reported)
        assert await made.drive() == Finish("stop")
    assert reported.events == [TextDelta("hel"), TextDelta("lo")]
    assert made.run.turns == ({"role": "assistant", "content": "hello"},)


async def test_a_model_that_only_reasoned_gives_way_to_its_fallback_and_both_are_paid_for() -> None:
    chain = [MODEL, ModelRef("other", "m"), ModelRef("other", "n")]
    reported = Reported()
    async with models(REASONED, REASONED, HELLO) as stand:
        made = driver(stand, reported, chain=chain)
        assert await made.drive() == Finish("stop")
    assert reported.text == "hello" and made.run.turns == ({"role": "assistant", "content": "hello"},)
    assert [use.model for use in made.uses] == chain
    assert (made.run.model_calls, made.run.usage.total_tokens) == (3, 24)


@pytest.mark.parametrize(("chain", "most"), [((MODEL,), 50), ((MODEL, ModelRef("other", "m")), 1)])
async def test_a_run_fails_that_has_no_fallback_for_a_model_that_only_reasoned(
    chain: Sequence[ModelRef], most: int
) -> None:
    async with models(REASONED) as stand:
        made = driver(stand, Reported(), chain=chain, limits=RunLimits(max_turns=most))
        with pytest.raises(UpstreamMalformed, match="after its reasoning"):
            await made.drive()


async def test_tools_run_side_by_side_and_the_model_gets_their_results_in_order() -> None:
    both = asyncio.Barrier(2)

    async def run_tool(call: Call) -> ToolOutcome:
        await both.wait()  # passes only if the other one runs as well
        return ToolOutcome(call.id.upper())

    reported = Reported()
    async with models(CALLS_TWO, HELLO) as stand:
        made = driver(stand, reported, run_tool=run_tool, tools=(tool("own"),))
        await made.drive()
        sent = stand.bodies[1]["messages"]
    assert [(m["role"], m.get("content")) for m in sent[2:]] == [
        ("tool", "CALL-OWN-0"),
        ("tool", "CALL-OWN-1"),
    ]
    kinds = [type(event) for event in reported.events]
    assert kinds[:2] == [ToolStarted, ToolStarted] and kinds[2:4] == [ToolEnded, ToolEnded]
    assert reported.text == "hello"


async def test_what_each_model_call_used_is_known_with_its_price() -> None:
    reported = Reported()
    async with models(CALLS_TWO, HELLO) as stand:
        made = driver(stand, reported, cost_of=lambda model, usage: Decimal(usage.total_tokens))
        await made.drive()
    assert [(str(use.model), use.usage.total_tokens, use.usage.cost) for use in made.uses] == [
        ("up/m", 12, Decimal(12)),
        ("up/m", 0, Decimal(0)),
    ]
    assert made.run.usage == Usage(10, 2, cost=Decimal(12))


async def test_text_in_front_of_a_required_call_waits_for_the_call() -> None:
    """It would be a wrong response, if the call did not come."""
    reported = Reported()
    async with models(CALLS_THEIRS) as stand:
        made = driver(stand, reported, client_tools=(tool("theirs"),), required=True)
        finish = await made.drive()
        assert stand.bodies[0]["tool_choice"] == "required"
    assert finish.calls == (Call("call-theirs-0", "theirs", '{"a":1}'),)
    assert reported.events == [TextDelta("let me see")]


async def test_text_without_a_required_call_is_never_reported() -> None:
    reported = Reported()
    async with models(HELLO) as stand:
        made = driver(stand, reported, client_tools=(tool("theirs"),), required=True)
        with pytest.raises(GatewayError, match="not satisfied"):
            await made.drive()
    assert reported.events == []


async def test_a_cut_stream_leaves_the_part_that_came() -> None:
    reported = Reported()
    async with models(sse_response([chunk_of({"content": "half"})])) as stand:
        made = driver(stand, reported)
        with pytest.raises(UpstreamClosed):
            await made.drive()
    assert made.partial == "half" and made.run.turns == ()


async def cancelled(stand: ModelStand, made: RunDriver, ready: Callable[[], bool]) -> None:
    task = asyncio.create_task(made.drive())
    await until(ready, "the run to get there")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancelled_run_frees_its_upstream() -> None:
    scripts: tuple[ScriptChoice, ...] = (never_responds(),)
    async with models(*scripts) as stand:
        await cancelled(stand, driver(stand, Reported()), lambda: bool(stand.upstream.requests))
        await stand.upstream.pulse.until(lambda: not stand.upstream.open_connections)


async def test_a_cancelled_run_stops_its_tools() -> None:
    ended: list[str] = []

    async def run_tool(call: Call) -> ToolOutcome:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(call.id)
        return ToolOutcome("")

    reported = Reported()
    async with models(CALLS_TWO) as stand:
        made = driver(stand, reported, run_tool=run_tool, tools=(tool("own"),))
        await cancelled(stand, made, lambda: len(reported.events) == 2)
    assert sorted(ended) == ["call-own-0", "call-own-1"]
