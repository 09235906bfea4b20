"""Writes the events of a Responses stream: each with its sequence number, its item's index, and the index of its part.

It keeps what an item consists of, since the events that end a part, an item and the response repeat it. Knows nothing
of chunks. Source of the order of events: OpenAI's API reference.
"""

from __future__ import annotations

import msgspec

from clawgate.errors import UpstreamMalformed
from clawgate.wire.json import strict
from clawgate.wire.responses import errors, ids
from clawgate.wire.sse.reader import MAX_EVENT_BYTES
from clawgate.wire.translate.responses_to_chat import response, tools
from clawgate.wire.translate.responses_to_chat.response import COMPLETED, IN_PROGRESS, INCOMPLETE, Object
from clawgate.wire.translate.responses_to_chat.tools import KnownTool

MAX_ITEMS = 1000

TEXT, REFUSAL, SUMMARY = "output_text", "refusal", "summary_text"
"""Types of parts."""
_DELTAS = {
    TEXT: "response.output_text",
    REFUSAL: "response.refusal",
    SUMMARY: "response.reasoning_summary_text",
}
"""By the type of a part: what the names of its events begin with."""

_json = msgspec.json.Encoder().encode


class Item(msgspec.Struct):
    """An item of the output. ``parts`` are those that ended, ``pieces`` are of the open one, or a call's arguments.

    ``head`` and ``tail`` are the delta event of the open part, without its sequence number and its piece.
    """

    kind: str
    id: str
    index: int
    parts: list[Object] = msgspec.field(default_factory=list)
    part: str = ""
    pieces: list[str] = msgspec.field(default_factory=list)
    head: bytes = b""
    tail: bytes = b""
    tool: KnownTool | None = None
    call_id: str = ""
    encrypted: str = ""
    done: Object | None = None
    """The item as it ended."""

    @property
    def streams(self) -> bool:
        """Whether the arguments of a call are sent as they come; others are part of a form of their own."""
        return self.tool is not None and self.tool.kind == tools.FUNCTION


