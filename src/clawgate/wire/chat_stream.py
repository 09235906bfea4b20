"""What does a chat client's stream look like while Anthropic's Messages API streams?

One object per exchange. `finish_reason`, usage and `[DONE]` leave only when the upstream has said `message_stop`: a
cut stream never looks finished. A thinking block is told piece by piece as `reasoning_content`, and whole, with its
signature, in `thinking_blocks` when it ends; entries carry an `index`, which the OpenAI SDK needs to add lists up.
Source of the event order: Anthropic's documentation of streaming.
"""

from __future__ import annotations

import msgspec

from clawgate.errors import UpstreamClosed, UpstreamMalformed
from clawgate.wire import chat_answer, foreign_errors, strict_json
from clawgate.wire import messages_shapes as messages
from clawgate.wire.events import COMMENT, MAX_EVENT_BYTES, EventReader
from clawgate.wire.half_characters import Joiner

KEEP_ALIVE = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"

KNOWN = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
        "error",
    }
)
"""Events of other types are passed over, as Anthropic's versioning policy asks."""

_text = msgspec.json.Encoder().encode


class ChatStream:
    """Anthropic's events in, chat completion chunks out."""

    __slots__ = (
        "_block",
        "_calls",
        "_created",
        "_entries",
        "_fed_input",
        "_halves",
        "_head",
        "_held",
        "_index",
        "_model",
        "_over",
        "_reader",
        "_started",
        "_stop",
        "_thoughts",
        "_told",
        "_usage",
        "_with_usage",
    )

    def __init__(self, *, model: str, created: int, include_usage: bool) -> None:
        self._reader = EventReader()
        self._halves = Joiner()
        self._told = False  # whether anything was said
        self._model = model
        self._created = created
        self._with_usage = include_usage
        self._head = b""  # of every chunk, up to its choices
        self._started = False
        self._over = False  # finished, or broken off by an error that was told
        self._block: messages.Block | None = None  # the open one
        self._index = -1  # the open block's
        self._fed_input = False
        self._calls = 0  # how many tool calls were told
        self._entries = 0  # how many thinking blocks were told
        self._thoughts = 0  # characters
        self._held: list[str] = []  # the thinking of the open block
        self._stop: str | None = None
        self._usage: dict[object, object] = {}

    def feed(self, chunk: bytes) -> bytes:
        """The client's bytes for the upstream's ``chunk``; raises `UpstreamMalformed`.

        Raises `UpstreamFailed` for an error of the upstream's before anything was said.
        """
        out: list[bytes] = []
        for data in self._reader.feed(chunk):
            if self._over:
                break
            said = KEEP_ALIVE if data == COMMENT else self._event(data)
            if said:
                self._told = True
                out.append(said)
        return out[0] if len(out) == 1 else b"".join(out)

    def end(self) -> bytes:
        """Nothing, for all was said; raises `UpstreamClosed` if the upstream had not finished."""
        if not self._over:
            raise UpstreamClosed("the upstream's stream ended before its message_stop")
        return b""

    def _event(self, data: bytes) -> bytes:
        try:
            event = strict_json.answer(data, messages.MESSAGES_EVENT, self._halves)
        except UpstreamMalformed:
            if (error := foreign_errors.within(data)) is not None:
                return self._break_off(error)
            if strict_json.answer(data, messages.MESSAGES_EVENT_TYPE).type not in KNOWN:
                return b""
            raise
        kind = event.type
        if kind == "content_block_delta":
            return self._delta(event)
        if kind == "ping":
            return KEEP_ALIVE
        if kind == "error":
            return self._break_off(foreign_errors.within(data) or foreign_errors.WORDLESS)
        if kind not in KNOWN:
            return b""
        if kind == "message_start":
            return self._start(event)
        if not self._started:
            raise UpstreamMalformed(f"the upstream's stream begins with {kind}")
        if kind == "content_block_start":
            return self._open(event)
        if kind == "content_block_stop":
            return self._close(event)
        if kind == "message_delta":
            return self._note(event)
        return self._finish()

    def _break_off(self, error: foreign_errors.ForeignError) -> bytes:
        self._over = True
        if not self._told:
            raise error.as_failure()
        return foreign_errors.chat_event(error)

    def _start(self, event: messages.Event) -> bytes:
        if self._started or event.message is None:
            raise UpstreamMalformed("the upstream's stream holds a message_start that is not its beginning")
        self._started = True
        head = {
            "id": event.message.id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
        }
        self._head = b"data: " + strict_json.write_answer(head)[:-1]
        self._count(event.message.usage)
        return self._chunk(b'{"role":"assistant","content":""}')

    def _open(self, event: messages.Event) -> bytes:
        block = event.content_block
        if block is None or self._block is not None:
            raise UpstreamMalformed("the upstream's stream opens a block inside another, or an empty one")
        self._block, self._index = block, event.index
        match block.type:
            case "text":
                return self._chunk(b'{"content":' + _text(block.text) + b"}") if block.text else b""
            case "thinking":
                self._held = []
                return self._think(block.thinking)
            case "tool_use":
                if not block.id or not block.name:
                    raise UpstreamMalformed("the upstream's stream calls a tool without an id or a name")
                self._fed_input = False
                call = {
                    "index": self._calls,
                    "id": block.id,
                    "type": "function",
                    "function": {"name": block.name, "arguments": ""},
                }
                return self._chunk(b'{"tool_calls":[' + _text(call) + b"]}")
            case _:
                return b""

    def _delta(self, event: messages.Event) -> bytes:
        delta, block = event.delta, self._block
        if delta is None or block is None or event.index != self._index:
            raise UpstreamMalformed("the upstream's stream adds to a block that is not open")
        kind = delta.type
        if kind == "text_delta" and block.type == "text":
            return self._chunk(b'{"content":' + _text(delta.text) + b"}") if delta.text else b""
        if kind == "input_json_delta" and block.type == "tool_use":
            return self._arguments(delta.partial_json) if delta.partial_json else b""
        if kind == "thinking_delta" and block.type == "thinking":
            return self._think(delta.thinking)
        if kind == "signature_delta" and block.type == "thinking":
            block.signature = delta.signature
        return b""

    def _arguments(self, piece: str) -> bytes:
        self._fed_input = True
        return self._chunk(
            b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}' % (self._calls, _text(piece))
        )

    def _think(self, piece: str) -> bytes:
        if not piece:
            return b""
        self._held.append(piece)
        self._thoughts += len(piece)
        if self._thoughts > MAX_EVENT_BYTES:
            raise UpstreamMalformed(f"the upstream's thinking exceeds {MAX_EVENT_BYTES} characters")
        return self._chunk(b'{"reasoning_content":' + _text(piece) + b"}")

    def _close(self, event: messages.Event) -> bytes:
        block = self._block
        if block is None or event.index != self._index:
            raise UpstreamMalformed("the upstream's stream closes a block that is not open")
        self._block = None
        if block.type == "tool_use":
            said = (
                b""
                if self._fed_input
                else self._arguments(strict_json.write_answer(block.input or {}).decode())
            )
            self._calls += 1
            return said
        if block.type not in ("thinking", "redacted_thinking"):
            return b""
        block.thinking = "".join(self._held)
        entry = {"index": self._entries, **chat_answer.thinking_entry(block)}
        self._entries += 1
        return self._chunk(b'{"thinking_blocks":[' + strict_json.write_answer(entry) + b"]}")

    def _note(self, event: messages.Event) -> bytes:
        """Remember why the model stopped and what it cost: told when all is said."""
        self._count(event.usage)
        delta = event.delta
        if delta is None or delta.stop_reason is None:
            return b""
        self._stop = delta.stop_reason
        if delta.stop_reason == "refusal" and delta.stop_details and delta.stop_details.explanation:
            return self._chunk(b'{"refusal":' + _text(delta.stop_details.explanation) + b"}")
        return b""

    def _count(self, counts: object) -> None:
        """Take over what is counted: totals replace earlier ones, and what is not named stays."""
        if isinstance(counts, dict):
            self._usage.update((name, value) for name, value in counts.items() if value is not None)

    def _finish(self) -> bytes:
        if self._block is not None or self._stop is None:
            raise UpstreamMalformed("the upstream's stream says message_stop before its message was complete")
        self._over = True
        finish = _text(chat_answer.FINISH.get(self._stop, "stop"))
        said = self._chunk(b"{}", finish)
        if self._with_usage:
            said += self._head + b',"choices":[],"usage":' + _text(chat_answer.usage(self._usage)) + b"}\n\n"
        return said + DONE

    def _chunk(self, delta: bytes, finish: bytes = b"null") -> bytes:
        return b'%b,"choices":[{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}]}\n\n' % (
            self._head,
            delta,
            finish,
        )
