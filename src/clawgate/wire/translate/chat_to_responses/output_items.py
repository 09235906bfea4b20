"""Keeps the items of a streamed response apart: which one an event belongs to, and what of it was sent.

An id decides, then the index: some servers leave out one of them, give every event another id, or all items the same
index. An item may begin with any of its events.
"""

from __future__ import annotations

import msgspec

from clawgate.errors import UpstreamMalformed
from clawgate.wire.json import lenient

MAX_ITEMS = 1000
CALLS = {"function_call": ("arguments", "function"), "custom_tool_call": ("input", "custom")}
"""By the kind of a call: the member that it is given, and what it is to a chat client."""
Channel = tuple[str, int]
"""What a text is of its item, and the index of it there."""


class OutputItem(msgspec.Struct, eq=False):
    """One item, as far as it came. ``number`` is our number of a call that has begun."""

    kind: str
    id: str | None = None
    index: int | None = None
    number: int = -1
    call_id: object = None
    name: str | None = None
    has_spoken: bool = False
    """Whether the next message may begin."""
    is_done: bool = False
    whole: set[Channel] = msgspec.field(default_factory=set)
    """The texts that came complete: what follows repeats them."""
    sent: dict[Channel, int] = msgspec.field(default_factory=dict)
    """How many characters of each text were passed on."""
    held: list[tuple[Channel, str, object]] = msgspec.field(default_factory=list)
    """Pieces that have to wait, with their probabilities."""
    starts: dict[int, int] = msgspec.field(default_factory=dict)
    """Where each part of a message begins in the content that was sent."""
    entries: dict[Channel, int] = msgspec.field(default_factory=dict)
    """The index of each text of reasoning among the `reasoning_details`."""
    annotations: dict[tuple[int, int], object] = msgspec.field(default_factory=dict)


class OutputItems:
    """The items of one response, in the order in which they began."""

    __slots__ = ("_by_id", "_by_index", "all")

    def __init__(self) -> None:
        self.all: list[OutputItem] = []
        self._by_id: dict[str, OutputItem] = {}
        self._by_index: dict[int, OutputItem] = {}

    def of(self, kind: str, item_id: object, index: object) -> OutputItem:
        """Return the item of that kind that an event belongs to; it may begin with it."""
        known_id, at = lenient.as_word(item_id), lenient.as_int(index)
        found = [one for one in self._candidates(known_id, at) if one.kind == kind]
        item = found[0] if found else self._unnumbered(kind, known_id) if at is None else None
        if item is None:
            return self._begin(kind, known_id, at)
        if known_id is not None:
            item.id = item.id or known_id
            self._by_id[known_id] = item
        return item

    def added(self, kind: str, item_id: object, index: object, call_id: object) -> OutputItem:
        """Return the item that an event begins, unless an earlier one did."""
        known_id, at = lenient.as_word(item_id), lenient.as_int(index)
        for found in self._candidates(known_id, at):
            differs = (known_id and found.id and known_id != found.id) or (
                call_id and found.call_id and call_id != found.call_id
            )
            repeats = at is not None and at == found.index
            if found.kind == kind and not differs and (repeats or not found.is_done):
                item = self.of(kind, item_id, index)
                break
        else:
            item = self._begin(kind, known_id, at)
        item.call_id = item.call_id or call_id
        return item

    def of_output(self, output: list[tuple[str, object]]) -> list[OutputItem]:
        """Return the items that the complete ``output`` consists of, each named by its kind and id."""
        named = {lenient.as_word(item_id) for _, item_id in output}
        of_id: dict[str | None, list[OutputItem]] = {}
        unnamed: list[OutputItem] = []
        for item in self.all:
            of_id.setdefault(item.id, []).append(item)
            if item.id is None or item.id not in named:
                unnamed.append(item)
        found: list[OutputItem] = []
        taken: set[int] = set()
        for index, (kind, item_id) in enumerate(output):
            known_id = lenient.as_word(item_id)
            near = self._candidates(known_id, index)
            exact = [one for one in near if one.index == index and known_id in (None, one.id)]
            same = of_id.get(known_id, []) if known_id is not None else []
            likely = (*exact, *same, *near, *unnamed)
            matching = (one for one in likely if one.kind == kind and id(one) not in taken)
            chosen = next(matching, None) or self._begin(kind, known_id, index)
            taken.add(id(chosen))
            found.append(chosen)
        return found

    def _candidates(self, item_id: str | None, index: int | None) -> list[OutputItem]:
        """Return the items of an id or an index, the likeliest first."""
        indexed = self._by_index.get(index) if index is not None else None
        named = self._by_id.get(item_id) if item_id is not None else None
        if indexed is not None and item_id in (None, indexed.id):
            named = None
        return [one for one in (named, indexed) if one is not None]

    def _unnumbered(self, kind: str, known_id: str | None) -> OutputItem | None:
        """Return the latest item of a kind, of those that an event without an index may belong to."""
        for item in reversed(self.all):
            if item.kind == kind and not item.is_done and (known_id is None or item.id is None):
                return item
        return None

    def _begin(self, kind: str, item_id: str | None, index: int | None) -> OutputItem:
        if len(self.all) == MAX_ITEMS:
            raise UpstreamMalformed(f"the upstream's response has over {MAX_ITEMS} items")
        item = OutputItem(kind, item_id, index)
        self.all.append(item)
        if item_id is not None:
            self._by_id[item_id] = item
        if index is not None:
            self._by_index[index] = item
        return item