class ResponseWriter:
    """The events of one response. ``head`` are the members that are the same in all of them."""

    __slots__ = ("_encoded_head", "_head", "_sequence", "_unique", "held_bytes", "items", "open")

    def __init__(self, head: Object, unique: str) -> None:
        self._head = head
        self._encoded_head = b""
        self._unique = unique
        self._sequence = 0
        self.items: list[Item] = []
        self.open: Item | None = None
        """The message or the reasoning that grows."""
        self.held_bytes = 0
        """About how much is kept of the response."""

    @property
    def started(self) -> bool:
        return self._sequence > 0

    def start(self, out: list[bytes]) -> None:
        """Begin the response, unless it has begun."""
        if not self.started:
            for name in ("response.created", "response.in_progress"):
                self._lifecycle(name, response.state(None, None), [], out)

    def finish(self, finish: str, usage: Object, out: list[bytes]) -> Object:
        """End the response, all items of which have ended; returns it."""
        ended = response.state(finish, usage)
        output = [item.done for item in self.items if item.done is not None]
        self._lifecycle(f"response.{ended['status']}", ended, output, out)
        return {**self._head, **ended, "output": output}

    def fail(
        self, *, message: str, kind: str, code: str | None, param: str | None, usage: Object | None
    ) -> bytes:
        """Return the last events of a response that failed: the error, and the response as far as it came."""
        out: list[bytes] = []
        self.start(out)
        number, self._sequence = self._sequence, self._sequence + 1
        out.append(
            errors.error_event(message=message, kind=kind, code=code, param=param, sequence_number=number)
        )
        error = errors.response_error(message=message, kind=kind, code=code)
        failed = {**response.state(None, usage), "status": response.FAILED, "error": error}
        output = [item.done or _encoded(item, INCOMPLETE) for item in self.items]
        self._lifecycle("response.failed", failed, output, out)
        return b"".join(out)

    def hold(self, piece: str) -> None:
        """Count what is kept; raises `UpstreamMalformed` for too much."""
        self.held_bytes += len(piece) + 64  # about what a piece costs besides its text
        if self.held_bytes > MAX_EVENT_BYTES:
            raise UpstreamMalformed(f"the upstream streamed a response of over {MAX_EVENT_BYTES} bytes")

    def piece(self, item: Item, piece: str, out: list[bytes]) -> None:
        """Add a piece to the open part of an item, or to the arguments of a call that are sent as they come."""
        item.pieces.append(piece)
        self.hold(piece)
        self._delta(item, piece, out)

    def begin_part(self, part: str, out: list[bytes]) -> Item:
        """Begin a part in the open item, which has to take it if there is one; returns the item."""
        item = self.open
        if item is None:
            item = self.open = self._begin("reasoning" if part == SUMMARY else "message", out)
        elif item.part:
            self._end_part(item, out)
        item.part = part
        place = _place(item)
        self._event(f"{_part_event(part)}.added", {**place, "part": _part(part, "")}, out)
        logprobs = b',"logprobs":[]' if part == TEXT else b""
        item.head, item.tail = _delta_event(_DELTAS[part], place, logprobs)
        return item

    def end_open(self, out: list[bytes], *, status: str = COMPLETED, encrypted: str = "") -> None:
        """End the open item, which carries ``encrypted`` if it is reasoning."""
        item, self.open = self.open, None
        if item is not None:
            self._end_part(item, out)
            item.encrypted = encrypted
            self._end(item, out, status)

    def begin_call(self, tool: KnownTool, call_id: str, out: list[bytes]) -> Item:
        item = self._begin(response.item_type(tool), out, tool=tool, call_id=call_id)
        kind = "custom_tool_call_input" if tool.kind == tools.CUSTOM else "function_call_arguments"
        item.head, item.tail = _delta_event(
            f"response.{kind}", {"item_id": item.id, "output_index": item.index}
        )
        return item

    def end_call(self, item: Item, arguments: str, out: list[bytes], *, sent: bool, status: str) -> None:
        """End a call with its whole ``arguments``, which were ``sent`` piece by piece or are sent now."""
        assert item.tool is not None, "a call has a tool"
        item.pieces = [arguments]
        place = {"item_id": item.id, "output_index": item.index}
        if item.tool.kind == tools.CUSTOM:
            text = response.custom_input(arguments)
            self._delta(item, text, out)
            self._event("response.custom_tool_call_input.done", {**place, "input": text}, out)
        elif item.tool.kind == tools.FUNCTION:
            if not sent:
                self._delta(item, arguments, out)
            done = {**place, "name": item.tool.name, "arguments": arguments}
            self._event("response.function_call_arguments.done", done, out)
        self._end(item, out, status)

    def carry(self, encrypted: str, out: list[bytes]) -> None:
        """Add a reasoning item without words that carries ``encrypted``."""
        item = self._begin("reasoning", out)
        item.encrypted = encrypted
        self._end(item, out, COMPLETED)

    def _begin(
        self, kind: str, out: list[bytes], *, tool: KnownTool | None = None, call_id: str = ""
    ) -> Item:
        index = len(self.items)
        if index == MAX_ITEMS:
            raise UpstreamMalformed(f"the upstream's stream has over {MAX_ITEMS} items")
        item = Item(kind, ids.item_id(kind, self._unique, index), index, tool=tool, call_id=call_id)
        self.items.append(item)
        self.hold("")
        added = {"output_index": index, "item": _encoded(item, IN_PROGRESS)}
        self._event("response.output_item.added", added, out)
        return item

    def _end_part(self, item: Item, out: list[bytes]) -> None:
        text = "".join(item.pieces)
        place, part = _place(item), _part(item.part, text)
        done = {**place, **part}
        del done["type"]
        done.pop("annotations", None)
        self._event(f"{_DELTAS[item.part]}.done", done, out)
        self._event(f"{_part_event(item.part)}.done", {**place, "part": part}, out)
        item.parts.append(part)
        item.part, item.pieces = "", []

    def _end(self, item: Item, out: list[bytes], status: str) -> None:
        item.done = _encoded(item, status)
        item.pieces = []
        self._event("response.output_item.done", {"output_index": item.index, "item": item.done}, out)

    def _delta(self, item: Item, piece: str, out: list[bytes]) -> None:
        out.append(b'%b%d,"delta":%b%b' % (item.head, self._sequence, _json(piece), item.tail))
        self._sequence += 1

    def _lifecycle(self, name: str, state: Object, output: list[Object], out: list[bytes]) -> None:
        """Append an event with the response. What is the same in each of them is encoded once."""
        if not self._encoded_head:
            self._encoded_head = strict.encode_response(self._head)[:-1]
        kind = name.encode()
        changing = strict.encode_response({**state, "output": output})[1:]
        out.append(
            b'event: %b\ndata: {"type":"%b","sequence_number":%d,"response":%b,%b}\n\n'
            % (kind, kind, self._sequence, self._encoded_head, changing)
        )
        self._sequence += 1

    def _event(self, name: str, content: Object, out: list[bytes]) -> None:
        data = strict.encode_response({"type": name, "sequence_number": self._sequence, **content})
        out.append(b"event: %b\ndata: %b\n\n" % (name.encode(), data))
        self._sequence += 1


def _encoded(item: Item, status: str) -> Object:
    """Return an item as far as it came."""
    text = "".join(item.pieces)
    if item.tool is not None:
        return response.call_item(
            item.tool, item_id=item.id, call_id=item.call_id, arguments=text, status=status
        )
    parts = [*item.parts, _part(item.part, text)] if item.part else [*item.parts]
    made: Object = {"type": item.kind, "id": item.id, "status": status}
    if item.kind == "message":
        return {**made, "role": "assistant", "content": parts}
    made["summary"] = parts
    return {**made, "encrypted_content": item.encrypted} if item.encrypted else made


def _place(item: Item) -> Object:
    """Return where the open part of an item is."""
    index = "summary_index" if item.kind == "reasoning" else "content_index"
    return {"item_id": item.id, "output_index": item.index, index: len(item.parts)}


def _part(kind: str, text: str) -> Object:
    if kind == TEXT:
        return {"type": kind, "text": text, "annotations": [], "logprobs": []}
    return {"type": kind, "refusal" if kind == REFUSAL else "text": text}


def _part_event(part: str) -> str:
    """Return what the names of the events begin with that begin and end a part of that type."""
    return "response.reasoning_summary_part" if part == SUMMARY else "response.content_part"


def _delta_event(name: str, place: Object, more: bytes = b"") -> tuple[bytes, bytes]:
    """Return what is in front of the sequence number and behind the piece of a delta event."""
    kind = name.encode() + b".delta"
    head = b'event: %b\ndata: {"type":"%b",%b,"sequence_number":' % (kind, kind, _json(place)[1:-1])
    return head, more + b"}\n\n"
