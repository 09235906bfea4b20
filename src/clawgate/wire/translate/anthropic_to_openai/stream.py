"""Translates a stream of chat completion chunks into the events of a Messages stream.

OpenAI may mix the pieces of parallel tool calls, Anthropic's blocks follow one another: the first call streams through,
what belongs to later blocks is held until the upstream has finished. `message_delta` and `message_stop` are sent only
at `[DONE]`, or at the end of a stream that gave a finish reason: a cut stream never looks finished.
"""

from __future__ import annotations

from typing import NoReturn

import msgspec

from clawgate.errors import UpstreamClosed, UpstreamMalformed
from clawgate.wire.json import lenient, strict
from clawgate.wire.json.surrogates import SurrogateJoiner
from clawgate.wire.openai import types as chat
from clawgate.wire.sse.reader import MAX_EVENT_BYTES, Event
from clawgate.wire.translate import errors as upstream_errors
from clawgate.wire.translate.anthropic_to_openai import response
from clawgate.wire.translate.anthropic_to_openai.tool_names import ToolNames

KEEP_ALIVE = b": keep-alive\n\n"
PING = b'event: ping\ndata: {"type":"ping"}\n\n'
MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

_json = msgspec.json.Encoder().encode


class _HeldBlock(msgspec.Struct):
    """A block that has to wait for the open one; `number` is our number of a tool call."""

    kind: str
    number: int = -1
    name: str | None = None
    pieces: list[str] = msgspec.field(default_factory=list)
    signature: str | None = None


