"""Is the end of a chat completion's stream the end of an answer, or of a failure that nobody told?

Measured at claude-max-api-proxy 1.0.0: where Claude Code fails, its stream says ``finish_reason`` "stop" like every
other, without a word before or behind half of an answer, and only the model's name tells: Claude Code calls what it
made up itself ``<synthetic>``. A stream of @rynfar/meridian 1.43.0 is a bare ``[DONE]`` then.
"""

from __future__ import annotations

from typing import Any

import msgspec

from clawgate.wire.sse.splitter import fields_of

_MADE_UP = "<synthetic>"
_DONE = b"[DONE]"


class ChatStreamEnd:
    """Feed it each event; ask at the end whether the answer was finished."""

    __slots__ = ("_said", "finished")

    def __init__(self) -> None:
        self._said = False
        self.finished = False
        """Whether a ``finish_reason`` came."""

    def failed(self, event: bytes) -> bytes | None:
        """The data of an event that would end a stream in which the answer is missing, or is none of the model's."""
        if b"data" not in event:
            return None
        _, data = fields_of(event)
        if data.strip() == _DONE:
            return None if self.finished else data
        chunk = _decoded(data)
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict) and self._ends(choice, chunk.get("model")):
                return data
        return None

    def _ends(self, choice: dict[str, Any], model: object) -> bool:
        """Whether ``choice`` ends what is no answer."""
        delta = choice.get("delta")
        if isinstance(delta, dict) and any(value for name, value in delta.items() if name != "role"):
            self._said = True
        reason = choice.get("finish_reason")
        if reason is None:
            return False
        self.finished = True
        return model == _MADE_UP or (reason == "stop" and not self._said)


def _decoded(data: bytes) -> dict[str, Any]:
    try:
        chunk: object = msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return {}
    return chunk if isinstance(chunk, dict) else {}
