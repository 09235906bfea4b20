"""Finds where the conversation that a client sends and the stored one part: what is new, and what it replaces.

Law: a stored turn is replaced only by a list that shows another past: a response, and something behind it. A window,
whose first messages were cut off, shows none, nor does a client that sends its last message alone. Of several places
where a list fits, it is where most of it does, and then where it replaces least. Calls and results of the agent's own
tools are never seen by a client, so a list without them is no other one; it gets the texts around them as one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, Protocol

from clawgate.agents.request.chat_messages import Message, text_of


class Turn(Protocol):
    """A stored turn, see `state.records.StoredTurn`."""

    @property
    def message(self) -> Message: ...
    @property
    def status(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Divergence:
    """The stored turns from ``kept`` on are replaced; the messages of the request from ``begin`` on are new."""

    kept: int
    begin: int


def divergence_of(
    past: Sequence[Turn], request: Sequence[Message], *, is_whole: bool, may_replace: bool, sends_all: bool
) -> Divergence | None:
    """Return where they part, None for a list of which no place in ``past`` is known.

    ``is_whole``: no turn came before ``past``; ``sends_all``: the list is no client's last message alone.
    """
    interrupted = [place for place, turn in enumerate(past) if turn.status == "interrupted"]
    stored = _exchanges([turn.message for turn in past], interrupted)
    sent = _exchanges(request)
    shows = shows_past(request)
    if is_whole and (
        (first := _follow(sent, stored)).kept == len(past) or (may_replace and sends_all and not shows)
    ):
        return first
    begin = 1 if not is_whole and stored[0].user is None and len(stored) > 1 else 0
    places = [(0, place) for place in range(begin, len(stored))]
    if not is_whole:  # what the client sends may begin before what was read
        places += [(skipped, begin) for skipped in range(1, len(sent))]
    places = [(i, k) for i, k in places if _is_evidence(sent[i], stored[k])]
    if not places and is_whole and len(sent) > 1 and sent[0].user is not None and sent[0].replies:
        places = [(0, 0)]
    may_replace = may_replace and shows
    found = [
        (_agreement(sent[i:], stored[k:]), one.kept, one.begin)
        for i, k in places
        if (one := _follow(sent[i:], stored[k:])).kept == len(past) or may_replace
    ]
    return Divergence(*max(found)[1:]) if found else None


def shows_past(request: Sequence[Message]) -> bool:
    return len(request) > 1 and any(message["role"] == "assistant" for message in request)


@dataclass(frozen=True)
class _Exchange:
    """A message of the user, if it begins with one, and what follows until the next; ``begin`` is its index.

    ``is_open``: the response was interrupted, so the client may have got a little more or less of it.
    """

    begin: int
    user: Message | None
    replies: tuple[Message, ...]
    is_open: bool = False

    @property
    def length(self) -> int:
        return len(self.replies) + (self.user is not None)

    @cached_property
    def key(self) -> object:
        """What two messages of the user have in common if they are the same: the text, and its images."""
        if self.user is None:
            return None
        content = self.user.get("content")
        images = [part for part in content if part.get("type") != "text"] if isinstance(content, list) else []
        return _text([self.user]), images

    @cached_property
    def text(self) -> str:
        return _text(self.replies)

    @cached_property
    def calls(self) -> set[str]:
        return {call["id"] for message in self.replies for call in message.get("tool_calls", ())}


def _exchanges(messages: Sequence[Message], interrupted: Collection[int] = ()) -> list[_Exchange]:
    starts = [index for index, message in enumerate(messages) if message["role"] == "user" or not index]
    found = []
    for start, end in zip(starts, [*starts[1:], len(messages)], strict=True):
        has_user = messages[start]["role"] == "user"
        user = messages[start] if has_user else None
        found.append(_Exchange(start, user, tuple(messages[start + has_user : end]), end - 1 in interrupted))
    return found


def _is_evidence(sent: _Exchange, stored: _Exchange) -> bool:
    """Whether a list that begins with ``sent`` may begin at ``stored``: one half of the exchange is the same."""
    if sent.user is not None and sent.key == stored.key:
        return True
    return bool(sent.text and sent.text == stored.text) or not sent.calls.isdisjoint(stored.calls)


def _agreement(sent: Sequence[_Exchange], stored: Sequence[_Exchange]) -> int:
    """Return how many exchanges are the same, of those that are at the same place."""
    return sum(
        one.key == other.key and one.text == other.text != ""
        for one, other in zip(sent, stored, strict=False)
    )


def _follow(sent: Sequence[_Exchange], stored: Sequence[_Exchange]) -> Divergence:
    """Return where two sequences part, of which the first exchanges are at the same place."""
    found = Divergence(0, 0)
    for number, (one, other) in enumerate(zip(sent, stored, strict=False), 1):
        known, kept = _common(one, other, is_last=number == len(sent))
        found = Divergence(other.begin + kept, one.begin + known)
        if known < one.length or kept < other.length:
            break
    return found


def _common(sent: _Exchange, stored: _Exchange, *, is_last: bool) -> tuple[int, int]:
    """Return how many messages the two have in common, counted in each.

    ``is_last``: without a response to it, the client wants one, or another one.
    """
    if sent.user == stored.user and sent.replies == stored.replies:
        return sent.length, stored.length
    if sent.user is not None and sent.key != stored.key:
        return 0, 0
    results = {
        reply["tool_call_id"]: end for end, reply in enumerate(stored.replies, 1) if reply["role"] == "tool"
    }
    calls = {
        call["id"]: end for end, reply in enumerate(stored.replies, 1) for call in reply.get("tool_calls", ())
    }
    lengths = list(accumulate((len(_text([reply])) for reply in stored.replies), initial=0))
    common, known, seen, shown = (0, 0), 0, 0, 0
    for reply in sent.replies:
        ids = [call["id"] for call in reply.get("tool_calls", ())]
        if reply["role"] == "tool":
            ends = [results.get(reply["tool_call_id"])]
        else:
            own, rest = _text([reply]), stored.text[seen:]
            is_more = stored.is_open and bool(rest) and own.startswith(rest)
            if not (rest.startswith(own) or is_more):
                break
            seen += len(rest if is_more else own)
            ends = [calls.get(call_id) for call_id in ids]
        if None in ends:
            break
        known += 1
        shown = max([shown, *(end for end in ends if end is not None)])
        if seen in lengths and lengths[at := max(lengths.index(seen), shown)] == seen:
            while at < len(stored.replies) and stored.replies[at]["role"] == "tool":
                at += 1
            common = known, at
    wants_more = is_last and not (waiting_in(stored.replies).keys() <= sent.calls)
    if (seen == len(stored.text) and not wants_more) or (stored.is_open and seen):
        common = known, len(stored.replies)
    return common[0] + (sent.user is not None), common[1] + (stored.user is not None)


def _text(messages: Sequence[Message]) -> str:
    """Return the texts of responses without white space, which clients trim."""
    return "".join("".join(text_of(message).split()) for message in messages if message["role"] != "tool")


def waiting_in(messages: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the calls at the end of ``messages`` that have no result yet: their ids, with the names of functions."""
    results: set[str] = set()
    for message in reversed(messages):
        if message["role"] != "tool":
            calls = message.get("tool_calls", ())
            return {call["id"]: call["function"]["name"] for call in calls if call["id"] not in results}
        results.add(message["tool_call_id"])
    return {}
