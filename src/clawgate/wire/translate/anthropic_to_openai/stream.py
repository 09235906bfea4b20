"""Translates a stream of chat completion chunks into the events of a Messages stream.

OpenAI may mix the pieces of parallel tool calls, Anthropic's blocks follow one another: what belongs to blocks behind
the first call is held until the upstream has finished. A short call is held itself: its id carries what the upstream
signed (`opaque_state`), which may come behind the arguments; a long one streams through. `message_delta` and
`message_stop` are sent only at `[DONE]`, or at the end of a stream that gave a finish reason: a cut stream never looks
finished.
"""

from __future__ import annotations

import msgspec

from clawgate.errors import UpstreamMalformed
from clawgate.wire.json import lenient
from clawgate.wire.openai import types as chat
from clawgate.wire.sse.reader import MAX_EVENT_BYTES
from clawgate.wire.translate.anthropic_to_openai import response
from clawgate.wire.translate.chat_upstream import completion
from clawgate.wire.translate.chat_upstream.call_ids import CallIds
from clawgate.wire.translate.chat_upstream.stream import KEEP_ALIVE, NAMELESS, ChatUpstreamStream
from clawgate.wire.translate.chat_upstream.tool_names import ToolNames
from clawgate.wire.translate.compat import NO_COMPAT, Compat

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


class MessagesStream(ChatUpstreamStream):
    """One stream: chat completion chunks in, Anthropic's events out."""

    __slots__ = (
        "_blocks",
        "_called",
        "_held_blocks",
        "_held_calls",
        "_model",
        "_names",
        "_open",
        "_open_call",
        "_refused",
    )

    def __init__(
        self,
        *,
        model: str,
        names: ToolNames | None = None,
        ids: CallIds | None = None,
        compat: Compat = NO_COMPAT,
    ) -> None:
        super().__init__(ids, compat)
        self._model = model
        self._names = names or ToolNames()
        self._blocks = 0  # how many were opened; the open one's index is one less
        self._open = ""  # the kind of the open block: text, thinking, tool
        self._open_call = -1  # our number of the call that is open
        self._called = False  # whether a call was sent
        self._held_blocks: list[_HeldBlock] = []
        self._held_calls: dict[int, _HeldBlock] = {}
        self._refused = False

    @property
    def _has_content(self) -> bool:
        return bool(self._blocks or self._holds)

    @property
    def _keep_alive(self) -> bytes:
        return PING if self._started else KEEP_ALIVE

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
        name = self._calls.calls[number].name
        if not name:
            raise UpstreamMalformed(NAMELESS)
        self._close(out)
        call = self._identify(number, is_first=not self._called)
        self._called = True
        name = self._names.restore(name)
        self._begin("tool", {"type": "tool_use", "id": call.id, "name": name, "input": {}}, out)
        self._open_call = number
        if arguments := self._decoded(arguments):
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
        if signature := self._unsent_state():
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
