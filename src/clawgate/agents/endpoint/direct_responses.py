"""Serves requests of the Responses API to a model whose provider has another API, with stored responses.

Law: such a request is one of the same router once what it refers to is in it, and its response passes as it comes; only
what says how it is kept is changed. The end of a response is sent after the response is stored. What passes without a
translation is not stored here: its provider has a store of its own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from clawgate.agents.endpoint.local_plan import LocalAttempt, LocalPlan
from clawgate.agents.endpoint.responses_request import (
    INCOMPLETE,
    PREVIOUS,
    ResponseTerms,
    listed_items,
    not_found,
    read_terms,
    run_in,
    with_references,
)
from clawgate.agents.endpoint.stored_response import LONGEST_SECONDS
from clawgate.agents.request.refusal import reject
from clawgate.agents.run.inner_client import InnerClient, InnerExchanges
from clawgate.agents.run.model_call import served_by
from clawgate.agents.session.ended_elsewhere import STOPPED
from clawgate.errors import BodyTooLarge, GatewayError, InvalidRequest, StoreUnavailable
from clawgate.policy.path_routing import INPUT_TOKENS_PATH
from clawgate.relay.admission.plan import AdmittedHead, RoutePlan
from clawgate.relay.upstream.local import LocalResponse
from clawgate.routing.router import ModelRouter
from clawgate.state.records import Extent, NewResponse, NewTurn, RunRecord
from clawgate.state.store import Store
from clawgate.wire.dialect import Dialect
from clawgate.wire.json.model_field import find_model
from clawgate.wire.json.strict import encode_request, encode_response
from clawgate.wire.responses.stream_end import EventKind, kind_of, next_number
from clawgate.wire.sse.reader import Event, EventReader

Object = dict[str, Any]

NO_AGENT = ""
"""In place of the agent of a response that a model made."""
_ENCRYPTED = "reasoning.encrypted_content"
"""Reasoning that is stored has to be complete to be sent to its provider again."""
_FAILED = 400
_MOST_WAITING = 64
_OWN = b"x-clawgate-"
_object = msgspec.json.Decoder(Object)


class DirectResponses:
    """The `Router` of these requests. ``open_store`` returns the database, ``clock`` UNIX seconds."""

    def __init__(
        self,
        models: ModelRouter,
        exchanges: InnerExchanges,
        open_store: Callable[[], Awaitable[Store]],
        clock: Callable[[], float],
    ) -> None:
        self.models = models
        self.exchanges = exchanges
        self.open_store = open_store
        self.clock = clock
        self.under_way: dict[tuple[str, str], DirectAttempt] = {}
        """Those whose response has begun and is to be stored, by its caller and run."""

    def route(self, head: AdmittedHead, body: bytes) -> RoutePlan:
        """Raises `InvalidRequest`, `ModelNotFound`."""
        plan = self.models.plan(head, body, find_model(body))
        if not plan.is_translated:
            return plan
        terms = read_terms(body)
        counts = head.path == INPUT_TOKENS_PATH
        is_kept = terms.needs_stored or (terms.stores and not counts)
        if not is_kept or terms.conversation or terms.background:  # which a translation rejects by name
            return plan
        return LocalPlan(DirectAttempt(self, head, terms), plan.model)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """A request with what it refers to. ``items`` are its own, behind those of the response that it continues."""

    body: bytes
    items: list[Any]


class DirectAttempt(LocalAttempt):
    """The upstream is another exchange."""

    def __init__(self, door: DirectResponses, head: AdmittedHead, terms: ResponseTerms) -> None:
        self._door = door
        self._head = head
        self._counts = head.path == INPUT_TOKENS_PATH
        self._terms = terms
        self._own_lines = b""
        self._client: _Forwarder | None = None
        self._place: tuple[str, str] | None = None
        self._begun: NewResponse | None = None
        self._is_stopped = False
        super().__init__("stored responses", dialect=Dialect.RESPONSES, seconds=LONGEST_SECONDS)

    @property
    def attribution_headers(self) -> bytes:
        return self._own_lines

    async def respond(self, response: LocalResponse) -> None:
        store = await self._door.open_store()
        request = await self._read(store)
        self._client = client = _Forwarder()
        head = replace(self._head, router=self._door.models, caller=f"{self._head.caller} stored-response")
        self._door.exchanges.start(
            client, head, request.body, changed=lambda one: replace(one, observer=None, observes_all=False)
        )
        try:
            status, headers = await client.head()
            self._attribute(client)
            if client.is_stream:
                response.begin(status, headers, length=None)
                await self._send_stream(client, response, store, request)
            else:
                await self._send_body(client, response, store, request)
        except GatewayError:
            self._attribute(client)
            raise
        finally:
            client.close()
            if self._place is not None:
                self._door.under_way.pop(self._place, None)

    @property
    def begun(self) -> NewResponse:
        """The response as it began, of one that is under way."""
        assert self._begun is not None
        return self._begun

    def stop(self) -> None:
        """End the response, and have it not stored."""
        self._is_stopped = True
        if self._place is not None:
            self._door.under_way.pop(self._place, None)
        if self._client is not None:
            self._client.close(InvalidRequest(STOPPED))

    def _attribute(self, client: _Forwarder) -> None:
        """Name who serves the request, as the exchange did."""
        self._own_lines = client.own_lines
        headers = dict(line.partition(b": ")[::2] for line in client.own_lines.split(b"\r\n"))
        self.served_by = str(served_by(headers) or self.served_by)

    async def _read(self, store: Store) -> _Request:
        """Raises `InvalidRequest`, `ResponseNotFound`."""
        caller, limit = self._head.caller, self._door.exchanges.body_limit
        terms = await with_references(self._terms, lambda run: store.response(caller, run))
        past: list[Any] = []
        if terms.previous is not None:
            found = await store.history(caller, terms.previous, Extent(size=limit))
            if found is None and (caller, terms.previous) in self._door.under_way:
                reject(PREVIOUS, INCOMPLETE)
            if found is None:
                raise not_found(f"resp_{terms.previous}")
            if found.response.agent != NO_AGENT:
                reject(
                    PREVIOUS,
                    f"`{PREVIOUS}` is of agent '{found.response.agent}', and the request for a model.",
                )
            past = [turn.message for turn in found.turns]
            if not found.is_whole:
                raise BodyTooLarge(f"{PREVIOUS}: what it continues is over the limit of {limit} bytes")
        fields = {**terms.fields, "input": [*past, *terms.items]}
        if not self._counts:
            fields["store"] = False
        include = fields.get("include")
        if terms.stores and not self._counts and (include is None or isinstance(include, list)):
            fields["include"] = list(dict.fromkeys((*(include or ()), _ENCRYPTED)))
        body = await asyncio.to_thread(encode_request, fields)
        if len(body) > limit:
            raise BodyTooLarge(f"the request is over the limit of {limit} bytes with the stored items in it")
        return _Request(body=body, items=terms.items)

    async def _send_stream(
        self, client: _Forwarder, response: LocalResponse, store: Store, request: _Request
    ) -> None:
        reader = EventReader()
        last: Event | None = None
        try:
            async for piece in client.pieces():
                for event in reader.feed(piece):
                    last = event
                    response.send(await self._kept_event(event, store, request))
                await response.ready()
        except GatewayError as error:
            if self._is_stopped and self._begun:
                response.send(_failed_event(self._begun.body, error, next_number(last)))
            elif last is None or last.name != b"response.failed":  # which is the end of a stream in order
                raise

    async def _kept_event(self, event: Event, store: Store, request: _Request) -> bytes:
        """Return an event as it is sent, once a complete response is stored."""
        kind = kind_of(event)
        if kind not in (EventKind.OPENING, EventKind.FINISHED, EventKind.FAILED):
            return event.raw
        data = _object.decode(event.data or b"{}")
        made = data.get("response")
        if not isinstance(made, dict):
            return event.raw
        data["response"] = kept = self._kept(made)
        run = run_in(kept.get("id"))
        if self._place is None and kept["store"] and run is not None:
            self._place = (self._head.caller, run)
            self._door.under_way[self._place], self._begun = self, self._new(kept, request, run)
        if kind is not EventKind.OPENING:
            await self._store(store, kept, request)
        return b"event: %b\ndata: %b\n\n" % (event.name, encode_response(data))

    async def _send_body(
        self, client: _Forwarder, response: LocalResponse, store: Store, request: _Request
    ) -> None:
        body = b"".join([piece async for piece in client.pieces()])
        status, headers = await client.head()
        if status < _FAILED and not self._counts:
            kept = self._kept(_object.decode(body))
            await self._store(store, kept, request)
            body = encode_response(kept)
        response.begin(status, headers, length=len(body))
        response.send(body)

    def _kept(self, made: Object) -> Object:
        """Return a response that says how it is kept."""
        previous = f"resp_{self._terms.previous}" if self._terms.previous is not None else None
        stores = self._terms.stores and run_in(made.get("id")) is not None
        return {**made, "store": stores, PREVIOUS: previous}

    def _new(self, kept: Object, request: _Request, run: str) -> NewResponse:
        return NewResponse(
            body=kept,
            input=listed_items(request.items, run),
            status=kept["status"],
            parent=self._terms.previous,
        )

    async def _store(self, store: Store, kept: Object, request: _Request) -> None:
        run = run_in(kept.get("id"))
        if run is None or not kept["store"]:  # made by a provider of this API, which was a fallback
            return
        now = self._door.clock()
        # one that fails leaves no turn, so that it can be sent again
        items = [*request.items, *kept["output"]] if kept["status"] != "failed" else []
        record = RunRecord(
            run=run,
            caller=self._head.caller,
            agent=NO_AGENT,
            session="",
            keeps_session=False,
            expected_seq=0,
            started_at=now,
            finished_at=now,
            turns=tuple(NewTurn(message=item) for item in items),
            response=self._new(kept, request, run),
        )
        try:
            await store.begin_response(record)
        except StoreUnavailable:
            parent = self._terms.previous
            if parent is None or await store.response(record.caller, parent) is not None:
                raise
            raise not_found(f"resp_{parent}") from None  # it was deleted meanwhile
        if self._is_stopped:
            await store.delete_response(record.caller, run)


def _failed_event(begun: Object, error: GatewayError, number: int) -> bytes:
    failed = {**begun, "status": "failed", "error": {"code": error.code, "message": error.message}}
    data = {"type": "response.failed", "sequence_number": number, "response": failed}
    return b"event: response.failed\ndata: %b\n\n" % encode_response(data)


class _Forwarder(InnerClient):
    """A client that passes on what it gets: first its `head`, then the `pieces` of the body."""

    def __init__(self) -> None:
        super().__init__()
        self.own_lines = b""
        """Header lines that name who serves the request."""
        self.is_stream = False
        self._response: tuple[int, list[tuple[bytes, bytes]]] | None = None
        self._pieces: deque[bytes] = deque()

    async def head(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Raises the `GatewayError` that comes in place of a response."""
        while self._response is None:
            if self._error is not None:
                raise self._error
            await self._wait()
        return self._response

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes; raises the `GatewayError` of one that is cut, behind all that came."""
        while True:
            while self._pieces:
                yield self._pieces.popleft()
                self._pace(len(self._pieces), _MOST_WAITING)
            if self._error is not None:
                raise self._error
            if self._is_over:
                return
            await self._wait()

    def send_error_response(self, error: GatewayError, names: bytes = b"") -> int:
        self.own_lines = names
        return super().send_error_response(error, names)

    def _read_head(self, status: int, lines: list[bytes]) -> None:
        headers = [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in lines)]
        self.own_lines = b"".join(b"%b: %b\r\n" % pair for pair in headers if pair[0].startswith(_OWN))
        content_type = dict(headers).get(b"content-type", b"")
        self.is_stream = content_type.startswith(b"text/event-stream")
        self._response = status, headers

    def _read_body(self, data: bytes) -> None:
        self._pieces.append(data)
        if self.is_stream:
            self._pace(len(self._pieces), _MOST_WAITING)
