"""Reads a stream of chat completion chunks for whichever dialect its client speaks.

Its end is `[DONE]`, or the end of the bytes, behind a ``finish_reason``: without one it was cut. Only the first choice
counts, and a complete message in place of deltas only where nothing came before.
"""

from __future__ import annotations

from abc import abstractmethod

from clawgate.errors import UpstreamClosed, UpstreamMalformed
from clawgate.wire.json import lenient, strict
from clawgate.wire.openai import types as chat
from clawgate.wire.openai.stream_calls import StreamedCall, StreamedCalls
from clawgate.wire.sse.reader import Event
from clawgate.wire.translate import errors as upstream_errors
from clawgate.wire.translate.chat_upstream import completion
from clawgate.wire.translate.chat_upstream.call_ids import CallIds
from clawgate.wire.translate.chat_upstream.opaque_members import OpaqueMembers
from clawgate.wire.translate.compat import Compat
from clawgate.wire.translate.exchange import TranslatedStream

KEEP_ALIVE = b": keep-alive\n\n"
NAMELESS = "the upstream's stream calls a tool without a name"


class ChatUpstreamStream(TranslatedStream):
    """One stream of a chat upstream: subclasses write what it says."""

    __slots__ = ("_calls", "_decode_entities", "_finish", "_id", "_ids", "_opaque", "_started", "_visible")

    def __init__(self, ids: CallIds | None, compat: Compat) -> None:
        super().__init__()
        self._ids = ids or CallIds()
        self._visible = compat.visible_reasoning_detail_types
        self._decode_entities = compat.tool_call_arguments_encoding == completion.HTML_ENTITIES
        self._id: object = None  # of the upstream's response
        self._started = False
        self._calls = StreamedCalls()
        self._opaque = OpaqueMembers()
        self._finish: str | None = None

    @abstractmethod
    def _start(self, chunk: chat.ChatCompletionChunk, out: list[bytes]) -> None:
        """Begin the client's stream; ``chunk`` is the first one."""

    @abstractmethod
    def _add(self, delta: chat.ChoiceDelta, out: list[bytes]) -> None:
        """Add what a delta, or a complete message, says."""

    @abstractmethod
    def _end(self, out: list[bytes]) -> None:
        """End the client's stream; there is a finish reason."""

    @property
    @abstractmethod
    def _has_content(self) -> bool:
        """Whether anything was added that a complete message would repeat."""

    @property
    def _keep_alive(self) -> bytes:
        return KEEP_ALIVE

    def feed(self, event: Event, out: list[bytes]) -> None:
        data = event.data
        if self._over:
            self._fail_if_error(data or b"")
        elif not data or data.isspace():
            if event.raw.strip():
                out.append(self._keep_alive)
        elif data.startswith(b"[DONE]"):
            if self._finish is None:
                raise UpstreamMalformed("the upstream's stream has [DONE] without a finish_reason")
            self._end(out)
        else:
            self._chunk(data, out)

    def end(self, out: list[bytes]) -> None:
        if self._over:
            return
        if self._finish is None:
            raise UpstreamClosed("the upstream's stream ended before a finish_reason")
        self._end(out)

    def _chunk(self, data: bytes, out: list[bytes]) -> None:
        try:
            chunk = strict.parse_response(data, chat.CHAT_CHUNK, self._halves)
        except UpstreamMalformed:
            self._fail_if_error(data)
            raise
        if chunk.error is not None or chunk.choices is None:
            self._fail_if_error(data)
        self._id = self._id or chunk.id
        if not self._started:
            self._started = True
            self._start(chunk, out)
        if chunk.usage is not None:
            lenient.merge_counts(self._usage, chunk.usage)
        for choice in chunk.choices or ():
            if lenient.as_index(choice.index):
                continue
            if choice.usage is not None:
                lenient.merge_counts(self._usage, choice.usage)
            if choice.delta is not None:
                self._add(choice.delta, out)
            elif choice.message is not None and not self._has_content:  # complete, in one event
                self._add(choice.message, out)
            if choice.finish_reason:
                self._finish = choice.finish_reason
                if self._finish == completion.FAILED:
                    self._fail(upstream_errors.UNSPECIFIED)

    def _identify(self, number: int, *, is_first: bool) -> StreamedCall:
        """Return a call with its id for the client, with what the upstream wants back; the first, all of it."""
        call = self._calls.calls[number]
        message = self._opaque.message if is_first else None
        call.id = self._ids.to_client(call.id, self._id, call=call.extra, message=message)
        if self._ids.carries_state(call.id):
            self._opaque.sent_in_call(number, call.extra)
        return call

    def _unsent_state(self) -> str:
        """Return what the upstream wants back and no id or signature carries yet, packed; "" for nothing."""
        calls = {
            call.id: call.extra
            for number, call in enumerate(self._calls.calls)
            if call.id and self._opaque.is_unsent(number, call.extra)
        }
        return self._ids.signature(message=self._opaque.take(), calls=calls)

    def _decoded(self, arguments: str) -> str:
        """Return the whole arguments of a call without the upstream's HTML entities, where it writes them."""
        if self._decode_entities and (parsed := strict.parse_arguments(arguments)) is not None:
            return strict.encode_response(completion.without_entities(parsed)).decode()
        return arguments
