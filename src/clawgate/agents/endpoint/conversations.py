"""Makes, retrieves, lists and deletes a conversation: a session of an agent whose name is made here.

Law: a name of that form is found or refused, for it may be of another caller or of OpenAI; each caller has its own. Any
other name in `conversation` is one that the client made up, and begins a session where there is none.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from clawgate.agents.endpoint.doors import read_responses
from clawgate.agents.endpoint.item_list import page_of
from clawgate.agents.endpoint.local_plan import LocalAttempt, begin_body
from clawgate.agents.endpoint.responses_request import ResponseTerms, is_conversation_id, listed_items
from clawgate.agents.endpoint.service import AgentService
from clawgate.agents.request.target import CONVERSATION, Target, read_target
from clawgate.agents.run.history import compose
from clawgate.errors import ConversationNotFound, InvalidRequest, MethodNotAllowed, UnknownRoute
from clawgate.policy.path_routing import CONVERSATIONS_PATH
from clawgate.relay.admission.plan import AdmittedHead
from clawgate.relay.upstream.local import LocalResponse
from clawgate.state.records import NewTurn, RunRecord, SessionSummary
from clawgate.state.store import Store
from clawgate.wire.dialect import Dialect
from clawgate.wire.json import strict
from clawgate.wire.openai import types as chat
from clawgate.wire.translate.chat_to_responses.messages import InputItems

_STOP_SECONDS = 10.0
_JSON = "application/json"
_ROUTES = "there are POST /v1/conversations, GET and DELETE /v1/conversations/{id}, GET /v1/conversations/{id}/items"
_request = msgspec.json.Decoder(dict[str, Any])

Serve = Callable[[Store, LocalResponse], Awaitable[None]]


async def find(store: Store, caller: str, name: str, param: str | None = CONVERSATION) -> SessionSummary:
    """Return the session of a conversation, whichever agent has it. Raises `ConversationNotFound`."""
    found = await store.sessions(caller=caller, named=name, limit=1) if is_conversation_id(name) else ()
    if not found:
        raise ConversationNotFound(
            f"there is no conversation '{name[:80]}'; it was deleted, is too old, is another caller's, or was not "
            "made by POST /v1/conversations",
            param=param,
        )
    return found[0]


class ConversationAttempt(LocalAttempt):
    """One request of `/v1/conversations`. Raises `InvalidRequest` for what is wrong with it."""

    def __init__(
        self, head: AdmittedHead, headers: Mapping[str, str], body: bytes, service: AgentService
    ) -> None:
        self._caller, self._service = head.caller, service
        self._name = head.path.removeprefix(CONVERSATIONS_PATH).decode("ascii", "replace").lstrip("/")
        self._name, _, part = self._name.partition("/")
        self._query = parse_qs(head.target.partition(b"?")[2].decode("ascii", "replace"))
        serve: Mapping[bytes, Serve] | None = {
            "": {b"GET": self._retrieve, b"DELETE": self._delete} if self._name else {b"POST": self._create},
            "items": {b"GET": self._list_items},
        }.get(part)
        if serve is None:
            raise UnknownRoute(f"unknown route '{head.path.decode('ascii', 'replace')[:200]}'; {_ROUTES}")
        if head.method not in serve:
            allow = tuple(method.decode("ascii") for method in serve)
            raise MethodNotAllowed(f"use {' or '.join(allow)} on this route", allow=allow)
        self._serve = serve[head.method]
        if not self._name:
            self._name = f"conv_{uuid.uuid4().hex}"
            names = service.config.agents.names
            self._target = read_target("", headers, "", names, fresh="", conversation=self._name)
            self._turns = _first_turns(body, self._target, service)
        super().__init__("conversations", dialect=Dialect.RESPONSES)

    async def respond(self, response: LocalResponse) -> None:
        await self._serve((await self._service.services()).store, response)

    async def _create(self, store: Store, response: LocalResponse) -> None:
        now = (await self._service.services()).clock()
        record = RunRecord(
            run=self._name.removeprefix("conv_"),
            caller=self._caller,
            agent=self._target.agent,
            session=self._target.session.text,
            keeps_session=True,
            expected_seq=0,
            started_at=now,
            finished_at=now,
            turns=self._turns,
        )
        await store.commit(record)
        self._send(response, now)

    async def _retrieve(self, store: Store, response: LocalResponse) -> None:
        self._send(response, (await find(store, self._caller, self._name, None)).created_at)

    async def _delete(self, store: Store, response: LocalResponse) -> None:
        """End what is under way in it first, which would begin it anew."""
        session = (await find(store, self._caller, self._name, None)).key
        under_way = self._service.runs.under_way(self._caller, session)
        for live in under_way:
            self._service.runs.cancel(self._caller, live.run)
        async with asyncio.timeout(_STOP_SECONDS):
            for live in under_way:
                await live.ended()
        await store.delete_session(self._caller, session)
        deleted = {"id": self._name, "object": "conversation.deleted", "deleted": True}
        begin_body(response, _JSON, strict.encode_response(deleted))

    async def _list_items(self, store: Store, response: LocalResponse) -> None:
        """List what the conversation has; what an agent's own tools did is among it."""
        session = (await find(store, self._caller, self._name, None)).key
        found = await store.session(self._caller, session)
        made = InputItems()
        for turn in found.turns if found is not None else ():
            made.add(msgspec.convert(turn.message, chat.Message), "items")
        items = listed_items(made.items, self._name.removeprefix("conv_"))
        begin_body(response, _JSON, strict.encode_response(page_of(items, self._query)))

    def _send(self, response: LocalResponse, created_at: float) -> None:
        made = {"id": self._name, "object": "conversation", "created_at": int(created_at), "metadata": {}}
        begin_body(response, _JSON, strict.encode_response(made))


def _first_turns(body: bytes, target: Target, service: AgentService) -> tuple[NewTurn, ...]:
    """Return the turns that a conversation begins with."""
    fields = strict.parse_request(body or b"{}", _request)
    if fields.get("metadata"):
        raise InvalidRequest("'metadata' of a conversation is not kept here; remove it", param="metadata")
    items = fields.get("items")
    if not items:
        return ()
    if not isinstance(items, list):
        raise InvalidRequest("'items' must be a list of items", param="items")
    terms = ResponseTerms(
        fields={"model": f"openclaw/{target.agent}", "input": items},
        stores=False,
        background=False,
        previous=None,
        conversation="",
    )
    if terms.references:
        raise InvalidRequest("'items' must be the items themselves, without references", param="items")
    conversation = read_responses(terms, service.config.images).request.conversation
    if conversation.system:
        raise InvalidRequest(
            "'items' must have no system or developer messages: these are of one request; send them as "
            "'instructions' with each",
            param="items",
        )
    return tuple(NewTurn(message=turn) for turn in compose((), conversation, system="").new)
