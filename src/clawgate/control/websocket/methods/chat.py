"""Methods that send messages to agents, wait for their runs, stop them, and read their messages.

Law: what starts a run has an idempotency key, which is the run's id to its caller. What cannot be honoured is refused
before anything starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from clawgate.control.websocket.error_shapes import UNAVAILABLE, shape_of
from clawgate.control.websocket.frames import ErrorShape
from clawgate.control.websocket.method import Call, CallFailed
from clawgate.control.websocket.methods.sessions import SessionText, find, row_of, target_of
from clawgate.control.websocket.params import Count, NonEmpty, Params
from clawgate.control.websocket.transcript import MAX_CHARACTERS, messages_of
from clawgate.errors import InvalidRequest
from clawgate.relay.response.error_response import message_of

if TYPE_CHECKING:
    from clawgate.agents.request.target import Target
    from clawgate.control.websocket.agent_runs import FollowedRun

WAIT_MS = 30_000
"""Of `agent.wait` without a limit."""
MOST_WAIT_MS = 3_600_000
_EFFORTS = {"off": "none", "ultra": "max"}
"""Levels of thinking whose name is not OpenAI's effort."""
_HISTORY_LIMIT = 200
_STOP = "/stop"
"""A message that is `chat.abort` of its session, as in OpenClaw."""


class Attachment(msgspec.Struct, frozen=True, rename="camel"):
    """Further members are ignored, as the contract has it."""

    type: str = ""
    mime_type: str = ""
    file_name: str = ""
    content: Any = None
    size_bytes: float = 0
    duration_ms: float = 0
    width: float = 0
    height: float = 0


class ChatSend(Params, frozen=True):
    session_key: SessionText
    message: str
    idempotency_key: NonEmpty
    agent_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET
    session_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET
    thinking: str = ""
    timeout_ms: Count = 0
    attachments: list[Attachment] = msgspec.field(default_factory=list)


class SessionsSend(Params, frozen=True):
    key: NonEmpty
    message: str
    idempotency_key: NonEmpty | msgspec.UnsetType = msgspec.UNSET
    agent_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET
    thinking: str = ""
    timeout_ms: Count = 0
    attachments: list[Attachment] = msgspec.field(default_factory=list)


class SessionsCreate(Params, frozen=True):
    """Without a key the session is a new one; ``message`` is its first."""

    key: NonEmpty | msgspec.UnsetType = msgspec.UNSET
    agent_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET
    model: NonEmpty | msgspec.UnsetType = msgspec.UNSET
    message: str = ""
    attachments: list[Attachment] = msgspec.field(default_factory=list)


class ChatInject(Params, frozen=True):
    session_key: NonEmpty
    message: NonEmpty
    agent_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET
    label: Annotated[str, msgspec.Meta(max_length=100)] = ""


class AgentParams(Params, frozen=True):
    """``timeout`` is in seconds."""

    message: NonEmpty
    idempotency_key: NonEmpty
    agent_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET
    session_key: str = ""
    session_id: str = ""
    provider: str = ""
    model: str = ""
    thinking: str = ""
    extra_system_prompt: str = ""
    timeout: Count = 0
    attachments: list[Attachment] = msgspec.field(default_factory=list)


class AgentWait(Params, frozen=True):
    run_id: NonEmpty
    timeout_ms: Count = WAIT_MS


class ChatAbort(Params, frozen=True):
    session_key: NonEmpty
    agent_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET
    run_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET


class SessionsAbort(Params, frozen=True):
    key: NonEmpty | msgspec.UnsetType = msgspec.UNSET
    run_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET
    agent_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET


class ChatHistory(Params, frozen=True):
    session_key: NonEmpty
    agent_id: NonEmpty | msgspec.UnsetType = msgspec.UNSET
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = _HISTORY_LIMIT
    offset: Count = 0
    cursor: str | msgspec.UnsetType = msgspec.UNSET
    max_chars: Annotated[int, msgspec.Meta(ge=1, le=MAX_CHARACTERS)] = MAX_CHARACTERS


async def chat_send(call: Call, params: ChatSend) -> object:
    """Begin a run and return at once: its events say the rest."""
    target = target_of(call, params.session_key, params.agent_id)
    expected = call.agents.session_id(call.client.caller, target.session.text)
    if params.session_id and params.session_id != expected:
        raise InvalidRequest("chat.send: sessionId is not that of the session; read the history again")
    return await _send(call, target, params, params.idempotency_key)


