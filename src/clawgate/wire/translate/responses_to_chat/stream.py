"""Translates a stream of chat completion chunks into the events of a Responses stream.

Each item has its index from its first event on, and ends as soon as another one begins: a call once its arguments are
whole, so that calls that servers mix stay apart. The last event is sent only behind a ``finish_reason``, at ``[DONE]``
or at the end of the stream: a cut stream never looks finished. Reasoning is sent as a summary: clients show that, and
the events of reasoning in full have other names at OpenAI than in the OpenResponses specification. What the upstream
wants back travels in the id of a call and in `encrypted_content`, see `opaque_state`; what comes too late for either is
in a reasoning item without words at the end. Source of the order of events: OpenAI's API reference.
"""

from __future__ import annotations

from clawgate.errors import UpstreamClosed, UpstreamMalformed
from clawgate.wire.json import lenient, strict
from clawgate.wire.openai import types as chat
from clawgate.wire.openai.stream_calls import StreamedCall, StreamedCalls
from clawgate.wire.sse.reader import Event
from clawgate.wire.translate import errors as upstream_errors
from clawgate.wire.translate.chat_upstream import completion
from clawgate.wire.translate.chat_upstream.call_ids import CallIds
from clawgate.wire.translate.chat_upstream.opaque_members import OpaqueMembers
from clawgate.wire.translate.compat import NO_COMPAT, Compat
from clawgate.wire.translate.exchange import TranslatedStream
from clawgate.wire.translate.responses_to_chat import response
from clawgate.wire.translate.responses_to_chat.response import COMPLETED, Object
from clawgate.wire.translate.responses_to_chat.tools import ToolTable
from clawgate.wire.translate.responses_to_chat.writer import REFUSAL, SUMMARY, TEXT, Item, ResponseWriter

KEEP_ALIVE = b": keep-alive\n\n"


class ResponsesStream(TranslatedStream):
    """One stream: chat completion chunks in, events of the Responses API out."""

    __slots__ = (
        "_calls",
        "_decode_entities",
        "_finish",
        "_id",
        "_ids",
        "_known",
        "_nameless",
        "_opaque",
        "_open_calls",
        "_seals",
        "_tools",
        "_visible",
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
        super().__init__()
        self._writer = writer
        self._tools = table or ToolTable()
        self._ids = ids or CallIds()
        self._visible = compat.visible_reasoning_detail_types
        self._seals = seals
        self._decode_entities = compat.tool_call_arguments_encoding == completion.HTML_ENTITIES
        self._id: object = None  # of the upstream's response
        self._open_calls: dict[int, Item] = {}  # by our number of a call
        self._nameless: dict[int, list[str]] = {}  # arguments of calls whose name did not come yet
        self._calls = StreamedCalls()
        self._known: set[int] = set()  # the numbers of calls that began
        self._opaque = OpaqueMembers()
        self._finish: str | None = None
        self.response: Object | None = None
        """The response as it ended; None before."""

    def feed(self, event: Event, out: list[bytes]) -> None:
        data = event.data
        if self._over:
            self._fail_if_error(data or b"")
        elif not data or data.isspace():
            if event.raw.strip():
                out.append(KEEP_ALIVE)
        elif data.startswith(b"[DONE]"):
            if self._finish is None:
                raise UpstreamMalformed("the upstream's stream has [DONE] without a finish_reason")
            self._end(out)
        else:
            self._chunk(data, out)
            self.held_bytes = self._writer.held_bytes

    def end(self, out: list[bytes]) -> None:
        if self._over:
            return
        if self._finish is None:
            raise UpstreamClosed("the upstream's stream ended before a finish_reason")
        self._end(out)

    def failure(self, *, message: str, kind: str, code: str | None, param: str | None) -> bytes:
        """Return the last events of a stream that failed."""
        usage = response.usage(self._usage) if self._usage else None
        return self._writer.fail(message=message, kind=kind, code=code, param=param, usage=usage)

    def _chunk(self, data: bytes, out: list[bytes]) -> None:
        try:
            chunk = strict.parse_response(data, chat.CHAT_CHUNK, self._halves)
        except UpstreamMalformed:
            self._fail_if_error(data)
            raise
        if chunk.error is not None or chunk.choices is None:
            self._fail_if_error(data)
        if not self._id:
            self._id = chunk.id
        if not self._writer.started:
            self._writer.start(out)
        if chunk.usage is not None:
            lenient.merge_counts(self._usage, chunk.usage)
        for choice in chunk.choices or ():
            if lenient.as_index(choice.index):
                continue
            if choice.usage is not None:
                lenient.merge_counts(self._usage, choice.usage)
            if choice.delta is not None:
                self._add(choice.delta, out)
            elif choice.message is not None and not self._writer.items:  # complete, in one event
                self._add(choice.message, out)
            if choice.finish_reason:
                self._finish = choice.finish_reason
                if self._finish == completion.FAILED:
                    self._fail(upstream_errors.UNSPECIFIED)

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
        message = self._opaque.message if not self._known else None
        known.id = self._ids.to_client(known.id, self._id, call=known.extra, message=message)
        if self._ids.carries_state(known.id):
            self._opaque.sent_in_call(number, known.extra)
        self._known.add(number)
        item = self._open_calls[number] = self._writer.begin_call(
            self._tools.called(known.name), known.id, out
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
        arguments = "".join(item.pieces) or "{}"  # as servers may leave out an object without members
        if self._decode_entities and (parsed := strict.parse_arguments(arguments)) is not None:
            arguments = strict.encode_response(completion.without_entities(parsed)).decode()
        self._writer.end_call(
            item, arguments, out, sent=bool(item.pieces) and not self._decode_entities, status=status
        )

    def _end(self, out: list[bytes]) -> None:
        assert self._finish is not None, "a stream without a finish reason has no end"
        if self._nameless:
            raise UpstreamMalformed("the upstream's stream calls a tool without a name")
        self._close(out, all_calls=True, status=response.state(self._finish, None)["status"])
        calls = {
            call.id: call.extra
            for number, call in enumerate(self._calls.calls)
            if call.id and self._opaque.is_unsent(number, call.extra)
        }
        if state := self._ids.signature(message=self._opaque.take(), calls=calls):
            self._writer.carry(state, out)
        self.response = self._writer.finish(self._finish, response.usage(self._usage), out)
        self._over = self.finished = True
