"""Runs one request within its session: waits for its turn, reads the history, drives the run, stores what it leaves.

Law: the end of a run is reported after all of it is stored, in one transaction; half of one never is. A run that is
cancelled leaves what came, marked as interrupted; one that fails leaves no turn, so that it can be sent again. What was
used is stored however the run ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from clawgate.agents.request.slash_commands import SlashCommand, without_commands
from clawgate.agents.run.approvals import with_results
from clawgate.agents.run.driver import RunDriver, ToolOutcome
from clawgate.agents.run.events import Finished, RunEvent, Started, TextDelta
from clawgate.agents.run.history import Composed, compose
from clawgate.agents.run.step import Call, Finish, Message, Run, Usage
from clawgate.agents.session.call_approvals import CallApprovals, shielded
from clawgate.agents.session.command_effect import effect_of
from clawgate.agents.session.ended_elsewhere import stopping_with_response
from clawgate.agents.session.run_order import ResponseOrder, RunOrder, RunServices, plan_of
from clawgate.agents.session.run_record import called, last_model, record_of, returned, used
from clawgate.errors import (
    ClientLeft,
    GatewayError,
    GatewayStopping,
    InternalError,
    SessionConflict,
    UpstreamTimedOut,
)
from clawgate.policy.model_routing import ModelRef
from clawgate.relay.observe.record import CLIENT_LEFT
from clawgate.relay.response.error_response import status_of
from clawgate.state.records import (
    Extent,
    IdempotencyResult,
    NewResponse,
    NewTurn,
    RunRecord,
    StoredSession,
)

logger = logging.getLogger("clawgate.agents")

_TURNS_BEFORE = 20
"""So many turns are read in front of the history: it begins with one of the user, and turns without content are left
out of it. Reading all 2000 that a session may have would take 15 ms."""
_BYTES_PER_CHARACTER = 6
"""Of a character in JSON, which is stored with escapes alone."""
QUEUED_SECONDS = 1.0
"""A client whose run waits for longer is shown that its request was taken."""


class SessionRun:
    """See the module. ``emit`` is given each event as it happens.

    ``encode`` returns the content type and the complete response of all events, to be repeated for the same key.
    """

    def __init__(
        self,
        order: RunOrder,
        services: RunServices,
        emit: Callable[[RunEvent], None],
        encode: Callable[[Sequence[RunEvent]], tuple[str, bytes]],
    ) -> None:
        self._order = order
        self._services = services
        self._report = emit
        self._encode = encode
        self._events: list[RunEvent] = []
        self._started_at = services.clock()
        self._tool_times: dict[str, tuple[float, float]] = {}
        self._client_calls: tuple[Call, ...] = ()
        self._approvals = CallApprovals(order, services)

    async def work(self) -> None:
        """Raises `GatewayError` where there is no response."""
        await self._services.store.ready()
        response = self._order.response
        if response is None or not response.is_background:
            await self._work()
            return
        await self._services.store.begin_response(self._record(None, keeps=False, response=response.queued()))
        try:
            async with stopping_with_response(self._services.store, self._order.caller, self._order.run):
                await self._work()
        except asyncio.CancelledError:
            await self._end_background(
                response, GatewayStopping("the run was stopped before it was complete")
            )
            raise
        except Exception as error:
            known = error if isinstance(error, GatewayError) else InternalError("an internal error")
            await self._end_background(response, known)
            raise

    async def _work(self) -> None:
        if self._order.session.is_kept:
            await self._in_session()
        else:
            await self._run(None)

    async def _in_session(self) -> None:
        order, store = self._order, self._services.store
        loop = asyncio.get_running_loop()
        notice = loop.call_later(QUEUED_SECONDS, self._emit_started)
        try:
            # a run needs the turns that go to the model, and where those before them end; a command needs none
            limit = order.history
            needed = Extent(limit.turns + _TURNS_BEFORE, limit.characters * _BYTES_PER_CHARACTER)
            extent = needed if order.command is None else Extent(1)
            async with store.hold(order.caller, order.session.text, order.seconds, extent) as session:
                notice.cancel()
                next_seq = session.next_seq if session is not None else 0
                if order.past is None or order.past.next_seq == next_seq:
                    await self._run(session)
                    return
            # another run was faster: this one continues the response outside of the session
            self._order = replace(order, session=replace(order.session, is_kept=False))
            await self._run(None)
        finally:
            notice.cancel()

    async def _run(self, session: StoredSession | None) -> None:
        order = self._order
        if order.command is not None:
            await self._do_command(order.command, session)
            return
        composed = self._composed(session)
        if session is not None and not (
            composed.is_placed or session.is_whole
        ):  # it repeats what was not read
            session = await self._services.store.session(order.caller, order.session.text)
            composed = self._composed(session)
        replaced = session.turns[composed.kept :] if session is not None else ()
        replaces_from = replaced[0].seq if replaced else None
        chain = order.chain_of(session.model if session is not None else None)
        composed = await self._approvals.decided(composed)
        driver = self._driver(composed, chain)
        self._emit_started()
        try:
            finish = await self._drive(driver)
        except Exception as error:
            known = error if isinstance(error, GatewayError) else InternalError("")
            await self._store_rest(driver, session, status=status_of(known), code=known.code)
            raise
        except asyncio.CancelledError:
            left = {"turns": self._interrupted(composed, driver), "replaces_from": replaces_from}
            await self._store_rest(driver, session, status=CLIENT_LEFT, code=ClientLeft.code, **left)
            raise
        finished = Finished(
            driver.run.text, finish.finish_reason, finish.calls, driver.run.usage, driver.run.refusal
        )
        turns = tuple(NewTurn(message=message) for message in self._new_turns(composed, driver))
        self._client_calls = finish.calls
        kept = {
            "turns": turns,
            "replaces_from": replaces_from,
            "approvals": self._approvals.waiting(finish.calls),
            **self._repeatable(finished),
        }
        await self._store(driver, session, **kept)
        self._emit(finished)

    def _new_turns(self, composed: Composed, driver: RunDriver) -> tuple[Message, ...]:
        approved = self._approvals.calls
        results = {call.id: outcome.result for call, outcome in driver.tool_calls if call in approved}
        return (*with_results(composed.new, results), *driver.run.turns)

    def _composed(self, session: StoredSession | None) -> Composed:
        order = self._order
        before = session or order.past
        return compose(
            before.turns if before is not None else (),
            without_commands(order.request.conversation, in_session=order.session.is_kept),
            system=order.system,
            limit=order.history,
            is_whole=before is None or before.is_whole,
            may_replace=session is not None and order.past is None,
            sends_all=order.session.sends_all,
        )

    async def _do_command(self, command: SlashCommand, session: StoredSession | None) -> None:
        order = self._order
        count = (
            await self._services.store.turn_count(order.caller, order.session.text)
            if session is not None
            else 0
        )
        effect = effect_of(command, order.facts_of(session, count), order.choose)
        self._emit_started()
        self._emit(TextDelta(effect.reply))
        finished = Finished(effect.reply, "stop", (), Usage())
        changes = {
            "session_model": effect.session_model,
            "begins_anew": effect.begins_anew,
            **self._repeatable(finished),
        }
        await self._commit(self._record(session, keeps=effect.session_model is not None, **changes))
        self._emit(finished)

    async def _drive(self, driver: RunDriver) -> Finish:
        order = self._order
        try:
            async with asyncio.timeout(order.seconds):
                return await driver.drive()
        except TimeoutError:
            raise UpstreamTimedOut(
                f"agent {order.agent}: the run was not complete within {order.seconds:g} s "
                "(plugins.entries.clawgate.config.agents, timeout)",
                limit="total",
                seconds=order.seconds,
            ) from None

    def _driver(self, composed: Composed, chain: tuple[ModelRef, ...]) -> RunDriver:
        order, services = self._order, self._services
        caller = f"{order.caller} agent:{order.agent}"
        return RunDriver(
            Run(plan=plan_of(order), messages=composed.messages, approved=self._approvals.calls),
            chain=chain,
            call_model=lambda models, fields: services.call_model(models, fields, caller),
            run_tool=self._run_tool,
            cost_of=services.cost_of,
            emit=self._emit,
        )

    async def _run_tool(self, call: Call) -> ToolOutcome:
        clock = self._services.clock
        started_at = clock()
        try:
            return await self._approvals.run_tool(call)
        finally:
            self._tool_times[call.id] = (started_at, clock() - started_at)

    def _repeatable(self, finished: Finished) -> dict[str, Any]:
        """Return what is stored of the response itself: for a repeat of its request, and to be retrieved."""
        order, events, kept = self._order, [*self._events, finished], dict[str, Any]()
        if order.key is not None:
            content_type, body = self._encode(events)
            kept["idempotency"] = IdempotencyResult(
                key=order.key, status=200, content_type=content_type, body=body
            )
        if order.response is not None:
            made = order.response.body_of(events, None)
            kept["response"] = NewResponse(
                body=made,
                input=order.response.input,
                status=made["status"],
                parent=order.response.parent,
                begun=order.response.is_background,
            )
        return kept

    async def _end_background(self, response: ResponseOrder, error: GatewayError) -> None:
        """Store that the response failed, also while the run is cancelled."""
        order, body = self._order, response.body_of(self._events or [Started()], error)
        end = self._services.store.end_response(order.caller, order.run, body["status"], body)
        try:
            await shielded(end)
        except GatewayError as failure:
            logger.error("run %s: its end is not stored: %s", order.run, failure.message)  # noqa: TRY400

    def _interrupted(self, composed: Composed, driver: RunDriver) -> tuple[NewTurn, ...]:
        """Return what came of a run that was cancelled: a call without its result is left out."""
        turns = [
            NewTurn(message=message, status="interrupted") for message in self._new_turns(composed, driver)
        ]
        if driver.partial:
            message = {"role": "assistant", "content": driver.partial}
            turns.append(NewTurn(message=message, status="interrupted"))
        return tuple(turns)

    async def _store_rest(self, driver: RunDriver, session: StoredSession | None, **record: Any) -> None:
        """Store what a run used that has no response; what keeps it from its response is the error to report."""
        try:
            await self._store(driver, session, **record)
        except GatewayError as error:
            logger.error("run %s: what it used is not stored: %s", self._order.run, error.log_text)  # noqa: TRY400

    async def _store(self, driver: RunDriver, session: StoredSession | None, **outcome: Any) -> None:
        await self._commit(
            self._record(
                session,
                keeps=bool(outcome.get("turns")),
                tool_calls=(
                    *(called(call, result, *self._tool_times[call.id]) for call, result in driver.tool_calls),
                    *(returned(call, self._services.clock()) for call in self._client_calls),
                ),
                usage=tuple(map(used, driver.uses)),
                bytes_sent=len((driver.run.text + driver.partial).encode("utf-8", "replace")),
                **last_model(driver.uses),
                **outcome,
            )
        )

    def _record(self, session: StoredSession | None, *, keeps: bool, **outcome: Any) -> RunRecord:
        times = {"started_at": self._started_at, "finished_at": self._services.clock()}
        return record_of(self._order, session, keeps=keeps, **times, **outcome)

    async def _commit(self, record: RunRecord) -> None:
        """Raises `SessionConflict` for turns of a session that is no more what it was; all but them is stored."""
        try:
            await self._write(record)
        except SessionConflict as error:
            nothing: dict[str, Any] = {"session_model": None, "idempotency": None, "response": None}
            rest = replace(record, keeps_session=False, turns=(), **nothing)
            await self._write(replace(rest, status=status_of(error), code=error.code))
            raise

    async def _write(self, record: RunRecord) -> None:
        """Write the record, also if the run is cancelled meanwhile: it is complete."""
        await shielded(self._services.store.commit(record))

    def _emit_started(self) -> None:
        if not self._events:
            self._emit(Started())

    def _emit(self, event: RunEvent) -> None:
        self._events.append(event)
        self._report(event)
