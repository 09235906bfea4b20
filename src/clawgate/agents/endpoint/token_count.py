"""Estimates the tokens of a request for an agent: what its model would get of it, and what the agent adds.

What a session has is not counted: it grows while the client waits. What a Responses request itself refers to is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from clawgate.agents.endpoint.local_plan import LocalAttempt, LocalPlan, MadeAttempt
from clawgate.agents.endpoint.responses_door import ResponsesDoor
from clawgate.agents.endpoint.responses_request import ResponseTerms, read_terms
from clawgate.agents.endpoint.service import AgentService
from clawgate.agents.request.target import Target, read_target
from clawgate.agents.run.divergence import Turn
from clawgate.relay.admission.plan import AdmittedHead, RoutePlan
from clawgate.relay.response.buffered import MadeResponse
from clawgate.relay.upstream.local import LocalResponse
from clawgate.wire.dialect import Dialect
from clawgate.wire.json.model_field import find_model
from clawgate.wire.json.strict import encode_request
from clawgate.wire.token_estimate import counted, estimate_tokens

_HEADERS = {
    b"content-type": b"application/json",
    b"cache-control": b"no-store",
    b"x-clawgate-estimated": b"true",
}
_LINES = b"".join(b"%b: %b\r\n" % pair for pair in _HEADERS.items())


class TokenCounter:
    def __init__(self, service: AgentService, door: ResponsesDoor) -> None:
        self._service = service
        self._door = door

    def route(self, head: AdmittedHead, headers: Mapping[str, str], body: bytes) -> RoutePlan:
        """Raises `InvalidRequest`."""
        names = self._service.config.agents.names
        target = read_target(find_model(body).name or "", headers, "", names, fresh="count")
        name = f"openclaw/{target.agent}"
        if head.dialect is Dialect.RESPONSES:
            terms = read_terms(body)
            if terms.needs_stored:
                return LocalPlan(
                    _StoredCount(name, partial(self._count_stored, head.caller, headers, terms, target)), name
                )
            body = encode_request(terms.fields)
        made = MadeResponse(200, _LINES, self._count(body, target, head.dialect))
        return LocalPlan(MadeAttempt(name, made), name)

    def _count(self, body: bytes, target: Target, dialect: Dialect, past: Sequence[Turn] = ()) -> bytes:
        """Return the body of the response; ``past`` are turns that the request continues."""
        config = self._service.config
        spec = config.agents.specs[target.agent]
        added = {
            "system": config.prompt_of(spec),
            "messages": [turn.message for turn in past],
            "tools": config.tools_of(spec, "").definitions(),
        }
        return counted(estimate_tokens(body, dialect) + estimate_tokens(encode_request(added)), dialect)

    async def _count_stored(
        self, caller: str, headers: Mapping[str, str], terms: ResponseTerms, target: Target
    ) -> bytes:
        """Do the same for a request that refers to something stored. Raises `InvalidRequest`, `ResponseNotFound`."""
        terms, continued = await self._door.read_stored(caller, terms)
        past: Sequence[Turn] = ()
        if continued is not None:
            target, past = continued.target(target, headers), continued.past.turns
        return await asyncio.to_thread(
            lambda: self._count(encode_request(terms.fields), target, Dialect.RESPONSES, past)
        )


class _StoredCount(LocalAttempt):
    def __init__(self, name: str, count: Callable[[], Awaitable[bytes]]) -> None:
        super().__init__(name, dialect=Dialect.RESPONSES)
        self._count = count

    async def respond(self, response: LocalResponse) -> None:
        body = await self._count()
        response.begin(200, _HEADERS.items(), length=len(body))
        response.send(body)
