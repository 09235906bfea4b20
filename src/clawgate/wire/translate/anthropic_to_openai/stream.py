"""Translates a stream of chat completion chunks into the events of a Messages stream.

OpenAI may mix the pieces of parallel tool calls, Anthropic's blocks follow one another: what belongs to blocks behind
the first call is held until the upstream has finished. A short call is held itself: its id carries what the upstream
signed (`opaque_state`), which may come behind the arguments; a long one streams through. `message_delta` and
`message_stop` are sent only at `[DONE]`, or at the end of a stream that gave a finish reason: a cut stream never looks
finished.
"""

from __future__ import annotations

import msgspec

from clawgate.errors import UpstreamClosed, UpstreamMalformed
from clawgate.wire.json import lenient, strict
from clawgate.wire.openai import types as chat
from clawgate.wire.openai.stream_calls import StreamedCalls
from clawgate.wire.sse.reader import MAX_EVENT_BYTES, Event
from clawgate.wire.translate import errors as upstream_errors
from clawgate.wire.translate.anthropic_to_openai import response
from clawgate.wire.translate.chat_upstream import completion
from clawgate.wire.translate.chat_upstream.call_ids import CallIds
from clawgate.wire.translate.chat_upstream.opaque_members import OpaqueMembers
from clawgate.wire.translate.chat_upstream.tool_names import ToolNames
from clawgate.wire.translate.compat import NO_COMPAT, Compat
from clawgate.wire.translate.exchange import TranslatedStream

KEEP_ALIVE = b": keep-alive\n\n"
PING = b'event: ping\ndata: {"type":"ping"}\n\n'
CALL_WAITS_BYTES = 16_384
"""What is held at most for a first call that may still be signed: some 240 tokens, if each comes in a chunk."""
MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

_json = msgspec.json.Encoder().encode


class _HeldBlock(msgspec.Struct):
    """A block that has to wait for the open one; `number` is our number of a tool call."""

    kind: str
    number: int = -1
    name: str | None = None
    pieces: list[str] = msgspec.field(default_factory=list)
    signature: str | None = None


