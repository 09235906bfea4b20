"""Collects the opaque members of a streamed response, and what of them the client was not sent yet.

They come in pieces, in front of the words and calls that they belong to or behind them. See `opaque_state`.
"""

from __future__ import annotations

from clawgate.wire.json import lenient

_JOINED = ("text", "summary")
"""Members of an entry of `reasoning_details` that a stream sends piece by piece."""
_IN_PIECES = ("reasoning.text", "reasoning.summary")
"""Types of entries that a stream sends piece by piece; the others come whole."""


class OpaqueMembers:
    """The opaque members of one streamed message and of its calls."""

    __slots__ = ("_is_new", "_sent_of_calls", "message")

    def __init__(self) -> None:
        self.message: dict[str, object] = {}
        self._is_new = False
        self._sent_of_calls: dict[int, dict[str, object]] = {}

    def add(self, members: dict[str, object]) -> None:
        for name, value in members.items():
            known = self.message.get(name)
            if isinstance(value, list):
                merged = list(known) if isinstance(known, list) else []
                for entry in value:
                    _add_entry(merged, entry)
                self.message[name] = merged
            elif isinstance(known, dict) and isinstance(value, dict):
                self.message[name] = known | value
            else:
                self.message[name] = value
            self._is_new = True

    def take(self) -> dict[str, object] | None:
        """Return the message's members for the signature of a thinking block; None if the client has them."""
        if not self._is_new:
            return None
        self._is_new = False
        return self.message

    def sent_in_call(self, number: int, extra: dict[str, object]) -> None:
        """The id of a call was sent with these members of the call, and with all of the message."""
        self._sent_of_calls[number] = dict(extra)
        self._is_new = False

    def is_unsent(self, number: int, extra: dict[str, object]) -> bool:
        """Whether a call has members that its id does not carry."""
        return extra != self._sent_of_calls.get(number, {})


def whole_entries(details: object) -> list[object]:
    """Return the entries of `reasoning_details`; pieces of a stream joined, which some clients keep as they came."""
    whole: list[object] = []
    for entry in details if isinstance(details, list) else ():
        if lenient.as_member(entry, "index") is None:
            whole.append(entry)
        else:
            _add_entry(whole, entry)
    return whole


def _add_entry(entries: list[object], entry: object) -> None:
    """Add an entry of `reasoning_details`: one that continues the last one grows it."""
    last = entries[-1] if entries else None
    if (
        not isinstance(entry, dict)
        or not isinstance(last, dict)
        or entry.get("type") not in _IN_PIECES
        or entry.get("type") != last.get("type")
        or entry.get("index") != last.get("index")
    ):
        entries.append(entry)
        return
    grown = dict(last)
    for name, value in entry.items():
        if name in _JOINED and isinstance(value, str):
            grown[name] = lenient.as_text(last.get(name)) + value
        elif value is not None:
            grown[name] = value
    entries[-1] = grown
