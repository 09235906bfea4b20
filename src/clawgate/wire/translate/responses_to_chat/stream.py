"""Translates a stream of chat completion chunks into the events of a Responses stream.

Each item has its index from its first event on, and ends as soon as another one begins: a call once its arguments are
whole, so that calls that servers mix stay apart. The last event is sent only behind a ``finish_reason``, at ``[DONE]``
or at the end of the stream: a cut stream never looks finished. Reasoning is sent as a summary: clients show that, and
the events of reasoning in full have other names at OpenAI than in the OpenResponses specification. What the upstream
wants back travels in the id of a call and in `encrypted_content`, see `opaque_state`; what comes too late for either is
in a reasoning item without words at the end. Source of the order of events: OpenAI's API reference.
"""

from __future__ import annotations

from clawgate.errors import UpstreamMalformed
from clawgate.wire.json import lenient
from clawgate.wire.openai import types as chat
from clawgate.wire.openai.stream_calls import StreamedCall
from clawgate.wire.translate.chat_upstream import completion
from clawgate.wire.translate.chat_upstream.call_ids import CallIds
from clawgate.wire.translate.chat_upstream.stream import NAMELESS, ChatUpstreamStream
from clawgate.wire.translate.compat import NO_COMPAT, Compat
from clawgate.wire.translate.responses_to_chat import response
from clawgate.wire.translate.responses_to_chat.response import COMPLETED, Object
from clawgate.wire.translate.responses_to_chat.tools import ToolTable
from clawgate.wire.translate.responses_to_chat.writer import REFUSAL, SUMMARY, TEXT, Item, ResponseWriter


class ResponsesStream(ChatUpstreamStream):
    """One stream: chat completion chunks in, events of the Responses API out."""

    __slots__ = (
        "_known",
        "_nameless",
        "_open_calls",
        "_seals",
        "_tools",
        "_writer",
        "response",
    )

    def __init__(
        self,
        writer: ResponseWriter,
        *,
        table: ToolTable | None = None,
        ids: CallIds | None = None,
        compat: Compat = NO_COMPAT,
        seals: bool = False,
    ) -> None:
        super().__init__(ids, compat)
        self._writer = writer
        self._tools = table or ToolTable()
        self._seals = seals
        self._open_calls: dict[int, Item] = {}  # by our number of a call
        self._nameless: dict[int, list[str]] = {}  # arguments of calls whose name did not come yet
        self._known: set[int] = set()  # the numbers of calls that began
        self.response: Object | None = None
        """The response as it ended; None before."""

    def failure(self, *, message: str, kind: str, code: str | None, param: str | None) -> bytes:
        """Return the last events of a stream that failed."""
        usage = response.usage(self._usage) if self._usage else None
        return self._writer.fail(message=message, kind=kind, code=code, param=param, usage=usage)

    @property
    def _has_content(self) -> bool:
        return bool(self._writer.items)

    def _chunk(self, data: bytes, out: list[bytes]) -> None:
        super()._chunk(data, out)
        self.held_bytes = self._writer.held_bytes

    def _start(self, chunk: chat.ChatCompletionChunk, out: list[bytes]) -> None:
        self._writer.start(out)

    def _add(self, delta: chat.ChoiceDelta, out: list[bytes]) -> None:
        if delta.reasoning_details or delta.extra_content:
            self._opaque.add(completion.opaque_members_of_message(delta, self._visible))
        if (delta.reasoning_content or delta.reasoning or delta.reasoning_details) and (
            reasoning := completion.reasoning_of(delta)
        ):
            self._piece(SUMMARY, reasoning, out)
        if delta.content:
            if isinstance(delta.content, str):
                self._piece(TEXT, delta.content, out)
            else:
                for kind, piece in lenient.content_parts(delta.content):
                    self._piece(TEXT if kind == "text" else SUMMARY, piece, out)
        if delta.refusal and (refusal := lenient.as_word(delta.refusal)):
            self._piece(REFUSAL, refusal, out)
        if self._visible and (visible := completion.visible_details(delta, self._visible)):
            self._piece(TEXT, visible, out)
        if delta.tool_calls or delta.function_call is not None:
            in_delta: set[int] = set()
            for call in completion.calls_of(delta):
                self._call(call, in_delta, out)

    def _piece(self, part: str, piece: str, out: list[bytes]) -> None:
        """Add to the open part of that type, or to a new one, of the open item if that takes it."""
        item = self._writer.open
        if item is None or item.part != part:
            if item is None or SUMMARY in (part, item.part):
                self._close(out)
            item = self._writer.begin_part(part, out)
        self._writer.piece(item, piece, out)

    def _call(self, piece: chat.ToolCallPiece, in_delta: set[int], out: list[bytes]) -> None:
        """Add a piece of a tool call, which begins an item once its name is known."""
        function = piece.function or chat.FunctionPiece()
        arguments = completion.arguments_text(function.arguments)
        number = self._calls.number_of(piece, arguments, in_delta)
        known = self._calls.calls[number]
        known.extra |= completion.opaque_members_of_call(piece)
        item = self._open_calls.get(number)
        if item is None:
            if number in self._known:  # its arguments were whole
                return
            if not known.name:
                self._nameless.setdefault(number, []).append(arguments)
                self._writer.hold(arguments)
                return
            item = self._begin_call(number, known, out)
            arguments = "".join([*self._nameless.pop(number, ()), arguments])
        if not arguments:
            return
        if item.streams and not self._decode_entities:
            self._writer.piece(item, arguments, out)
        else:
            item.pieces.append(arguments)
            self._writer.hold(arguments)

    def _begin_call(self, number: int, known: StreamedCall, out: list[bytes]) -> Item:
        assert known.name is not None, "a call without a name does not begin"
        self._close(out)
        call_id = self._identify(number, is_first=not self._known).id
        assert call_id is not None, "a call has an id once it is identified"
        self._known.add(number)
        item = self._open_calls[number] = self._writer.begin_call(
            self._tools.called(known.name), call_id, out
        )
        return item

    def _close(self, out: list[bytes], *, all_calls: bool = False, status: str = COMPLETED) -> None:
        """End what is open, calls only if their arguments are whole. Reasoning carries what the upstream wants back."""
        item = self._writer.open
        if item is not None:
            thought = item.kind == "reasoning"
            encrypted = self._ids.signature(message=self._opaque.take()) if thought else ""
            if thought and self._seals and not encrypted:
                encrypted = self._ids.seal()
            self._writer.end_open(out, status=status, encrypted=encrypted)
        for number in [*self._open_calls]:
            is_whole = self._calls.calls[number].is_whole
            if is_whole or all_calls:
                self._end_call(self._open_calls.pop(number), out, COMPLETED if is_whole else status)

    def _end_call(self, item: Item, out: list[bytes], status: str) -> None:
        arguments = self._decoded(
            "".join(item.pieces) or "{}"
        )  # servers may leave out an object without members
        self._writer.end_call(
            item, arguments, out, sent=bool(item.pieces) and not self._decode_entities, status=status
        )

    def _end(self, out: list[bytes]) -> None:
        assert self._finish is not None, "a stream without a finish reason has no end"
        if self._nameless:
            raise UpstreamMalformed(NAMELESS)
        self._close(out, all_calls=True, status=response.state(self._finish, None)["status"])
        if state := self._unsent_state():
            self._writer.carry(state, out)
        self.response = self._writer.finish(self._finish, response.usage(self._usage), out)
        self._over = self.finished = True
