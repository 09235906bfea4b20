"""Methods about the sessions of the caller's own conversations with agents.

Law: every look into the database names the caller; a session of another caller is one that does not exist. A change
waits for its turn in the session, so that it never comes between a run and what the run stores.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from clawgate.control.websocket.method import Call
from clawgate.control.websocket.params import Count, NonEmpty, Params, Positive
from clawgate.control.websocket.transcript import MAIN_SESSION, messages_of, preview, session_row, to_ms
from clawgate.errors import InvalidRequest

if TYPE_CHECKING:
    from clawgate.agents.request.target import Target
    from clawgate.state.records import SessionSummary, StoredSession

LIST_LIMIT = 100
"""Of a list whose request has none (recorded)."""
MOST_SESSIONS = 10_000
"""That are read for one list: as many as a caller has by default."""
_PREVIEW_TURNS = 60
_MOST_PREVIEWS = 64
"""The keys behind them are left out (recorded)."""
_GET_TURNS = 200

SessionText = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


class SessionsList(Params, frozen=True):
    agent_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET
    limit: Positive = LIST_LIMIT
    offset: Count = 0
    active_minutes: Positive = 0
    search: str = ""
    include_last_message: bool = False


class SessionsPreview(Params, frozen=True):
    keys: Annotated[list[NonEmpty], msgspec.Meta(min_length=1)]
    limit: Positive = 12
    max_chars: Annotated[int, msgspec.Meta(ge=20)] = 240


class SessionKeyParams(Params, frozen=True):
    key: NonEmpty
    agent_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET


class SessionsDescribe(Params, frozen=True):
    key: NonEmpty


class SessionsGet(SessionKeyParams, frozen=True):
    limit: Positive = _GET_TURNS


class SessionsResolve(Params, frozen=True):
    key: NonEmpty | msgspec.UnsetType = msgspec.UNSET
    session_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET
    agent_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET
    allow_missing: bool = False


class SessionsPatch(SessionKeyParams, frozen=True):
    """``model`` is None to return to the agent's own."""

    model: NonEmpty | msgspec.UnsetType | None = msgspec.UNSET
    expected_session_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET


class SessionsReset(SessionKeyParams, frozen=True):
    reason: Literal["new", "reset"] = "reset"
    expected_session_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET


class SessionsDelete(SessionKeyParams, frozen=True):
    delete_transcript: bool = True
    expected_session_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET


def target_of(call: Call, key: str, agent: str | msgspec.UnsetType = msgspec.UNSET) -> Target:
    """Return the agent and the session that a key means. Raises `InvalidRequest`."""
    return call.agents.target(key, agent or "")


async def find(call: Call, target: Target, *, last: int) -> StoredSession | None:
    return await call.agents.session(call.client.caller, target.session.text, last=last)


def row_of(call: Call, session: SessionSummary | StoredSession) -> dict[str, Any]:
    active = [run.public_id for run in call.agents.active(call.client.caller, session.key)]
    session_id = call.agents.session_id(call.client.caller, session.key)
    return session_row(session, session_id, active, call.gateway.now_ms())


async def sessions_list(call: Call, params: SessionsList) -> object:
    store = await call.agents.store()
    now = call.gateway.now_ms()
    agent = params.agent_id.strip().lower() if params.agent_id else None
    found = await store.sessions(caller=call.client.caller, agent=agent, limit=MOST_SESSIONS)
    wanted = params.search.strip().lower()
    since = now - params.active_minutes * 60_000 if params.active_minutes else -math.inf
    found = [one for one in found if wanted in one.key.lower() and to_ms(one.updated_at) >= since]
    page = found[params.offset : params.offset + params.limit]
    end = params.offset + len(page)
    rows = [row_of(call, one) for one in page]
    if params.include_last_message:
        for row, one in zip(rows, page, strict=True):
            row["lastMessagePreview"] = await _last_text(call, one.key)
    primary = call.gateway.router.models.catalog.primary
    defaults = {"modelProvider": primary.provider, "model": primary.model} if primary is not None else {}
    return {
        "ts": now,
        "path": call.path_of(store),
        "count": len(page),
        "totalCount": len(found),
        "limitApplied": params.limit,
        "nextOffset": end if end < len(found) else None,
        "hasMore": end < len(found),
        "defaults": {"contextTokens": None, **defaults},
        "sessions": rows,
    }


