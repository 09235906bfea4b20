"""Detects whether a stream of chat completions ended normally, or with a failure that no event reports.

Measured at claude-max-api-proxy 1.0.0: where Claude Code fails, its stream has the ``finish_reason`` "stop" like every
other, without any content or behind half of it, and only the model's name shows it: Claude Code names the messages that
it makes up itself ``<synthetic>``. A stream of @rynfar/meridian 1.43.0 is a bare ``[DONE]`` then.
"""

from __future__ import annotations

from typing import Any

import msgspec

from clawgate.wire.json.lenient import decode
from clawgate.wire.sse.reader import Event

_MADE_UP = "<synthetic>"
DONE = b"[DONE]"
_LAST_RESPONSES_EVENTS = (b"response.completed", b"response.incomplete", b"response.failed")
"""The last events of a stream of the Responses API, by their names (OpenAI's API reference, "Streaming events")."""

_chunk = msgspec.json.Decoder(dict[str, Any])


def is_last_event(event: Event) -> bool:
    """Whether a client stops reading at ``event``: ``[DONE]``, or the last event of the Responses API."""
    return event.name in _LAST_RESPONSES_EVENTS or (
        event.data is not None and event.data.strip(b" \t").startswith(DONE)
    )


def choice_has_content(choice: dict[str, Any]) -> bool:
    """Whether a choice of a response or chunk has more than a role: a word, a call, thinking."""
    delta = choice.get("delta") or choice.get("message")
    return isinstance(delta, dict) and any(value for name, value in delta.items() if name != "role")


class ChatStreamEnd:
    """Whether the response was finished: `find_failure` has to see each event."""

    __slots__ = ("_has_content", "finished")

    def __init__(self) -> None:
        self._has_content = False
        self.finished = False
        """Whether a ``finish_reason`` came."""

    def find_failure(self, event: Event) -> bytes | None:
        """Return the data of an event that ends a stream whose content is missing, or is none of the model's."""
        if event.data is None:
            return None
        if is_last_event(event):
            return None if self.finished else event.data
        chunk = decode(event.data, _chunk) or {}
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict) and self._fails(choice, chunk.get("model")):
                return event.data
        return None

    def _fails(self, choice: dict[str, Any], model: object) -> bool:
        """Whether ``choice`` ends what is no response of a model."""
        self._has_content = self._has_content or choice_has_content(choice)
        reason = choice.get("finish_reason")
        if reason is None:
            return False
        self.finished = True
        return model == _MADE_UP or (reason == "stop" and not self._has_content)
