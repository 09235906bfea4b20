"""Serves one stored response: itself, its input, its deletion, its cancellation, and its events from any on.

Law: another caller's response does not exist, and nothing of it is read. What was deleted is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs

from clawgate.agents.endpoint.item_list import page_of
from clawgate.agents.endpoint.local_plan import LocalAttempt, begin_body
from clawgate.agents.endpoint.plan import send_stream
from clawgate.agents.endpoint.responses_request import not_found, run_of
from clawgate.agents.endpoint.service import AgentService
from clawgate.agents.request.refusal import reject
from clawgate.agents.session.runs import Runs
from clawgate.errors import InvalidRequest, MethodNotAllowed, UnknownRoute
from clawgate.policy.path_routing import RESPONSES_PATH
from clawgate.relay.admission.plan import AdmittedHead
from clawgate.relay.upstream.local import LocalResponse
from clawgate.state.records import NewResponse, StoredResponse
from clawgate.state.responses import IN_PROGRESS, LOST
from clawgate.state.store import Store
from clawgate.wire.dialect import Dialect
from clawgate.wire.json.strict import encode_response

Object = dict[str, Any]


class DirectResponse(Protocol):
    """A response that a model makes without an agent. It is stored at its end, and not once it was stopped."""

    @property
    def begun(self) -> NewResponse: ...
    def stop(self) -> None: ...


FindDirect = Callable[[str, str], DirectResponse | None]


def response_under_way(runs: Runs, find_direct: FindDirect, caller: str, run: str) -> NewResponse | None:
    """Return a response that is made for its client, as it began: it is stored at its end."""
    live = runs.find(caller, run)
    if live is not None and live.response is not None and not (live.is_over or live.is_stopping):
        begun = live.response()
        return None if begun.body["background"] else begun
    direct = find_direct(caller, run)
    return direct.begun if direct is not None else None


Serve = Callable[[Store, LocalResponse], Awaitable[None]]

LONGEST_SECONDS = 10 * 365 * 86_400.0
"""Of what ends with a run: the run has a limit of its own."""
_CANCEL_SECONDS = 10.0
_JSON = "application/json"
_ROUTES = "a response has /v1/responses/{id}, /v1/responses/{id}/input_items and /v1/responses/{id}/cancel"


class StoredAttempt(LocalAttempt):
    """``find_direct`` returns a response of a caller that a model makes without an agent, by its run."""

    def __init__(self, head: AdmittedHead, service: AgentService, find_direct: FindDirect) -> None:
        name, _, part = (
            head.path.removeprefix(RESPONSES_PATH + b"/").decode("ascii", "replace").partition("/")
        )
        self._name, self._caller, self._service = name, head.caller, service
        self._find_direct = find_direct
        self._query = parse_qs(head.target.partition(b"?")[2].decode("ascii", "replace"))
        serve: Mapping[bytes, Serve] | None = {
            "": {b"GET": self._retrieve, b"DELETE": self._delete},
            "input_items": {b"GET": self._list_input},
            "cancel": {b"POST": self._cancel},
        }.get(part)
        is_id = name.startswith("resp_")
        if serve is None or not (is_id or head.method in serve):
            path = head.path.decode("ascii", "replace")[:200]
            raise UnknownRoute(f"unknown route '{path}'; {_ROUTES}")
        if head.method not in serve:
            allow = tuple(method.decode("ascii") for method in serve)
            raise MethodNotAllowed(f"use {' or '.join(allow)} on this route", allow=allow)
        self._serve = serve[head.method]
        self._run = run_of(name, "response_id")
        seconds = LONGEST_SECONDS if "stream" in self._query else 60.0
        super().__init__("stored responses", dialect=Dialect.RESPONSES, seconds=seconds)

    async def respond(self, response: LocalResponse) -> None:
        store = (await self._service.services()).store
        await self._serve(store, response)

    async def _found(self, store: Store) -> StoredResponse | NewResponse:
        # looked at first: one that ends meanwhile is stored
        begun = response_under_way(self._service.runs, self._find_direct, self._caller, self._run)
        found = await store.response(self._caller, self._run) or begun
        if found is None:
            raise not_found(self._name, None)
        return found

    async def _retrieve(self, store: Store, response: LocalResponse) -> None:
        found = await self._found(store)
        if self._query.get("stream", [""])[-1].lower() == "true":
            await self._stream(response)
        else:
            begin_body(response, _JSON, encode_response(self._now(found)))

    def _now(self, found: StoredResponse | NewResponse) -> Object:
        """Return the response as it is now."""
        if found.status == LOST:
            error = {"code": "server_error", "message": "the gateway ended before the response was complete"}
            return {**found.body, "status": "failed", "error": error}
        if found.status in IN_PROGRESS:
            live = self._service.runs.find(self._caller, self._run)
            has_begun = live is None or bool(live.events)
            return {**found.body, "status": "in_progress" if has_begun else "queued"}
        return found.body

    async def _stream(self, response: LocalResponse) -> None:
        live = self._service.runs.find(self._caller, self._run)
        if live is None or live.encoder is None:
            reject(
                "stream",
                "The events of this response are not here: those of one in the background are, for ten minutes "
                "after its end; retrieve it without `stream`.",
            )
        text = self._query.get("starting_after", ["-1"])[-1]
        if not text.removeprefix("-").isdecimal() or len(text) > 9:
            reject("starting_after", "`starting_after` must be the sequence number of an event.")
        await send_stream(live, live.encoder(), response, int(text) + 1, agent="")

    async def _delete(self, store: Store, response: LocalResponse) -> None:
        """Delete first, so that its end is not stored; a response that is made for its client is not stored before."""
        runs = self._service.runs
        is_made = self._made() is not None
        deleted = await store.delete_response(self._caller, self._run)
        if is_made:
            await self._stop()
            deleted = await store.delete_response(self._caller, self._run) or is_made
        direct = self._find_direct(self._caller, self._run)
        if direct is not None:
            direct.stop()
        elif not deleted:
            raise not_found(self._name, None)
        runs.forget(self._caller, self._run)
        begin_body(
            response, _JSON, encode_response({"id": self._name, "object": "response", "deleted": True})
        )

    def _made(self) -> Callable[[], NewResponse] | None:
        """Return what returns the response, as it began, if an agent makes it now."""
        live = self._service.runs.find(self._caller, self._run)
        return None if live is None or live.is_over else live.response

    async def _stop(self) -> None:
        """Cancel the run, if it is run here, and return once it has ended."""
        live = self._service.runs.cancel(self._caller, self._run)
        if live is not None:
            async with asyncio.timeout(_CANCEL_SECONDS):
                await live.ended()

    async def _cancel(self, store: Store, response: LocalResponse) -> None:
        found = await store.response(self._caller, self._run)
        if found is None and (direct := self._find_direct(self._caller, self._run)) is not None:
            direct.stop()
            begin_body(response, _JSON, encode_response({**direct.begun.body, "status": "cancelled"}))
            return
        if found is not None and not found.body.get("background"):
            raise InvalidRequest(
                "only a response that is being made, or that was made with 'background': true, can be cancelled"
            )
        made = self._made()
        await self._stop()  # what another gateway makes ends once that sees what is stored here
        if found is None and made and await store.response(self._caller, self._run) is None:
            begin_body(response, _JSON, encode_response({**made().body, "status": "cancelled"}))
            return
        body = {**(await self._found(store)).body, "status": "cancelled", "error": None}
        await store.end_response(self._caller, self._run, "cancelled", body)
        begin_body(response, _JSON, encode_response(self._now(await self._found(store))))

    async def _list_input(self, store: Store, response: LocalResponse) -> None:
        listed = page_of((await self._found(store)).input, self._query)
        begin_body(response, _JSON, encode_response(listed))