class MessagesStream(TranslatedStream):
    """One stream: chat completion chunks in, Anthropic's events out."""

    __slots__ = (
        "_blocks",
        "_called",
        "_calls",
        "_decode_entities",
        "_finish",
        "_held_blocks",
        "_held_calls",
        "_id",
        "_ids",
        "_model",
        "_names",
        "_opaque",
        "_open",
        "_open_call",
        "_refused",
        "_started",
        "_visible",
    )

    def __init__(
        self,
        *,
        model: str,
        names: ToolNames | None = None,
        ids: CallIds | None = None,
        compat: Compat = NO_COMPAT,
    ) -> None:
        super().__init__()
        self._model = model
        self._names = names or ToolNames()
        self._ids = ids or CallIds()
        self._visible = compat.visible_reasoning_detail_types
        self._decode_entities = compat.tool_call_arguments_encoding == completion.HTML_ENTITIES
        self._id: object = None  # of the upstream's response
        self._started = False
        self._blocks = 0  # how many were opened; the open one's index is one less
        self._open = ""  # the kind of the open block: text, thinking, tool
        self._open_call = -1  # our number of the call that is open
        self._calls = StreamedCalls()
        self._called = False  # whether a call was sent
        self._opaque = OpaqueMembers()
        self._held_blocks: list[_HeldBlock] = []
        self._held_calls: dict[int, _HeldBlock] = {}
        self._refused = False
        self._finish: str | None = None

    def feed(self, event: Event, out: list[bytes]) -> None:
        data = event.data
        if self._over:
            self._fail_if_error(data or b"")
            return
        if not data or data.isspace():
            if event.raw.strip():
                out.append(PING if self._started else KEEP_ALIVE)
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
            elif choice.message is not None and not (self._blocks or self._holds):  # complete, in one event
                self._add(choice.message, out)
            if choice.finish_reason:
                self._finish = choice.finish_reason
                if self._finish == completion.FAILED:
                    self._fail(upstream_errors.UNSPECIFIED)

    def _add(self, delta: chat.ChoiceDelta, out: list[bytes]) -> None:
        if delta.reasoning_details or delta.extra_content:
            self._opaque.add(completion.opaque_members_of_message(delta, self._visible))
        if delta.reasoning_content or delta.thinking_blocks or delta.reasoning or delta.reasoning_details:
            self._reasoning(delta, out)
        if delta.content:
            if isinstance(delta.content, str):
                self._add_piece("text", delta.content, out)
            else:
                for kind, piece in lenient.content_parts(delta.content):
                    self._add_piece(kind, piece, out)
        if delta.refusal and (refusal := lenient.as_word(delta.refusal)):
            self._refused = True
            self._add_piece("text", refusal, out)
        if self._visible and (visible := completion.visible_details(delta, self._visible)):
            self._add_piece("text", visible, out)
        if delta.tool_calls or delta.function_call is not None:
            in_delta: set[int] = set()
            for call in completion.calls_of(delta):
                self._call(call, in_delta, out)

    def _start(self, chunk: chat.ChatCompletionChunk, out: list[bytes]) -> None:
        self._started = True
        message: dict[str, object] = {
            "id": self._ids.message_id(chunk.id),
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": response.usage(chunk.usage),
        }
        out.append(_event("message_start", {"message": message}))

    def _reasoning(self, delta: chat.ChoiceDelta, out: list[bytes]) -> None:
        reasoning = completion.reasoning_of(delta)
        if reasoning:
            self._add_piece("thinking", reasoning, out)
        for entry in delta.thinking_blocks or ():
            if entry.type == "redacted_thinking":
                self._redacted(entry.data or "", out)
                continue
            if entry.type != "thinking":
                continue
            repeats = entry.signature and self._thinks  # what came in pieces before
            if (entry.signature and not repeats) or (entry.thinking and not reasoning and not repeats):
                self._add_piece("thinking", entry.thinking or "", out)
            if entry.signature:
                self._sign(entry.signature, out)

    @property
    def _holds(self) -> bool:
        """Whether a further block has to wait for a tool call."""
        return self._open == "tool" or bool(self._held_blocks)

    @property
    def _thinks(self) -> bool:
        """Whether the last block, open or held, is thinking that may grow."""
        if self._holds:
            last = self._held_blocks[-1] if self._held_blocks else None
            return last is not None and last.kind == "thinking" and last.signature is None
        return self._open == "thinking"

    def _sign(self, signature: str, out: list[bytes]) -> None:
        """Add a signature. It ends its block: the next piece of thinking begins another one.

        An upstream that signs blocks says the same in its opaque members: a call carries them, and no further block.
        """
        self._opaque.take()
        if not self._thinks:
            return
        if self._holds:
            self._held_blocks[-1].signature = signature
            self._hold(signature)
        else:
            self._emit_signature(signature, out)
            self._stop(out)

    def _redacted(self, data: str, out: list[bytes]) -> None:
        self._opaque.take()
        if self._holds:
            self._held_blocks.append(_HeldBlock("redacted", pieces=[data]))
            self._hold(data)
            return
        self._close(out)
        self._begin("redacted", {"type": "redacted_thinking", "data": data}, out)
        self._close(out)

    def _add_piece(self, kind: str, piece: str, out: list[bytes]) -> None:
        if self._holds:
            last = self._held_blocks[-1] if self._held_blocks else None
            if last is None or last.kind != kind or last.signature is not None:
                last = _HeldBlock(kind)
                self._held_blocks.append(last)
            last.pieces.append(piece)
            self._hold(piece)
            return
        if self._open != kind:
            self._close(out)
            block: dict[str, object] = {"type": kind, kind: ""}
            if kind == "thinking":
                block["signature"] = ""
            self._begin(kind, block, out)
        if kind == "text":
            out.append(self._delta(b'{"type":"text_delta","text":%b}' % _json(piece)))
        elif piece:
            out.append(self._delta(b'{"type":"thinking_delta","thinking":%b}' % _json(piece)))

    def _call(self, piece: chat.ToolCallPiece, in_delta: set[int], out: list[bytes]) -> None:
        """Add a piece of a tool call: emitted if its call is the open one, held otherwise."""
        function = piece.function or chat.FunctionPiece()
        arguments = completion.arguments_text(function.arguments)
        number = self._calls.number_of(piece, arguments, in_delta)
        known = self._calls.calls[number]
        known.extra |= completion.opaque_members_of_call(piece)
        if self._open == "tool" and number == self._open_call:
            if arguments:
                out.append(self._input(arguments))
            return
        call = self._held_calls.get(number)
        if call is None:
            if not self._holds:
                self._close(out)
            call = self._held_calls[number] = _HeldBlock("tool", number)
            self._held_blocks.append(call)
        call.pieces.append(arguments)
        self._hold(arguments)
        streams = self._open != "tool" and not self._decode_entities and self.held_bytes > CALL_WAITS_BYTES
        if streams and known.name and known.id is not None and self._held_blocks[0] is call:
            del self._held_blocks[0], self._held_calls[number]
            self._emit(call, out)

    def _hold(self, piece: str) -> None:
        self.held_bytes += len(piece) + 64  # about what a piece costs besides its text
        if self.held_bytes > MAX_EVENT_BYTES:
            raise UpstreamMalformed(
                f"the upstream mixes more than {MAX_EVENT_BYTES} bytes of parallel tool calls"
            )

    def _emit(self, block: _HeldBlock, out: list[bytes]) -> None:
        """Open a held block and emit its content."""
        content = "".join(block.pieces)
        if block.kind == "redacted":
            self._redacted(content, out)
        elif block.kind != "tool":
            self._add_piece(block.kind, content, out)
            if block.signature:
                self._sign(block.signature, out)
        else:
            self._emit_call(block.number, content, out)

    def _emit_call(self, number: int, arguments: str, out: list[bytes]) -> None:
        call = self._calls.calls[number]
        if not call.name:
            raise UpstreamMalformed("the upstream's stream calls a tool without a name")
        self._close(out)
        message = self._opaque.message if not self._called else None
        call.id = self._ids.to_client(call.id, self._id, call=call.extra, message=message)
        if self._ids.carries_state(call.id):
            self._opaque.sent_in_call(number, call.extra)
        self._called = True
        name = self._names.restore(call.name)
        self._begin("tool", {"type": "tool_use", "id": call.id, "name": name, "input": {}}, out)
        self._open_call = number
        if self._decode_entities and (parsed := strict.parse_arguments(arguments)) is not None:
            arguments = strict.encode_response(completion.without_entities(parsed)).decode()
        if arguments:
            out.append(self._input(arguments))

    def _begin(self, kind: str, block: dict[str, object], out: list[bytes]) -> None:
        out.append(_event("content_block_start", {"index": self._blocks, "content_block": block}))
        self._blocks += 1
        self._open = kind

    def _close(self, out: list[bytes]) -> None:
        """Close the open block. Thinking that the upstream did not sign carries what it wants back."""
        if self._open == "thinking" and (opaque := self._opaque.take()) is not None:
            self._emit_signature(self._ids.signature(message=opaque), out)
        self._stop(out)

    def _stop(self, out: list[bytes]) -> None:
        if self._open:
            self._open = ""
            out.append(_event("content_block_stop", {"index": self._blocks - 1}))

    def _emit_signature(self, signature: str, out: list[bytes]) -> None:
        out.append(self._delta(b'{"type":"signature_delta","signature":%b}' % _json(signature)))

    def _emit_rest(self, out: list[bytes]) -> None:
        """Emit opaque members that came behind what they belong to, in a thinking block without words."""
        numbered = enumerate(self._calls.calls)
        calls = {
            call.id: call.extra
            for number, call in numbered
            if call.id and self._opaque.is_unsent(number, call.extra)
        }
        if signature := self._ids.signature(message=self._opaque.take(), calls=calls):
            self._begin("thinking", {"type": "thinking", "thinking": "", "signature": ""}, out)
            self._emit_signature(signature, out)
            self._stop(out)

    def _input(self, piece: str) -> bytes:
        return self._delta(b'{"type":"input_json_delta","partial_json":%b}' % _json(piece))

    def _delta(self, delta: bytes) -> bytes:
        return (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":%b}\n\n'
            % (self._blocks - 1, delta)
        )

    def _end(self, out: list[bytes]) -> None:
        assert self._finish is not None, "a stream without a finish reason has no end"
        self._close(out)
        held, self._held_blocks = self._held_blocks, []
        for block in held:
            self._emit(block, out)
            self._close(out)
        self._emit_rest(out)
        reason = response.stop_reason(self._finish, called=bool(self._calls.calls), refused=self._refused)
        delta = {"stop_reason": reason, "stop_sequence": None}
        out.append(_event("message_delta", {"delta": delta, "usage": response.usage(self._usage)}))
        out.append(MESSAGE_STOP)
        self._over = self.finished = True


def _event(name: str, content: dict[str, object]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _json({"type": name, **content}))
