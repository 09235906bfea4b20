"""Puts a session's stored turns and a request's together: what goes to the model, and what of it is new.

Law: nothing new is left out, and the sequence is one that OpenAI accepts: one system message at most, each result right
behind its call, each call with a result. Turns stay real turns. A client may send the whole conversation each time or
what is new alone, so what repeats the stored turns is not new. It never saw the calls of the agent's own tools, and got
the texts around them as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from clawgate.agents.request.chat_messages import Conversation, Message, text_of
from clawgate.agents.request.refusal import reject

INTERRUPTED = "interrupted: this call has no result"
"""What the model gets in place of a result that never came: each provider rejects a call without one."""


class Turn(Protocol):
    """A stored turn, see `state.records.StoredTurn`."""

    @property
    def message(self) -> Message: ...
    @property
    def status(self) -> str: ...


@dataclass(frozen=True, slots=True)
class HistoryLimit:
    """How much of the stored turns goes to the model: the latest ones."""

    turns: int = 200
    characters: int = 400_000
    """About 100 000 tokens, which is what most context windows have place for."""


@dataclass(frozen=True, slots=True)
class Composed:
    """``messages`` go to the model; ``new`` is the part of the request that has to be stored."""

    messages: tuple[Message, ...]
    new: tuple[Message, ...]

    @property
    def continues_call(self) -> bool:
        """Whether the request begins with results of tools: the run that called them continues."""
        return bool(self.new) and self.new[0]["role"] == "tool"


def compose(
    stored: Sequence[Turn],
    conversation: Conversation,
    *,
    system: str,
    runtime: str = "",
    limit: HistoryLimit | None = None,
    is_whole: bool = True,
) -> Composed:
    """Raises `InvalidRequest` for the result of a call that does not wait for one.

    ``stored`` is empty for a request without a session; ``is_whole``: no turn came before it. ``system`` is the agent's
    own prompt, ``runtime`` what it has to know of this run; the caller's instructions come after both.
    """
    past = [turn for turn in stored if _has_content(turn)]
    begin = _begin_of_new(past, conversation.turns, is_whole=is_whole)
    new = conversation.turns[begin:]
    kept = _latest([turn.message for turn in past], new, limit or HistoryLimit())
    messages = _with_results(kept, new, conversation.places[begin:])
    prompt = "\n\n".join(filter(None, (system.strip(), runtime.strip(), conversation.system.strip())))
    if prompt:
        messages.insert(0, {"role": "system", "content": prompt})
    return Composed(tuple(messages), new)


def _has_content(turn: Turn) -> bool:
    """A response that was interrupted before its first word is nothing to a model, and providers reject it."""
    message = turn.message
    return message["role"] != "assistant" or bool(message.get("content") or message.get("tool_calls"))


def _begin_of_new(past: Sequence[Turn], request: Sequence[Message], *, is_whole: bool) -> int:
    """Return where the new part of a request begins: behind what repeats all stored turns, else its last block."""
    if not past:
        return 0
    messages = [turn.message for turn in past]
    if not is_whole:  # a conversation that repeats itself would match at the wrong place
        return _begin_of_last(messages, request)
    stored, sent = _exchanges(messages), _exchanges(request)
    is_open = past[-1].status == "interrupted"
    for number, (one, other) in enumerate(zip(sent, stored, strict=False)):
        is_end = number == len(stored) - 1
        known = _known_of(one, other, is_open=is_open and is_end)
        if known is None or (other.replies and not one.replies):
            break  # without the response it is no repetition: the client wants another one, or repeats itself
        if is_end:
            return one.begin + known
        if known < one.length:
            break
    return _begin_of_last(messages, request)


def _begin_of_last(past: Sequence[Message], request: Sequence[Message]) -> int:
    """Return where the block after the request's last response begins, with the call of results that it begins with."""
    begin = len(request)
    while begin and request[begin - 1]["role"] != "assistant":
        begin -= 1
    if begin == len(request):
        return begin - 1  # a response alone is the prompt
    if begin and request[begin]["role"] == "tool" and request[begin]["tool_call_id"] not in _waiting(past):
        return begin - 1
    return begin


@dataclass(frozen=True, slots=True)
class _Exchange:
    """A message of the user, if it begins with one, and what follows until the next; ``begin`` is its index."""

    begin: int
    user: Message | None
    replies: tuple[Message, ...]

    @property
    def length(self) -> int:
        return len(self.replies) + (self.user is not None)


