"""Decides which tool call of a chat stream each piece belongs to: no two calls may become one.

An id decides, then the index, then the name. OpenAI gives every call an index and its first piece an id; compatible
servers leave out either or both, send empty ids, the same id for all, or the same index for all (Gemini's compatible
endpoint: whole calls, each with index 0 and no id). So a name begins another call if the call that it would belong to
has another name, has its whole arguments already, or came in the same delta.
"""

from __future__ import annotations

import re

import msgspec

from clawgate.wire.json import lenient
from clawgate.wire.openai.types import ToolCallPiece

Index = int | str | None
_STRUCTURE = re.compile(r'[\\"{}\[\]]')


class StreamedCall(msgspec.Struct):
    """One call, as far as it came. ``id`` is None until the server sent one that no other call has."""

    index: Index
    id: str | None = None
    name: str | None = None
    extra: dict[str, object] = msgspec.field(default_factory=dict)
    """Opaque members of the call, which the upstream wants back."""
    is_whole: bool = False
    """Whether the arguments are a complete JSON object, or more."""
    _depth: int = 0
    _in_string: bool = False
    _escaped: bool = False

    def add_arguments(self, piece: str) -> None:
        """Note a piece of the arguments, which is not empty. Nothing of it is kept."""
        skipped = 0 if self._escaped else -1
        self._escaped = False
        for found in _STRUCTURE.finditer(piece):
            at, letter = found.start(), found[0]
            if at == skipped:
                continue
            if self._in_string:
                if letter == "\\":
                    skipped = at + 1
                    self._escaped = skipped == len(piece)
                elif letter == '"':
                    self._in_string = False
            elif letter == '"':
                self._in_string = True
            elif letter in "{[":
                self._depth += 1
            elif letter in "}]":
                self._depth -= 1
                self.is_whole = self.is_whole or self._depth == 0


class StreamedCalls:
    """The calls of one stream, in the order in which they began."""

    __slots__ = ("_by_id", "_by_index", "_by_place", "calls")

    def __init__(self) -> None:
        self.calls: list[StreamedCall] = []
        self._by_index: dict[Index, int] = {}  # the latest call of an index
        self._by_id: dict[str, int] = {}  # the latest call of an id
        self._by_place: dict[tuple[str, Index], int] = {}  # the latest call of an id and index

    def number_of(self, piece: ToolCallPiece, arguments: str, in_delta: set[int]) -> int:
        """Return the number of the call that ``piece`` with these ``arguments`` belongs to, which may begin with it.

        ``in_delta`` are the numbers of the delta's earlier pieces; the piece's own is added.
        """
        name = piece.function.name if piece.function is not None else None
        sent_id = piece.id if isinstance(piece.id, str) and piece.id.strip() else None
        index = lenient.as_index(piece.index)
        number = self._continued(sent_id, index, name)
        if number is not None and name and self._begins(number, index, name, arguments, in_delta):
            number = None
        if number is None:
            number = len(self.calls)
            self.calls.append(StreamedCall(index))
        call = self.calls[number]
        call.name = call.name or name
        if sent_id is not None:
            if call.id is None and sent_id not in self._by_id:
                call.id = sent_id
            self._by_id[sent_id] = self._by_place[sent_id, index] = number
        self._by_index[index] = number
        if arguments:
            call.add_arguments(arguments)
        in_delta.add(number)
        return number

    def _continued(self, sent_id: str | None, index: Index, name: str | None) -> int | None:
        """Return the call that a piece continues by its id and index; None for one that begins a call."""
        if sent_id is not None and sent_id in self._by_id:
            return self._by_place.get((sent_id, index), self._by_id[sent_id])
        number = self._by_index.get(index)
        if sent_id is not None:
            return number if number is not None and self.calls[number].id is None else None
        return len(self.calls) - 1 if number is None and self.calls and index is None else number

    def _begins(self, number: int, index: Index, name: str, arguments: str, in_delta: set[int]) -> bool:
        """Whether a piece with a name begins another call than the one that it seems to continue."""
        call = self.calls[number]
        if call.name is None:
            return False
        if name != call.name or number in in_delta:
            return True
        if index is not None and call.index is not None and index != call.index:
            return True
        return bool(arguments.strip()) and call.is_whole
