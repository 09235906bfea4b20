"""Encodes what a run reports as the `chat` and `agent` events of OpenClaw's protocol.

Pure: times are passed in, in milliseconds. Law: the events of a run have one sequence, and the last one of each kind
says how it ended; a run that was cut has no `final`. Source of the shapes: OpenClaw 2026.9.6, recorded, within the
contract's ChatEvent and AgentEvent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from clawgate.agents.run.events import Finished, RunEvent, TextDelta, ToolEnded, ToolStarted
from clawgate.errors import GatewayError, RateLimitExceeded, UpstreamFailed, UpstreamTimedOut
from clawgate.relay.response.error_response import message_of

Event = tuple[str, dict[str, Any]]
"""The name of an event, and its payload."""
STOPPED_BY_CLIENT, STOPPED_BY_RESTART = "rpc", "restart"
TOOL = "tool"
"""The stream of the events that only a client with the capability `tool-events` gets."""


def text_message(text: str, at_ms: int) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": text}], "timestamp": at_ms}


class RunEvents:
    """The events of one run. ``text`` is all of the text so far."""

    def __init__(self, run_id: str, session_key: str, agent: str, started_ms: int) -> None:
        self._run = {"runId": run_id}
        self._of_chat = {"runId": run_id, "sessionKey": session_key, "agentId": agent}
        self._started_ms = started_ms
        self._seq = 0
        self.text = ""

    def started(self) -> Event:
        data = {"phase": "start", "startedAt": self._started_ms}
        return self._agent("lifecycle", data, self._started_ms)

    def of(self, events: Iterable[RunEvent], now_ms: int) -> Iterator[Event]:
        """Yield the events of what was reported; texts that come together are one."""
        delta = ""
        for event in events:
            if isinstance(event, TextDelta):
                delta += event.text
                continue
            yield from self._spoken(delta, now_ms)
            delta = ""
            match event:
                case ToolStarted(call):
                    data = {
                        "phase": "start",
                        "name": call.name,
                        "toolCallId": call.id,
                        "args": call.arguments,
                    }
                    yield self._agent(TOOL, data, now_ms)
                case ToolEnded(call, result, failed):
                    data = {"phase": "result", "name": call.name, "toolCallId": call.id}
                    yield self._agent(TOOL, {**data, "isError": failed, "result": result}, now_ms)
                case Finished():
                    yield from self._finished(event, now_ms)
        yield from self._spoken(delta, now_ms)

    def failed(self, error: GatewayError, now_ms: int) -> Iterator[Event]:
        yield self._ended({"phase": "error", "error": message_of(error)}, now_ms)
        failure: dict[str, Any] = {"state": "error", "errorMessage": message_of(error)}
        if (kind := _kind_of(error)) is not None:
            failure["errorKind"] = kind
        yield self._chat(failure)

    def aborted(self, now_ms: int, reason: str = STOPPED_BY_CLIENT) -> Iterator[Event]:
        message = text_message(self.text, now_ms)
        yield self._chat({"state": "aborted", "stopReason": reason, "message": message})
        end = {"phase": "end", "status": "cancelled", "aborted": True, "stopReason": reason}
        yield self._ended(end, now_ms)

    def injected(self, text: str, now_ms: int) -> Event:
        """A message that no model made: an event without others."""
        return self._chat({"state": "final", "stopReason": "stop", "message": text_message(text, now_ms)})

    def _spoken(self, delta: str, now_ms: int) -> Iterator[Event]:
        if delta:
            self.text += delta
            yield self._agent("assistant", {"text": self.text, "delta": delta}, now_ms)
            message = text_message(self.text, now_ms)
            yield self._chat({"state": "delta", "deltaText": delta, "message": message})

    def _finished(self, event: Finished, now_ms: int) -> Iterator[Event]:
        text = event.text or event.refusal
        yield self._ended({"phase": "end", "aborted": False, "stopReason": event.finish_reason}, now_ms)
        message = text_message(text, now_ms)
        yield self._chat({"state": "final", "stopReason": event.finish_reason, "message": message})

    def _ended(self, data: dict[str, Any], now_ms: int) -> Event:
        return self._agent("lifecycle", {**data, "startedAt": self._started_ms, "endedAt": now_ms}, now_ms)

    def _agent(self, stream: str, data: dict[str, Any], now_ms: int) -> Event:
        self._seq += 1
        return "agent", {**self._run, "seq": self._seq, "stream": stream, "ts": now_ms, "data": data}

    def _chat(self, state: dict[str, Any]) -> Event:
        return "chat", {**self._of_chat, "seq": self._seq, **state}


def _kind_of(error: GatewayError) -> str | None:
    """Return the contract's kind of failure, None where it has none."""
    if isinstance(error, UpstreamTimedOut):
        return "timeout"
    limited = isinstance(error, RateLimitExceeded) or (
        isinstance(error, UpstreamFailed) and error.status == 429
    )
    return "rate_limit" if limited else None
