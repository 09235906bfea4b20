"""Serves the Responses API in front of agents: requests that continue stored responses, and the stored ones themselves.

Law: another caller's response does not exist, and nothing of it is read. What a request continues is read before
anything is started; what is deleted or out of reach is refused, never left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from clawgate.agents.endpoint import conversations
from clawgate.agents.endpoint.doors import read_responses
from clawgate.agents.endpoint.local_plan import LocalAttempt, LocalPlan
from clawgate.agents.endpoint.plan import AgentAttempt, AgentRequest
from clawgate.agents.endpoint.responses_request import (
    INCOMPLETE,
    PREVIOUS,
    ResponseTerms,
    is_conversation_id,
    not_found,
    read_terms,
    with_references,
)
from clawgate.agents.endpoint.service import AgentService, Continued
from clawgate.agents.endpoint.stored_response import (
    LONGEST_SECONDS,
    FindDirect,
    StoredAttempt,
    response_under_way,
)
from clawgate.agents.request.refusal import reject
from clawgate.agents.run.history import HistoryLimit
from clawgate.agents.session.run_order import Past
from clawgate.agents.session.runs import Runs
from clawgate.policy.path_routing import RESPONSES_PATH
from clawgate.relay.admission.plan import AdmittedHead, RoutePlan
from clawgate.relay.upstream.local import LocalResponse
from clawgate.state.records import Extent
from clawgate.state.responses import IN_PROGRESS
from clawgate.state.store import Store
from clawgate.wire.dialect import Dialect

_TURNS_BEFORE = 20
"""Read in front of the history, which begins with a turn of the user."""
_BYTES_PER_CHARACTER = 6
"""Of the JSON that a turn is stored as, at most."""


class ResponsesDoor:
    """``find_direct`` is as in `StoredAttempt`."""

    def __init__(self, service: AgentService, find_direct: FindDirect) -> None:
        self._service = service
        self._find_direct = find_direct

    def route(self, head: AdmittedHead, headers: Mapping[str, str], body: bytes) -> RoutePlan:
        """Raises `InvalidRequest`."""
        if head.path != RESPONSES_PATH:
            attempt = StoredAttempt(head, self._service, self._find_direct)
            return LocalPlan(attempt, "")
        service, terms = self._service, read_terms(body)
        if not terms.needs_stored:
            read = read_responses(terms, service.config.images)
            request = service.prepare_read(head.caller, headers, body, read, terms)
            return LocalPlan(AgentAttempt(request, service.runs), request.model)
        return LocalPlan(
            ContinuingAttempt(self, head.caller, headers, body, terms, service.runs),
            str(terms.fields.get("model", "")),
        )

    async def prepare(
        self, caller: str, headers: Mapping[str, str], body: bytes, terms: ResponseTerms
    ) -> AgentRequest:
        """Read what the request refers to, and return what starts its run. Raises `InvalidRequest`."""
        service = self._service
        terms, continued = await self.read_stored(caller, terms)
        read = await asyncio.to_thread(read_responses, terms, service.config.images)
        return service.prepare_read(caller, headers, body, read, terms, continued)

    async def read_stored(self, caller: str, terms: ResponseTerms) -> tuple[ResponseTerms, Continued | None]:
        """Return a request with the items that it refers to, and the response that it continues.

        Raises `InvalidRequest`, `ResponseNotFound`, `ConversationNotFound`.
        """
        store = (await self._service.services()).store
        terms = await with_references(terms, lambda run: store.response(caller, run))
        if is_conversation_id(terms.conversation):
            found = await conversations.find(store, caller, terms.conversation)
            terms = replace(terms, conversation_agent=found.agent)
        if terms.previous is None:
            return terms, None
        return terms, await self._continued(store, caller, terms.previous)

    async def _continued(self, store: Store, caller: str, run: str) -> Continued:
        limit = max((spec.history for spec in self._service.config.agents.specs.values()), key=_size)
        extent = Extent(limit.turns + _TURNS_BEFORE, limit.characters * _BYTES_PER_CHARACTER)
        found = await store.history(caller, run, extent)
        if found is None and response_under_way(self._service.runs, self._find_direct, caller, run) is None:
            raise not_found(f"resp_{run}")
        if found is None or found.response.status in IN_PROGRESS:
            reject(PREVIOUS, INCOMPLETE)
        response, session = found.response, None
        if response.session is not None:
            latest = await store.session(caller, response.session, Extent(turns=1))
            session = response.session if latest is not None and latest.next_seq == response.seq else None
        next_seq = response.seq if session is not None else None
        past = Past(turns=found.turns, is_whole=found.is_whole, next_seq=next_seq)
        return Continued(parent=run, agent=response.agent, past=past, session=session)


def _size(limit: HistoryLimit) -> int:
    return limit.turns


class ContinuingAttempt(AgentAttempt):
    """An attempt whose request is understood once something stored was read."""

    def __init__(
        self,
        door: ResponsesDoor,
        caller: str,
        headers: Mapping[str, str],
        body: bytes,
        terms: ResponseTerms,
        runs: Runs,
    ) -> None:
        LocalAttempt.__init__(self, "agent", dialect=Dialect.RESPONSES, seconds=LONGEST_SECONDS)
        self._prepare: Callable[[], Awaitable[AgentRequest]] = lambda: door.prepare(
            caller, headers, body, terms
        )
        self._runs = runs
        self._run = ""

    @property
    def attribution_headers(self) -> bytes:
        return super().attribution_headers if self._run else b""

    async def respond(self, response: LocalResponse) -> None:
        self._request = await self._prepare()
        self._run = self._request.start.run
        self.served_by = f"openclaw/{self._request.agent}"
        await super().respond(response)
