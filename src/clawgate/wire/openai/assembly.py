"""Assembles the chunks of a chat completions stream into the complete response that they are pieces of.

For a client that requested no stream, and whose upstream streamed all the same. Extensions are kept, by the rules of
OpenAI's own SDK: text is joined, lists are joined by the `index` of their entries, and what identifies or signs a thing
is kept from its first piece. Tool calls are distinguished as in a translated stream, see `stream_calls`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from clawgate.errors import UpstreamClosed, UpstreamMalformed
from clawgate.wire.json import lenient, strict
from clawgate.wire.json.surrogates import SurrogateJoiner
from clawgate.wire.openai.stream_calls import StreamedCall, StreamedCalls
from clawgate.wire.openai.stream_end import choice_has_content, is_last_event
from clawgate.wire.openai.types import FunctionPiece, ToolCallPiece
from clawgate.wire.sse.reader import MAX_EVENT_BYTES, Event

MAX_INDEXED = 1000
"""Choices of a response, and entries of a list that have an index, such as tool calls."""

Object = dict[str, Any]

_IDENTIFIES = frozenset({"id", "type", "role", "name", "format", "signature", "thought_signature"})
_OF_STREAMS = frozenset({"choices", "object", "obfuscation", "usage"})
_object = msgspec.json.Decoder(Object)


class _Text(list[str]):
    """The pieces of a text: joining each piece at once would copy the text as often."""


class ChatAssembler:
    """One response: `feed` it each event of its stream, in order."""

    def __init__(self) -> None:
        self._response: Object = {}
        self._choices: dict[int, Object] = {}
        self._calls: dict[int, StreamedCalls] = {}  # of each choice
        self._usage: dict[object, object] = {}
        self._halves = SurrogateJoiner()
        self.held_bytes = 0
        """Bytes of the events so far."""

    def feed(self, event: Event) -> Object | None:
        """Return the chunk, None for an event without one. Raises `UpstreamMalformed` for what is none, or too much.

        What the chunk adds to a choice is its ``delta``, also where it came as ``message``.
        """
        if not event.data or event.data.isspace() or is_last_event(event):
            return None
        self.held_bytes += len(event.data)
        if self.held_bytes > MAX_EVENT_BYTES:
            raise UpstreamMalformed(f"the upstream streamed a response of over {MAX_EVENT_BYTES} bytes")
        chunk = strict.parse_response(event.data, _object, self._halves)
        for name, value in chunk.items():
            if name not in _OF_STREAMS and value not in (None, ""):
                self._response[name] = value
        lenient.merge_counts(self._usage, chunk.get("usage"))
        choices = chunk.get("choices")
        try:
            for choice in choices if isinstance(choices, list) else ():
                if isinstance(choice, dict):
                    self._add(choice)
        except RecursionError:
            raise UpstreamMalformed("the upstream's stream is nested too deeply") from None
        return chunk

    def complete(self) -> bytes:
        """Return the response as JSON; raises `UpstreamClosed` if the stream did not finish."""
        choices = [self._choices[index] for index in sorted(self._choices)]
        if not choices or not all(choice.get("finish_reason") for choice in choices):
            raise UpstreamClosed("the upstream's stream ended before a finish_reason")
        response: Object = {**self._response, "object": "chat.completion", "choices": choices}
        if self._usage:
            response["usage"] = self._usage
        for choice in choices:
            _finish(choice["message"], self._response.get("id"), self._calls[choice["index"]].calls)
        try:
            return strict.encode_response(_joined(response))
        except RecursionError:
            raise UpstreamMalformed("the upstream's stream is nested too deeply") from None

    def _add(self, choice: Object) -> None:
        index = lenient.as_int(choice.get("index")) or 0
        known = self._choices.get(index)
        if known is None:
            if len(self._choices) == MAX_INDEXED:
                raise UpstreamMalformed(f"the upstream streamed over {MAX_INDEXED} choices")
            message = {"role": "assistant", "content": None}
            known = self._choices[index] = {"index": index, "message": message, "finish_reason": None}
            self._calls[index] = StreamedCalls()
        delta = choice.get("delta")
        if not delta and not choice_has_content(known):  # complete, in one event
            delta = choice["delta"] = choice.get("message")
        if isinstance(delta, dict):
            pieces = delta.pop("tool_calls", None)
            _merge(known["message"], delta)
            if isinstance(pieces, list) and pieces:
                _add_calls(known["message"].setdefault("tool_calls", []), pieces, self._calls[index])
        for name, value in choice.items():
            if name in ("index", "delta", "message"):
                continue
            if isinstance(value, dict | list):
                _merge(known, {name: value})
            elif value is not None or name not in known:
                known[name] = value


def _add_calls(known: list[Object], pieces: list[object], calls: StreamedCalls) -> None:
    """Add the pieces of tool calls that came in one delta to the calls."""
    in_delta: set[int] = set()
    for piece in pieces:
        if not isinstance(piece, dict):
            continue
        function = piece.get("function")
        name, arguments = (lenient.as_member(function, member) for member in ("name", "arguments"))
        text = "{}" if isinstance(arguments, dict) else lenient.as_text(arguments)
        sent = ToolCallPiece(
            piece.pop("index", None), piece.get("id"), FunctionPiece(lenient.as_word(name), text)
        )
        number = calls.number_of(sent, text, in_delta)
        if number < len(known):
            _merge(known[number], piece)
        elif number == MAX_INDEXED:
            raise UpstreamMalformed(f"the upstream streamed over {MAX_INDEXED} tool calls")
        else:
            known.append(piece)


def _merge(known: Object, piece: Object) -> None:
    """Add a piece of an object to the object."""
    for name, value in piece.items():
        before = known.get(name)
        if before is None or before == "":
            known[name] = _entries([], value) if isinstance(value, list) else value
        elif isinstance(before, str) and isinstance(value, str):
            if name not in _IDENTIFIES:
                known[name] = _Text((before, value))
        elif isinstance(before, _Text):
            if isinstance(value, str):
                before.append(value)
        elif isinstance(before, dict) and isinstance(value, dict):
            _merge(before, value)
        elif isinstance(before, list) and isinstance(value, list):
            _entries(before, value)
        elif value is not None:
            known[name] = value


def _entries(known: list[Any], pieces: list[Any]) -> list[Any]:
    """Add pieces to the entries of a list: to the one of the same index, unless it has another id; else as new ones."""
    for piece in pieces:
        index = lenient.as_index(lenient.as_member(piece, "index"))
        if index is None:
            known.append(piece)
            continue
        found = next(
            (one for one in reversed(known) if lenient.as_index(lenient.as_member(one, "index")) == index),
            None,
        )
        if found is not None and not _is_other(found, piece):
            _merge(found, piece)
        elif len(known) == MAX_INDEXED:
            raise UpstreamMalformed(f"the upstream streamed over {MAX_INDEXED} entries of a list")
        else:
            known.append(piece)
    return known


def _is_other(known: Object, piece: Object) -> bool:
    """Whether a piece begins another entry, though it has the index of a known one."""
    return bool(piece.get("id") and known.get("id") and piece["id"] != known["id"])


def _finish(message: Object, response_id: object, calls: Sequence[StreamedCall]) -> None:
    """Take away what only the entries of a stream have, and add what calls need in a complete response."""
    for entries in message.values():
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                entry.pop("index", None)
    for number, (call, known) in enumerate(zip(message.get("tool_calls", ()), calls, strict=True)):
        call["id"] = lenient.call_id(known.id, response_id, number)
        call.setdefault("type", "function")


def _joined(value: object) -> object:
    """Return ``value`` with all texts joined."""
    if isinstance(value, _Text):
        return "".join(value)
    if isinstance(value, dict):
        return {name: _joined(member) for name, member in value.items()}
    return [_joined(member) for member in value] if isinstance(value, list) else value
