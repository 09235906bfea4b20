"""Drives one run: performs what `step` decides, and reports each thing that happens as it happens.

Law: one code path for every door. Knows no dialect of a client, no session and no store; what it needs is passed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from clawgate.agents.run import step
from clawgate.agents.run.events import RunEvent, TextDelta, ToolEnded, ToolStarted
from clawgate.agents.run.model_call import ModelCall
from clawgate.agents.run.model_message import delta_text
from clawgate.agents.run.step import Call, Completion, Message, Run, Usage
from clawgate.agents.run.tool_uses import ModelUse, collected
from clawgate.errors import GatewayError
from clawgate.policy.model_routing import ModelRef


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """The result of a tool as the model reads it; ``failed``: it says why there is none."""

    result: str
    failed: bool = False


CallModel = Callable[[Sequence[ModelRef], Message], ModelCall]
RunTool = Callable[[Call], Awaitable[ToolOutcome]]
CostOf = Callable[[ModelRef | None, Usage], Decimal | None]


class RunDriver:
    """One run, by the models of ``chain``.

    ``run`` is where it stands, ``partial`` the text of a completion that is not complete yet.
    """

    def __init__(
        self,
        run: Run,
        *,
        chain: Sequence[ModelRef],
        call_model: CallModel,
        run_tool: RunTool,
        cost_of: CostOf,
        emit: Callable[[RunEvent], None],
    ) -> None:
        self.run = run
        self.partial = ""
        self.uses: list[ModelUse] = []
        self.tool_calls: list[tuple[Call, ToolOutcome]] = []
        self._chain = chain
        self._call_model = call_model
        self._run_tool = run_tool
        self._cost_of = cost_of
        self._emit = emit

    async def drive(self) -> step.Finish:
        """Run to the end. Raises `GatewayError`; cancelled, it frees the upstream and stops its tools."""
        action = step.begin(self.run)
        while True:
            match action:
                case step.CallModel(fields, error):
                    completion = await self._ask(self._models_after(error), fields)
                    self.run, action = step.after_completion(self.run, completion)
                    if self.run.plan.required and isinstance(action, step.Finish) and completion.text:
                        self._emit(TextDelta(completion.text))
                case step.RunTools(calls):
                    results = await self._use_tools(calls)
                    self.run, action = step.after_tools(self.run, results)
                case step.Finish():
                    return action
                case step.GiveUp(error):
                    raise error

    def _models_after(self, error: GatewayError | None) -> Sequence[ModelRef]:
        """Return the models to call: after an error those behind the one that made it. Raises it without any."""
        if error is None:
            return self._chain
        last = self.uses[-1].model
        left = self._chain[self._chain.index(last) + 1 :] if last in self._chain else ()
        if not left:
            raise error
        return left

    async def _ask(self, models: Sequence[ModelRef], fields: Message) -> Completion:
        self.run = step.after_model_call(self.run)
        # Text in front of a call that is required is no completion without the call: it waits for it.
        streams = not self.run.plan.required
        call = self._call_model(models, fields)
        pieces: list[str] = []
        try:
            async for chunk in call.chunks():
                text = delta_text(chunk)
                if text:
                    pieces.append(text)
                    if streams:
                        self._emit(TextDelta(text))
            completion = call.completion()
        except BaseException:
            self.partial = "".join(pieces)
            raise
        if streams and not pieces and completion.text:  # it came as another choice than the first
            self._emit(TextDelta(completion.text))
        usage = self._priced(call.served_by, completion.usage)
        self.uses.append(ModelUse(call.served_by, usage))
        return replace(completion, usage=usage)

    def _priced(self, model: ModelRef | None, usage: Usage) -> Usage:
        return replace(usage, cost=self._cost_of(model, usage))

    def _account(self, uses: Sequence[ModelUse]) -> None:
        """Add what a tool used of models to what the run did."""
        for use in uses:
            usage = self._priced(use.model, use.usage)
            self.uses.append(ModelUse(use.model, usage))
            self.run = replace(self.run, usage=self.run.usage + usage)

    async def _use_tools(self, calls: Sequence[Call]) -> list[tuple[Call, str]]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._use_tool(call)) for call in calls]
        return [(call, task.result().result) for call, task in zip(calls, tasks, strict=True)]

    async def _use_tool(self, call: Call) -> ToolOutcome:
        self._emit(ToolStarted(call))
        with collected() as uses:
            try:
                outcome = await self._run_tool(call)
            finally:
                self._account(uses)
        self.tool_calls.append((call, outcome))
        self._emit(ToolEnded(call, outcome.result, outcome.failed))
        return outcome