async def sessions_send(call: Call, params: SessionsSend) -> object:
    key = params.idempotency_key or str(uuid.uuid4())
    return await _send(call, target_of(call, params.key, params.agent_id), params, key)


async def sessions_create(call: Call, params: SessionsCreate) -> object:
    """Make a session that lasts from now on, or take the one that there is; a message begins a run in it."""
    agents, caller = call.agents, call.client.caller
    target = target_of(call, params.key or f"dashboard:{uuid.uuid4()}", params.agent_id)
    if params.model:
        await agents.changes.set_model(caller, target, params.model)
    else:
        await agents.changes.create(caller, target)
    key = target.session.text
    call.gateway.clients.session_changed(caller, key, target.agent, "create")
    begun: Mapping[str, Any] = {}
    if params.message.strip() or params.attachments:
        first = SessionsSend(key=key, message=params.message, attachments=params.attachments)
        begun = await _send(call, target, first, str(uuid.uuid4()))
    session = await find(call, target, last=1)
    entry = row_of(call, session) if session is not None else {}
    return {
        "ok": True,
        "key": key,
        "sessionId": agents.session_id(caller, key),
        "entry": entry,
        "runStarted": begun.get("status") == "started",
        **({"runId": begun["runId"]} if "runId" in begun else {}),
        "resolved": {name: entry[name] for name in ("modelProvider", "model") if name in entry},
    }


async def chat_inject(call: Call, params: ChatInject) -> object:
    """Add a message of the agent to a session that there is."""
    target = target_of(call, params.session_key, params.agent_id)
    text = f"[{params.label}]\n\n{params.message}" if params.label else params.message
    message = await call.agents.changes.inject(call.client.caller, target, text)
    if message is None:
        raise InvalidRequest("session not found")
    call.gateway.clients.session_changed(call.client.caller, target.session.text, target.agent, "inject")
    return {"ok": True, "messageId": message}


async def _send(call: Call, target: Target, params: ChatSend | SessionsSend, key: str) -> dict[str, Any]:
    if params.message.strip().lower() == _STOP:
        ids = await call.agents.stop(call.client.caller, target.session.text)
        return {"ok": True, "aborted": bool(ids), "runIds": ids}
    turn = _turn(call, params, seconds=params.timeout_ms / 1000)
    started = await call.agents.start(call.client, key, target, **turn)
    is_over = started.run is None or started.run.is_over
    return {"runId": key, "status": "started" if started.is_new else "ok" if is_over else "in_flight"}


async def agent(call: Call, params: AgentParams) -> object:
    """Begin a run: one response says that it is accepted, another one has its result."""
    session = params.session_key or (f"explicit:{params.session_id}" if params.session_id else "")
    target = target_of(call, session, params.agent_id)
    if params.model:
        model = f"{params.provider}/{params.model}" if params.provider else params.model
        target = replace(target, model=model)
    key = params.idempotency_key
    turn = _turn(call, params, system=params.extra_system_prompt, seconds=params.timeout)
    started = await call.agents.start(call.client, key, target, **turn)
    run = started.run
    if run is None:
        return _result(key, started.text, {})
    accepted = (
        {"status": "accepted", "acceptedAt": run.started_ms} if started.is_new else {"status": "in_flight"}
    )
    call.respond({"runId": key, "sessionKey": run.session, "agentId": run.agent, **accepted})
    await run.over.wait()
    if run.finished is None:
        raise _failed(run)
    return _result(key, run.finished.text or run.finished.refusal, await _meta(call, run))


def _turn(
    call: Call, params: ChatSend | SessionsSend | AgentParams, *, seconds: float, system: str = ""
) -> dict[str, Any]:
    """Return the fields of `Turn` that params and frame decide on. Raises `InvalidRequest`."""
    if not (params.message.strip() or params.attachments):
        raise InvalidRequest("message or attachment required")
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    images = [_image(one, number) for number, one in enumerate(params.attachments)]
    text = [{"type": "text", "text": params.message}] if params.message else []
    messages.append({"role": "user", "content": [*text, *images] if images else params.message})
    thinking = params.thinking.strip().lower()
    return {
        "messages": messages,
        "effort": None if thinking in ("", "adaptive") else _EFFORTS.get(thinking, thinking),
        "seconds": seconds,
        "traceparent": call.traceparent,
    }


