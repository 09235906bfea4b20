"""Translates the events of a Messages stream into a stream of chat completion chunks.

`finish_reason`, usage and `[DONE]` are sent only at `message_stop`, or at the end of a stream that gave a stop reason:
a cut stream never looks finished. Blocks are identified by their index, so they may be open side by side; a server may
leave out where one begins or ends as long as nothing is missing. A thinking block is sent piece by piece as
`reasoning_content` and as an entry of `reasoning_details`, whose signature comes when it ends, and complete in
`thinking_blocks` then. Entries have an `index`, which the OpenAI SDK needs to add lists up, and a member that must not
be added up is in the first piece alone. Source of the event order: Anthropic's documentation of streaming.
"""

from __future__ import annotations

import msgspec

from clawgate.errors import UpstreamClosed, UpstreamMalformed
from clawgate.wire.anthropic import types as messages
from clawgate.wire.json import lenient, strict
from clawgate.wire.openai.chunks import DONE, ChunkEncoder
from clawgate.wire.sse.reader import MAX_EVENT_BYTES, Event
from clawgate.wire.translate import errors as upstream_errors
from clawgate.wire.translate.exchange import TranslatedStream
from clawgate.wire.translate.openai_to_anthropic import response
from clawgate.wire.translate.openai_to_anthropic.thinking import (
    is_signed,
    reasoning_detail,
    thinking_detail,
    thinking_entry,
)

KEEP_ALIVE = b": keep-alive\n\n"

KNOWN = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
    }
)
"""Events of other types are ignored, as Anthropic's versioning policy requires."""

Index = int | str | None
_ADDS_TO = {
    "text_delta": "text",
    "input_json_delta": "tool_use",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
}
"""By the type of a delta: the type of the block that it adds to."""
MAX_OPEN_BLOCKS = 1000
"""Blocks that may be open at a time."""

_json = msgspec.json.Encoder().encode


class _OpenBlock(msgspec.Struct):
    """An open block; ``number`` is our number of a tool call or reasoning detail, ``pieces`` are its thinking."""

    block: messages.ContentBlock
    number: int = -1
    fed: bool = False
    pieces: list[str] = msgspec.field(default_factory=list)


