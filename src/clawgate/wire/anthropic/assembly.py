"""Assembles the events of a Messages stream into the complete message that they are pieces of.

For a client that requested no stream, and whose upstream streamed all the same. Blocks are identified by their index,
or follow one another where there is none;
deltas of types that are not known are ignored, as Anthropic's versioning policy requires. Source of the events:
Anthropic's documentation of streaming.
"""

from __future__ import annotations

from typing import Any

import msgspec

from clawgate.errors import UpstreamClosed, UpstreamMalformed
from clawgate.wire.json import lenient, strict
from clawgate.wire.json.surrogates import SurrogateJoiner
from clawgate.wire.sse.reader import MAX_EVENT_BYTES, Event

MAX_BLOCKS = 1000

Object = dict[str, Any]

_TEXTS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "input_json_delta": ("partial_json", "input"),
    "signature_delta": ("signature", "signature"),
}
"""By the type of a delta: its member, and the member of the block that it adds to."""
_object = msgspec.json.Decoder(Object)


class _Block(msgspec.Struct):
    """A block, and the pieces of its texts by their names."""

    content: Object
    pieces: dict[str, list[str]] = msgspec.field(default_factory=dict)


class MessageAssembler:
    """One message: `feed` it each event of its stream, in order."""

    def __init__(self) -> None:
        self._message: Object | None = None
        self._blocks: list[_Block] = []
        self._by_index: dict[int | str | None, _Block] = {}  # the latest block of an index
        self._usage: dict[object, object] = {}
        self._halves = SurrogateJoiner()
        self.held_bytes = 0
        """Bytes of the events so far."""

    def feed(self, event: Event) -> None:
        """Raises `UpstreamMalformed` for what is no event of a message, or too much of it."""
        if not event.data or event.data.isspace():
            return
        self.held_bytes += len(event.data)
        if self.held_bytes > MAX_EVENT_BYTES:
            raise UpstreamMalformed(f"the upstream streamed a message of over {MAX_EVENT_BYTES} bytes")
        data = strict.parse_response(event.data, _object, self._halves)
        match lenient.as_word(data.get("type")) or event.name.decode("ascii", "replace"):
            case "message_start":
                self._message = {"type": "message", "role": "assistant", **_member(data, "message")}
                lenient.merge_counts(self._usage, self._message.get("usage"))
            case "content_block_start":
                self._open(data)
            case "content_block_delta":
                self._add(data)
            case "message_delta":
                self._begun().update(
                    {name: value for name, value in _member(data, "delta").items() if value is not None}
                )
                lenient.merge_counts(self._usage, data.get("usage"))
            case _:
                pass

    def complete(self) -> bytes:
        """Return the message; raises `UpstreamClosed` if the stream did not finish."""
        message = self._message
        if message is None or not message.get("stop_reason"):
            raise UpstreamClosed("the upstream's stream ended before a stop_reason")
        message["content"] = [_finished(block) for block in self._blocks]
        message["usage"] = self._usage
        return strict.encode_response(message)

    def _begun(self) -> Object:
        if self._message is None:
            raise UpstreamMalformed("the upstream's stream does not begin with message_start")
        return self._message

    def _open(self, data: Object) -> None:
        self._begun()
        if len(self._blocks) == MAX_BLOCKS:
            raise UpstreamMalformed(f"the upstream streamed over {MAX_BLOCKS} blocks")
        block = self._by_index[lenient.as_index(data.get("index"))] = _Block(_member(data, "content_block"))
        self._blocks.append(block)

    def _add(self, data: Object) -> None:
        self._begun()
        index = lenient.as_index(data.get("index"))
        block = self._by_index.get(index)
        if block is None and self._blocks and (index is None or None in self._by_index):
            block = self._blocks[-1]
        delta = _member(data, "delta")
        kind = lenient.as_text(delta.get("type"))
        if block is None or (kind not in _TEXTS and kind != "citations_delta"):
            return
        if kind == "citations_delta":
            citations = block.content.get("citations")
            if not isinstance(citations, list):
                citations = block.content["citations"] = []
            citations.append(delta.get("citation"))
            return
        member, name = _TEXTS[kind]
        block.pieces.setdefault(name, []).append(lenient.as_text(delta.get(member)))


def _finished(block: _Block) -> Object:
    """Return a block with its texts joined; a call's arguments as an object, see `strict.arguments_or_raw`."""
    content = block.content
    for name, pieces in block.pieces.items():
        text = "".join(pieces)
        if name == "input":
            content[name] = strict.arguments_or_raw(text) if text.strip() else content.get(name, {})
        else:
            content[name] = lenient.as_text(content.get(name)) + text
    return content


def _member(data: Object, name: str) -> Object:
    value = data.get(name)
    return value if isinstance(value, dict) else {}