async def _last_text(call: Call, key: str) -> str:
    session = await call.agents.session(call.client.caller, key, last=_PREVIEW_TURNS)
    items = preview(session.turns, 1, 240) if session is not None else []
    return items[0]["text"] if items else ""


async def sessions_preview(call: Call, params: SessionsPreview) -> object:
    previews = []
    for key in params.keys[:_MOST_PREVIEWS]:
        session = await find(call, target_of(call, key), last=_PREVIEW_TURNS)
        items = preview(session.turns, params.limit, params.max_chars) if session is not None else []
        status = "missing" if session is None else "ok" if items else "empty"
        previews.append({"key": key, "status": status, "items": items})
    return {"ts": call.gateway.now_ms(), "previews": previews}


async def sessions_describe(call: Call, params: SessionsDescribe) -> object:
    session = await find(call, target_of(call, params.key), last=1)
    return {"session": row_of(call, session) if session is not None else None}


async def sessions_get(call: Call, params: SessionsGet) -> object:
    session = await find(call, target_of(call, params.key, params.agent_id), last=params.limit)
    return {"messages": messages_of(session.turns) if session is not None else []}


async def sessions_resolve(call: Call, params: SessionsResolve) -> object:
    store = await call.agents.store()
    caller, found = call.client.caller, None
    if params.key:
        target = target_of(call, params.key, params.agent_id)
        session = await find(call, target, last=1)
        found = (session.key, session.agent) if session is not None else None
    elif params.session_id:
        for one in await store.sessions(caller=caller, limit=MOST_SESSIONS):
            if call.agents.session_id(caller, one.key) == params.session_id:
                found = (one.key, one.agent)
    else:
        raise InvalidRequest("sessions.resolve: name a session by key or by sessionId")
    if found is not None:
        return {"ok": True, "key": found[0], "agentId": found[1]}
    if params.allow_missing:
        return {"ok": False}
    raise InvalidRequest(f"No session found: {(params.key or params.session_id or '')[:80]}")


async def sessions_patch(call: Call, params: SessionsPatch) -> object:
    """Set the session's model, for a session that is not there yet as well, as `/model` does."""
    target = target_of(call, params.key, params.agent_id)
    key = target.session.text
    _check_id(call, target, params.expected_session_id)
    if params.model is not msgspec.UNSET:
        await call.agents.changes.set_model(call.client.caller, target, params.model)
        call.gateway.clients.session_changed(call.client.caller, key, target.agent, "patch")
    session = await find(call, target, last=1)
    entry = row_of(call, session) if session is not None else {}
    resolved = {name: entry[name] for name in ("modelProvider", "model") if name in entry}
    return {"ok": True, "key": key, "entry": entry, "resolved": resolved}


async def sessions_reset(call: Call, params: SessionsReset) -> object:
    target = target_of(call, params.key, params.agent_id)
    _check_id(call, target, params.expected_session_id)
    await call.agents.delete(call.client.caller, target.session.text)
    call.gateway.clients.session_changed(call.client.caller, target.session.text, target.agent, "reset")
    now = call.gateway.now_ms()
    entry = {"sessionId": call.agents.session_id(call.client.caller, target.session.text), "updatedAt": now}
    return {"ok": True, "key": target.session.text, "entry": entry}


async def sessions_delete(call: Call, params: SessionsDelete) -> object:
    target = target_of(call, params.key, params.agent_id)
    key = target.session.text
    if key == f"agent:{target.agent}:{MAIN_SESSION}":
        raise InvalidRequest(f"Cannot delete the main session ({key}); use sessions.reset")
    if not params.delete_transcript:
        raise InvalidRequest("sessions.delete: a session is its transcript here; leave deleteTranscript out")
    _check_id(call, target, params.expected_session_id)
    deleted = await call.agents.delete(call.client.caller, target.session.text)
    if deleted:
        call.gateway.clients.session_changed(call.client.caller, key, target.agent, "delete")
    return {"ok": True, "key": key, "deleted": deleted, "archived": []}


def _check_id(call: Call, target: Target, expected: str | msgspec.UnsetType) -> None:
    if expected and expected != call.agents.session_id(call.client.caller, target.session.text):
        raise InvalidRequest("the session is not the one that expectedSessionId names; read it again")


async def sessions_subscribe(call: Call, params: SessionsList) -> object:
    """Send `sessions.changed` from now on; with params also return the list that they describe."""
    call.client.watches_sessions = True
    if params == type(params)():
        return {"subscribed": True}
    return {"subscribed": True, "list": await sessions_list(call, params)}