class ChatStream(TranslatedStream):
    """One stream: Anthropic's events in, chat completion chunks out."""

    __slots__ = (
        "_blocks",
        "_calls",
        "_chunks",
        "_created",
        "_details",
        "_entries",
        "_id",
        "_model",
        "_provider",
        "_signed",
        "_started",
        "_stop",
        "_with_usage",
        "error",
    )

    def __init__(
        self,
        *,
        model: str,
        created: int,
        include_usage: bool,
        made_id: str = "chatcmpl-unnamed",
        provider: str = "",
    ) -> None:
        super().__init__()
        self._model = model
        self._created = created
        self._with_usage = include_usage
        self._provider = provider
        self._chunks = ChunkEncoder(made_id, created, model)
        self._id = made_id  # of the response, unless the upstream sends one
        self._started = False
        self._blocks: dict[Index, _OpenBlock] = {}  # the open ones, by the upstream's index
        self._calls = 0  # how many tool calls were sent
        self._entries = 0  # how many thinking blocks were sent
        self._details = 0  # how many entries of `reasoning_details` were sent
        self._signed: list[dict[str, object]] = []  # thinking that the next call carries
        self._stop: str | None = None

    def feed(self, event: Event, out: list[bytes]) -> None:
        if self._over:
            self._fail_if_error(event.data or b"")
            return
        if not event.data or event.data.isspace():
            if event.raw.strip():
                out.append(KEEP_ALIVE)
            return
        if translated := self._event(event.data):
            out.append(translated)

    def end(self, out: list[bytes]) -> None:
        if self._over:
            return
        if self._stop is None:
            raise UpstreamClosed("the upstream's stream ended before a stop_reason")
        out.append(self._finish())

    def _event(self, data: bytes) -> bytes:
        if data.startswith(b"[DONE]"):  # servers that speak both dialects may end both in the same way
            return self._finish()
        try:
            event = strict.parse_response(data, messages.MESSAGES_EVENT, self._halves)
        except UpstreamMalformed:
            self._fail_if_error(data)
            if strict.parse_response(data, messages.MESSAGES_EVENT_TYPE).type not in KNOWN:
                return b""
            raise
        kind = event.type
        if kind == "content_block_delta":
            return self._delta(event)
        if kind == "ping":
            return KEEP_ALIVE
        if kind == "error":
            self._fail(upstream_errors.error_of_event(data))
        if kind not in KNOWN:
            return b""
        if kind == "message_start":
            return self._start(event)
        if not self._started:
            raise UpstreamMalformed(f"the upstream's stream begins with {kind}")
        if kind == "content_block_start":
            return self._open(event)
        if kind == "content_block_stop":
            index = lenient.as_index(event.index)
            return self._close(
                next(iter(self._blocks)) if index is None and len(self._blocks) == 1 else index
            )
        if kind == "message_delta":
            return self._message_delta(event)
        return self._finish()

    def _start(self, event: messages.Event) -> bytes:
        if self._started:
            raise UpstreamMalformed("the upstream's stream holds a message_start that is not its beginning")
        self._started = True
        self._id = lenient.as_word(lenient.as_member(event.message, "id")) or self._id
        self._chunks = ChunkEncoder(self._id, self._created, self._model)
        lenient.merge_counts(self._usage, lenient.as_member(event.message, "usage"))
        return self._chunks.chunk(b'{"role":"assistant","content":""}')

    def _open(self, event: messages.Event) -> bytes:
        block = event.content_block
        if block is None:
            raise UpstreamMalformed("the upstream's stream opens an empty block")
        index = lenient.as_index(event.index)
        end = self._close(index)  # of a block with the same index, whose end was left out
        return end + self._begin(index, block)

    def _begin(self, index: Index, block: messages.ContentBlock) -> bytes:
        if len(self._blocks) == MAX_OPEN_BLOCKS:
            raise UpstreamMalformed(
                f"the upstream's stream opens more than {MAX_OPEN_BLOCKS} blocks at a time"
            )
        opened = self._blocks[index] = _OpenBlock(block)
        match block.type:
            case "text":
                return self._text_chunk(block.text)
            case "thinking":
                return self._thinking_chunk(opened, block.thinking)
            case "tool_use":
                name = lenient.as_word(block.name)
                if name is None:
                    raise UpstreamMalformed("the upstream's stream calls a tool without a name")
                opened.number = self._calls
                self._calls += 1
                return self._begin_call(opened, name)
            case _:
                return b""

    def _begin_call(self, opened: _OpenBlock, name: str) -> bytes:
        call_id = lenient.call_id(opened.block.id, self._id, opened.number)
        call = {
            "index": opened.number,
            "id": call_id,
            "type": "function",
            "function": {"name": name, "arguments": ""},
        }
        details = b""
        if self._signed:
            detail = {"index": self._details, **thinking_detail(call_id, self._signed, self._provider)}
            details = b"," + _details(detail)
            self._details += 1
            self._signed = []
        return self._chunks.chunk(b'{"tool_calls":[' + _json(call) + b"]" + details + b"}")

    def _delta(self, event: messages.Event) -> bytes:
        delta = event.delta
        if not self._started or delta is None:
            raise UpstreamMalformed("the upstream's stream adds nothing, or to nothing")
        kind = delta.type
        index = lenient.as_index(event.index)
        opened = self._blocks.get(index) or self._unnumbered(index, _ADDS_TO.get(kind))
        if opened is None:
            if kind == "input_json_delta":
                raise UpstreamMalformed("the upstream's stream adds to a tool call that is not open")
            if kind not in ("text_delta", "thinking_delta"):
                return b""
            self._begin(index, messages.ContentBlock(_ADDS_TO[kind]))
            opened = self._blocks[index]
        if _ADDS_TO.get(kind) != opened.block.type:
            return b""
        match kind:
            case "text_delta":
                return self._text_chunk(delta.text)
            case "input_json_delta":
                return self._arguments(opened, lenient.as_text(delta.partial_json))
            case "thinking_delta":
                return self._thinking_chunk(opened, delta.thinking)
            case _:
                opened.block.signature = delta.signature
                return b""

    def _unnumbered(self, index: Index, kind: str | None) -> _OpenBlock | None:
        """Return the block that a delta adds to if one of them has no index: the only open one of its kind."""
        found = [(at, opened) for at, opened in self._blocks.items() if opened.block.type == kind]
        return found[0][1] if len(found) == 1 and (index is None or found[0][0] is None) else None

    def _text_chunk(self, piece: object) -> bytes:
        return (
            self._chunks.chunk(b'{"content":' + _json(piece) + b"}")
            if piece and isinstance(piece, str)
            else b""
        )

    def _arguments(self, opened: _OpenBlock, piece: str) -> bytes:
        if not piece:
            return b""
        opened.fed = True
        return self._chunks.chunk(
            b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}' % (opened.number, _json(piece))
        )

    def _thinking_chunk(self, opened: _OpenBlock, piece: object) -> bytes:
        if not piece or not isinstance(piece, str):
            return b""
        opened.pieces.append(piece)
        self.held_bytes += len(piece)
        if self.held_bytes > MAX_EVENT_BYTES:
            raise UpstreamMalformed(f"the upstream's thinking exceeds {MAX_EVENT_BYTES} characters")
        details = _details(self._detail(opened, messages.ContentBlock("thinking", thinking=piece)))
        return self._chunks.chunk(b'{"reasoning_content":%b,%b}' % (_json(piece), details))

    def _detail(self, opened: _OpenBlock, piece: messages.ContentBlock) -> dict[str, object]:
        """Return a piece of a thinking block as one of its entry in `reasoning_details`."""
        detail = reasoning_detail(piece, self._provider)
        if opened.number >= 0:
            del detail["format"], detail["id"]
        else:
            opened.number = self._details
            self._details += 1
        return {"index": opened.number, **detail}

    def _close(self, index: Index) -> bytes:
        opened = self._blocks.pop(index, None)
        return b"" if opened is None else self._end_block(opened)

    def _end_block(self, opened: _OpenBlock) -> bytes:
        block = opened.block
        if block.type == "tool_use":
            return b"" if opened.fed else self._arguments(opened, response.arguments_of(block))
        if block.type not in ("thinking", "redacted_thinking"):
            return b""
        detail = self._detail(
            opened, messages.ContentBlock(block.type, signature=block.signature, data=block.data)
        )
        block.thinking = "".join(opened.pieces)
        entry = thinking_entry(block)
        if is_signed(entry):
            self._signed.append(entry)
        indexed = strict.encode_response({"index": self._entries, **entry})
        self._entries += 1
        return self._chunks.chunk(b'{"thinking_blocks":[%b],%b}' % (indexed, _details(detail)))

    def _message_delta(self, event: messages.Event) -> bytes:
        """Keep the stop reason and the usage, which are sent at the end."""
        lenient.merge_counts(self._usage, event.usage)
        delta = event.delta
        if delta is None or not delta.stop_reason:
            return b""
        self._stop = delta.stop_reason
        explanation = lenient.as_word(lenient.as_member(delta.stop_details, "explanation"))
        if delta.stop_reason == "refusal" and explanation:
            return self._chunks.chunk(b'{"refusal":' + _json(explanation) + b"}")
        return b""

    def _finish(self) -> bytes:
        if self._stop is None:
            raise UpstreamMalformed("the upstream's stream has a message_stop without a stop_reason")
        self._over = self.finished = True
        closing = b"".join(self._end_block(opened) for opened in self._blocks.values())
        reason = response.finish_reason(self._stop, called=self._calls > 0)
        closing += self._chunks.chunk(b"{}", finish=_json(reason))
        if self._with_usage:
            closing += self._chunks.last({"usage": response.usage(self._usage)})
        return closing + DONE


def _details(detail: dict[str, object]) -> bytes:
    return b'"reasoning_details":[' + strict.encode_response(detail) + b"]"