class MessagesStream:
    """One stream: chat completion chunks in, Anthropic's events out."""

    __slots__ = (
        "_blocks",
        "_calls",
        "_finish",
        "_halves",
        "_held_blocks",
        "_held_calls",
        "_held_size",
        "_id",
        "_ids",
        "_model",
        "_names",
        "_open",
        "_open_call",
        "_over",
        "_refused",
        "_slots",
        "_started",
        "_usage",
        "error",
        "finished",
    )

    def __init__(self, *, model: str, made_id: str = "msg_unnamed", names: ToolNames | None = None) -> None:
        self._halves = SurrogateJoiner()
        self._model = model
        self._names = names or ToolNames()
        self._id = made_id  # of the response, unless the upstream sends one
        self._started = False
        self._over = False  # finished or failed
        self.finished = False
        """Whether the client's stream has its end."""
        self.error: upstream_errors.UpstreamError | None = None
        """The error that the upstream's stream reported."""
        self._blocks = 0  # how many were opened; the open one's index is one less
        self._open = ""  # the kind of the open block: text, thinking, tool
        self._open_call = -1  # our number of the call that is open
        self._calls: list[str | None] = []  # the id of each call, by our number
        self._ids: dict[str, int] = {}  # our number of each call, by its id
        self._slots: dict[int | None, int] = {}  # our number of the latest call, by the upstream's index
        self._held_blocks: list[_HeldBlock] = []
        self._held_calls: dict[int, _HeldBlock] = {}
        self._held_size = 0  # characters in `_held_blocks`
        self._refused = False
        self._finish: str | None = None
        self._usage: object = None

    def feed(self, event: Event, out: list[bytes]) -> None:
        """Append the client's bytes for an event to ``out``.

        Raises `UpstreamMalformed` for what makes no sense, `UpstreamFailed` for an error event, also behind the end.
        """
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
        """Append the last events if the upstream left out `[DONE]`; raises `UpstreamClosed` if it had not finished."""
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
        if chunk.id:
            self._id = lenient.as_word(chunk.id) or self._id
        if not self._started:
            self._start(chunk, out)
        if chunk.usage is not None:
            self._usage = chunk.usage
        for choice in chunk.choices or ():
            if choice.index:
                continue
            if choice.delta is not None:
                self._add(choice.delta, out)
            elif choice.message is not None and not self._blocks:  # a complete message in one event
                self._add(choice.message, out)
            if choice.finish_reason:
                self._finish = choice.finish_reason
                if self._finish == response.FAILED:
                    self._fail(upstream_errors.UNSPECIFIED)

    def _add(self, delta: chat.ChoiceDelta, out: list[bytes]) -> None:
        if delta.reasoning_content or delta.thinking_blocks or delta.reasoning:
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
        if delta.tool_calls or delta.function_call is not None:
            for call in response.calls_of(delta):
                self._call(call, out)

    def _fail_if_error(self, data: bytes) -> None:
        """Fail with the error that an event reports, if it does."""
        if (error := upstream_errors.find_error(data)) is not None:
            self._fail(error)

    def _fail(self, error: upstream_errors.UpstreamError) -> NoReturn:
        self._over = True
        self.error = error
        raise error.as_failure()

    def _start(self, chunk: chat.ChatCompletionChunk, out: list[bytes]) -> None:
        self._started = True
        message: dict[str, object] = {
            "id": self._id,
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
        reasoning = response.reasoning_of(delta)
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
    def _thinks(self) -> bool:
        """Whether the last block, open or held, is thinking that may grow."""
        if self._open == "tool":
            last = self._held_blocks[-1] if self._held_blocks else None
            return last is not None and last.kind == "thinking" and last.signature is None
        return self._open == "thinking"

    def _sign(self, signature: str, out: list[bytes]) -> None:
        """Add a signature. It ends its block: the next piece of thinking begins another one."""
        if self._open == "thinking":
            out.append(self._delta(b'{"type":"signature_delta","signature":%b}' % _json(signature)))
            self._close(out)
        elif self._thinks:
            self._held_blocks[-1].signature = signature
            self._hold(signature)

    def _redacted(self, data: str, out: list[bytes]) -> None:
        if self._open == "tool":
            self._held_blocks.append(_HeldBlock("redacted", pieces=[data]))
            self._hold(data)
            return
        self._close(out)
        self._begin("redacted", {"type": "redacted_thinking", "data": data}, out)
        self._close(out)

    def _add_piece(self, kind: str, piece: str, out: list[bytes]) -> None:
        """Add a piece of text or of thinking."""
        if self._open == "tool":
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

    def _call(self, piece: chat.ToolCallPiece, out: list[bytes]) -> None:
        """Add a piece of a tool call: emitted if its call is the open one, held otherwise."""
        number = self._number(piece)
        function = piece.function or chat.FunctionPiece()
        arguments = response.arguments_text(function.arguments)
        if self._open == "tool" and number == self._open_call:
            if arguments:
                out.append(self._input(arguments))
            return
        call = self._held_calls.get(number)
        if call is None:
            call = self._held_calls[number] = _HeldBlock("tool", number)
            self._held_blocks.append(call)
        call.name = call.name or function.name
        call.pieces.append(arguments)
        self._hold(arguments)
        if self._open != "tool" and call.name and self._calls[number] and self._held_blocks[0] is call:
            del self._held_blocks[0], self._held_calls[number]
            self._emit(call, out)

    def _number(self, piece: chat.ToolCallPiece) -> int:
        """Return our number of the call that the piece belongs to.

        Its id decides: some servers give every parallel call the same index, or none. A piece without an id continues
        the latest call of its index.
        """
        number = self._slots.get(piece.index)
        if piece.id:
            known = self._ids.get(piece.id)
            if known is not None:
                number = known
            elif number is not None and self._calls[number] is not None:
                number = None
        if number is None:
            number = len(self._calls)
            self._calls.append(None)
        if piece.id and self._calls[number] is None:
            self._calls[number] = piece.id
            self._ids[piece.id] = number
        self._slots[piece.index] = number
        return number

    def _hold(self, piece: str) -> None:
        self._held_size += len(piece) + 64  # about what a piece costs besides its text
        if self._held_size > MAX_EVENT_BYTES:
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
        elif not block.name:
            raise UpstreamMalformed("the upstream's stream calls a tool without a name")
        else:
            self._close(out)
            call_id = lenient.call_id(self._calls[block.number], self._id, block.number)
            name = self._names.restore(block.name)
            self._begin("tool", {"type": "tool_use", "id": call_id, "name": name, "input": {}}, out)
            self._open_call = block.number
            if content:
                out.append(self._input(content))

    def _begin(self, kind: str, block: dict[str, object], out: list[bytes]) -> None:
        out.append(_event("content_block_start", {"index": self._blocks, "content_block": block}))
        self._blocks += 1
        self._open = kind

    def _close(self, out: list[bytes]) -> None:
        if self._open:
            self._open = ""
            out.append(_event("content_block_stop", {"index": self._blocks - 1}))

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
        reason = response.stop_reason(self._finish, called=bool(self._calls), refused=self._refused)
        delta = {"stop_reason": reason, "stop_sequence": None}
        out.append(_event("message_delta", {"delta": delta, "usage": response.usage(self._usage)}))
        out.append(MESSAGE_STOP)
        self._over = self.finished = True


def _event(name: str, content: dict[str, object]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _json({"type": name, **content}))
