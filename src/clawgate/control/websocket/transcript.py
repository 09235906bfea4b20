"""Shows stored sessions and turns as clients of OpenClaw's protocol read them.

Pure. Law: the data of an image is not repeated, which would make a history of megabytes. An id of a session is made of
its caller and key, and gives no right to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from clawgate.policy.model_routing import ModelRef

if TYPE_CHECKING:
    from clawgate.state.records import SessionSummary, StoredSession, StoredTurn

MAIN_SESSION = "main"
"""The name of the session that an agent has where a client names none, as in OpenClaw."""
MAX_CHARACTERS = 500_000
"""Of one text; the contract's own limit for `maxChars`."""
_PREVIEWED = ("user", "assistant")


def messages_of(turns: Iterable[StoredTurn], limit: int = MAX_CHARACTERS) -> list[dict[str, Any]]:
    return [_message(turn, limit) for turn in turns]


def preview(turns: Iterable[StoredTurn], limit: int, characters: int) -> list[dict[str, str]]:
    """Return the last turns that have a text, each of at most ``characters``."""
    items = [
        {"role": str(turn.message["role"]), "text": _cut(text, characters)}
        for turn in turns
        if turn.message["role"] in _PREVIEWED and (text := text_of(turn.message))
    ]
    return items[-limit:]


def message_id(run: str, seq: int) -> str:
    return f"{run}:{seq}"


def text_of(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = [part for part in content or () if isinstance(part, dict)]
    return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))


def _message(turn: StoredTurn, limit: int) -> dict[str, Any]:
    message, role = turn.message, turn.message["role"]
    shown: dict[str, Any] = {
        "role": "toolResult" if role == "tool" else role,
        "content": _content(message, limit),
        "timestamp": to_ms(turn.created_at),
        "__openclaw": {"id": message_id(turn.run, turn.seq), "seq": turn.seq + 1, "runId": turn.public_id},
    }
    if role == "tool":
        shown["toolCallId"] = message.get("tool_call_id", "")
        shown["isError"] = False
    if role == "assistant":
        reason = "toolUse" if message.get("tool_calls") else "stop"
        shown["stopReason"] = "aborted" if turn.status == "interrupted" else reason
    return shown


def _content(message: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    content = message.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    blocks: list[dict[str, Any]] = []
    for part in parts:
        match part:
            case {"type": "text", "text": str(text)} if text:
                blocks.append({"type": "text", "text": _cut(text, limit)})
            case {"type": "image_url"}:
                blocks.append({"type": "text", "text": "[image]"})
    for call in message.get("tool_calls") or ():
        function = call["function"]
        arguments = _arguments(function["arguments"])
        blocks.append(
            {"type": "toolCall", "id": call["id"], "name": function["name"], "arguments": arguments}
        )
    return blocks


def _arguments(text: str) -> object:
    """Return the arguments as an object; as the model's text where they are none."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    return parsed if isinstance(parsed, dict) else text


def session_row(
    session: SessionSummary | StoredSession, session_id: str, active: list[str], now_ms: int
) -> dict[str, Any]:
    """Return a session as a row of a list: the contract's SessionRow. ``active`` are its runs under way."""
    main = session.key == f"agent:{session.agent}:{MAIN_SESSION}"
    row: dict[str, Any] = {
        "key": session.key,
        "kind": "direct",
        "classification": "main" if main else "custom",
        "agentId": session.agent,
        "isMain": main,
        "sessionId": session_id,
        "createdAt": to_ms(session.created_at),
        "updatedAt": to_ms(session.updated_at),
        "snapshotAt": now_ms,
        "status": "running" if active else "done",
        "hasActiveRun": bool(active),
        "activeRunIds": active,
    }
    ref = ModelRef.parse(session.model) if session.model else None
    if ref is not None:
        row |= {"modelProvider": ref.provider, "model": ref.model, "modelOverrideSource": "user"}
    return row


def to_ms(seconds: float) -> int:
    return int(seconds * 1000)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: max(limit - 3, 0)]}..."