def _exchanges(messages: Sequence[Message]) -> list[_Exchange]:
    starts = [index for index, message in enumerate(messages) if message["role"] == "user" or not index]
    ends = [*starts[1:], len(messages)]
    found = []
    for start, end in zip(starts, ends, strict=True):
        has_user = messages[start]["role"] == "user"
        user = messages[start] if has_user else None
        found.append(_Exchange(start, user, tuple(messages[start + has_user : end])))
    return found


def _known_of(sent: _Exchange, stored: _Exchange, *, is_open: bool) -> int | None:
    """Return how many messages of an exchange repeat the stored one, None where it is another.

    ``is_open``: the stored response was interrupted, so the client may have got a little more or less of it.
    """
    if sent.user == stored.user and sent.replies == stored.replies:
        return sent.length
    if _key(sent.user) != _key(stored.user):
        return None
    text = _text(stored.replies)
    calls = {call["id"] for message in stored.replies for call in message.get("tool_calls", ())}
    results = {message.get("tool_call_id") for message in stored.replies if message["role"] == "tool"}
    seen, count = "", 0
    for message in sent.replies:
        if message["role"] == "tool":
            is_known = message["tool_call_id"] in results
        else:
            longer = seen + _text([message])
            is_known = text.startswith(longer) or (is_open and bool(text) and longer.startswith(text))
            is_known = is_known and calls.issuperset(call["id"] for call in message.get("tool_calls", ()))
            seen = longer if is_known else seen
        if not is_known:
            break
        count += 1
    if sent.replies and seen != text and not (is_open and seen):
        return None
    return count + (sent.user is not None)


def _key(message: Message | None) -> object:
    """Return what two messages of the user have in common if they are the same: the text, and its images."""
    if message is None:
        return None
    content = message.get("content")
    images = [part for part in content if part.get("type") != "text"] if isinstance(content, list) else []
    return _text([message]), images


def _text(messages: Sequence[Message]) -> str:
    """Return the texts of responses without white space, which clients trim."""
    return "".join("".join(text_of(message).split()) for message in messages if message["role"] != "tool")


def _waiting(messages: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the ids of the calls at the end of ``messages`` that have no result yet."""
    results: set[str] = set()
    for message in reversed(messages):
        if message["role"] != "tool":
            return {call["id"] for call in message.get("tool_calls", ())} - results
        results.add(message["tool_call_id"])
    return set()


def _latest(past: list[Message], new: Sequence[Message], limit: HistoryLimit) -> list[Message]:
    """Return the end of ``past`` that the limit allows, from a message of the user on; no call without its results."""
    units = [index for index, message in enumerate(past) if message["role"] != "tool" or not index]
    needs_last = bool(new) and new[0]["role"] == "tool"
    begin, size = len(past), 0
    for start in reversed(units):
        size += sum(map(_size, past[start:begin]))
        is_needed = needs_last and begin == len(past)
        if not is_needed and (len(past) - start > limit.turns or size > limit.characters):
            break
        begin = start
    last = units[-1] if needs_last and units else len(past)
    if begin:
        while begin < last and past[begin]["role"] != "user":
            begin += 1
    return past[begin:]


def _size(message: Message) -> int:
    content = message.get("content") or ""
    calls = message.get("tool_calls", ())
    parts: list[Message] = content if isinstance(content, list) else [{"text": content}]
    images = [part["image_url"]["url"] for part in parts if "image_url" in part]
    arguments = [call["function"].get("arguments", "") for call in calls]
    return sum(map(len, (*(part.get("text", "") for part in parts), *images, *arguments)))


def _with_results(past: list[Message], new: Sequence[Message], places: Sequence[str]) -> list[Message]:
    """Return all messages, each call with a result. Raises `InvalidRequest` for a new result of no open call."""
    messages: list[Message] = []
    waiting: list[str] = []
    for message, place in [*((one, "") for one in past), *zip(new, places, strict=True)]:
        if message["role"] == "tool":
            call_id = message["tool_call_id"]
            if call_id in waiting:
                waiting.remove(call_id)
                messages.append(message)
            elif place:
                path = f"{place}.tool_call_id"
                reject(path, f"`{path}` must name a call of the message before it, and each call once")
            continue
        messages += [_no_result(call_id) for call_id in waiting]
        messages.append(message)
        waiting = [call["id"] for call in message.get("tool_calls", ())]
    return messages + [_no_result(call_id) for call_id in waiting]


def _no_result(call_id: str) -> Message:
    return {"role": "tool", "tool_call_id": call_id, "content": INTERRUPTED}