def _image(attachment: Attachment, number: int) -> dict[str, Any]:
    """Return an image as a part of a message. Raises `InvalidRequest` for any other attachment."""
    content, kind = attachment.content, attachment.mime_type
    if not isinstance(content, str) or not (kind.startswith("image/") or content.startswith("data:image/")):
        raise InvalidRequest(
            f"attachments[{number}]: an agent takes images in base64 alone, with their mimeType"
        )
    url = content if content.startswith("data:") else f"data:{kind};base64,{content}"
    return {"type": "image_url", "image_url": {"url": url}}


def _failed(run: FollowedRun) -> CallFailed:
    assert run.error is not None, "a run that is over has a result or an error"
    summary = "aborted" if run.status == "aborted" else message_of(run.error)
    shape = ErrorShape(UNAVAILABLE, summary) if run.status == "aborted" else shape_of(run.error)
    return CallFailed(shape, {"runId": run.id, "status": "error", "summary": summary})


def _result(run_id: str, text: str, meta: dict[str, Any]) -> dict[str, Any]:
    result = {"payloads": [{"text": text, "mediaUrl": None}], "meta": meta}
    return {"runId": run_id, "status": "ok", "summary": "completed", "result": result}


async def _meta(call: Call, run: FollowedRun) -> dict[str, Any]:
    """Return what the result says of a run: how long it took, its model, and what it used."""
    assert run.finished is not None and run.ended_ms is not None, "only a complete run has it"
    usage = run.finished.usage
    provider, model = await (await call.agents.store()).served_by(run.run)
    return {
        "durationMs": run.ended_ms - run.started_ms,
        "agentMeta": {
            "sessionId": call.agents.session_id(call.client.caller, run.session),
            "provider": provider,
            "model": model,
            "usage": {
                "input": usage.input_tokens,
                "output": usage.output_tokens,
                "cacheRead": usage.cached_tokens,
                "total": usage.total_tokens,
            },
        },
    }


async def agent_wait(call: Call, params: AgentWait) -> object:
    """Wait for the end of one of the caller's runs; one that is not known may come."""
    caller, limit = call.client.caller, min(params.timeout_ms, MOST_WAIT_MS) / 1000
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit):
            await (await call.agents.arrival(caller, params.run_id)).over.wait()
    run = call.agents.find(caller, params.run_id)
    if run is None or not run.is_over:
        return {"runId": params.run_id, "status": "timeout"}
    outcome: dict[str, Any] = {"status": "ok" if run.error is None else "error"}
    if run.error is not None:
        outcome["error"] = "aborted" if run.status == "aborted" else message_of(run.error)
    if run.finished is not None:
        outcome["stopReason"] = run.finished.finish_reason
    return {"runId": params.run_id, **outcome, "startedAt": run.started_ms, "endedAt": run.ended_ms}


async def chat_abort(call: Call, params: ChatAbort) -> object:
    target = target_of(call, params.session_key, params.agent_id)
    ids = await call.agents.stop(call.client.caller, target.session.text, params.run_id or "")
    return {"ok": True, "aborted": bool(ids), "runIds": ids}


async def sessions_abort(call: Call, params: SessionsAbort) -> object:
    if not (params.key or params.run_id):
        raise InvalidRequest("sessions.abort: name a session by key, or a run by runId")
    session = target_of(call, params.key, params.agent_id).session.text if params.key else None
    ids = await call.agents.stop(call.client.caller, session, params.run_id or "")
    return {
        "ok": True,
        "abortedRunId": ids[0] if ids else None,
        "status": "aborted" if ids else "no-active-run",
    }


async def chat_history(call: Call, params: ChatHistory) -> object:
    """Return the last messages of a session, or those before ``offset``; a session that is not there has none."""
    if params.cursor:
        return {"kind": "reset"}  # no changes are kept that could be sent alone
    target = target_of(call, params.session_key, params.agent_id)
    session = await find(call, target, last=params.offset + params.limit)
    turns = session.turns if session is not None else ()
    end = max(len(turns) - params.offset, 0)
    page = turns[max(end - params.limit, 0) : end]
    has_more = bool(page) and page[0].seq > 0
    history: dict[str, Any] = {
        "sessionKey": target.session.text,
        "sessionId": call.agents.session_id(call.client.caller, target.session.text),
        "messages": messages_of(page, params.max_chars),
        "hasMore": has_more,
        "defaults": {},
        "sessionInfo": row_of(call, session) if session is not None else {"key": target.session.text},
    }
    if has_more:
        history["nextOffset"] = params.offset + len(page)
    else:
        history["totalMessages"] = params.offset + len(page)
    for run in call.agents.active(call.client.caller, target.session.text):
        history["inFlightRun"] = call.agents.progress(run)
    return history
