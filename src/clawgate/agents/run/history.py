"""Puts a session's stored turns and a request's together: what goes to the model, and what of it is new.

Law: nothing new is left out, and the sequence is one that OpenAI accepts: one system message at most, each result right
behind its call, each call with a result. Turns stay real turns. A client may send the whole conversation each time or
what is new alone: see `divergence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from clawgate.agents.request.chat_messages import Conversation, Message
from clawgate.agents.request.refusal import reject, shown
from clawgate.agents.run.divergence import Divergence, Turn, divergence_of, shows_past, waiting_in

INTERRUPTED = "interrupted: this call has no result"
"""What the model gets in place of a result that never came: each provider rejects a call without one."""


@dataclass(frozen=True, slots=True)
class HistoryLimit:
    """How much of the stored turns goes to the model: the latest ones."""

    turns: int = 200
    characters: int = 400_000
    """About 100 000 tokens, which is what most context windows have place for."""


@dataclass(frozen=True, slots=True)
class Composed:
    """``messages`` go to the model; ``new`` is the part of the request that has to be stored.

    It replaces the stored turns from ``kept`` on. ``is_placed`` is False if it repeats what is not in them; ``places``
    are those of the new messages in the request. ``by_order`` are the calls whose results named none.
    """

    messages: tuple[Message, ...]
    new: tuple[Message, ...]
    kept: int
    is_placed: bool = True
    places: tuple[str, ...] = ()
    by_order: frozenset[str] = frozenset()

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
    may_replace: bool = True,
    sends_all: bool = False,
) -> Composed:
    """Raises `InvalidRequest` for the result of a call that does not wait for one.

    ``stored`` is empty for a request without a session; ``is_whole``: no turn came before it; ``may_replace``: the
    client may take another way than the stored one, and with ``sends_all`` sends the whole of it each time. ``system``
    is the agent's own prompt, ``runtime`` what it has to know of this run; the caller's instructions come after both.
    """
    places = [place for place, turn in enumerate(stored) if _has_content(turn)]
    past = [stored[place] for place in places]
    request, by_order = _named(conversation, [turn.message for turn in past])
    placed: Divergence | None = Divergence(0, 0)
    if past:
        how = {"is_whole": is_whole, "may_replace": may_replace, "sends_all": sends_all}
        placed = divergence_of(past, request, **how)
    found = placed or Divergence(len(past), _begin_of_last([turn.message for turn in past], request))
    new = request[found.begin :]
    latest = _latest([turn.message for turn in past[: found.kept]], new, limit or HistoryLimit())
    places_of_new = conversation.places[found.begin :]
    messages = _with_results(latest, new, places_of_new)
    prompt = "\n\n".join(filter(None, (system.strip(), runtime.strip(), conversation.system.strip())))
    if prompt:
        messages.insert(0, {"role": "system", "content": prompt})
    kept = places[found.kept] if found.kept < len(past) else len(stored)
    return Composed(
        tuple(messages),
        new,
        kept,
        is_placed=placed is not None or not (sends_all or shows_past(request)),
        places=places_of_new,
        by_order=by_order,
    )


def _named(conversation: Conversation, past: Sequence[Message]) -> tuple[tuple[Message, ...], frozenset[str]]:
    """Return the turns, in which each result has the id of its call, and the ids that were given by order.

    Results without an id are those of the calls that wait, in order, if there are as many, and no name is another one.
    Raises `InvalidRequest` for others.
    """
    turns, by_order = list(conversation.turns), set[str]()
    shows_response = any(turn["role"] == "assistant" for turn in turns)
    for is_result, group in groupby(range(len(turns)), lambda place: bool(turns[place]["role"] == "tool")):
        results = list(group)
        unnamed = [place for place in results if is_result and not turns[place]["tool_call_id"]]
        if not unnamed:
            continue
        before = turns[: results[0]] or ([] if shows_response else past)
        waiting = waiting_in([*before, *(turns[place] for place in results)])
        pairs = list(zip(unnamed, waiting.items(), strict=False))
        if len(unnamed) != len(waiting) or any(
            turns[place].get("name", name) != name for place, (_, name) in pairs
        ):
            path, name = result_path(conversation.places[unnamed[0]])
            calls = ", ".join(f"'{shown(one)}'" for one in waiting) or "none"
            reject(
                path,
                f"`{name}` must name the call that this is the result of; calls without a result: {calls}",
            )
        for place, (call_id, _) in pairs:
            turns[place] = {key: value for key, value in turns[place].items() if key != "name"} | {
                "tool_call_id": call_id
            }
        by_order |= waiting.keys()
    return tuple(turns), frozenset(by_order)


def result_path(place: str) -> tuple[str | None, str]:
    """Return the key path of the id of a result at ``place``, where the client has one, and what to call it."""
    path = f"{place}.tool_call_id" if place.startswith("messages[") else None
    return path, path or place


def _has_content(turn: Turn) -> bool:
    """A response that was interrupted before its first word is nothing to a model, and providers reject it."""
    message = turn.message
    return message["role"] != "assistant" or bool(message.get("content") or message.get("tool_calls"))


def _begin_of_last(past: Sequence[Message], request: Sequence[Message]) -> int:
    """Return where the block after the request's last response begins, with the call of results that it begins with."""
    begin = len(request)
    while begin and request[begin - 1]["role"] != "assistant":
        begin -= 1
    if begin == len(request):
        return begin - 1  # a response alone is the prompt
    if begin and request[begin]["role"] == "tool" and request[begin]["tool_call_id"] not in waiting_in(past):
        return begin - 1
    return begin


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
                path, name = result_path(place)
                reject(
                    path,
                    f"`{name}` must name a call of the message before it, and each call once; "
                    f"'{shown(call_id)}' does not",
                )
            continue
        messages += [_no_result(call_id) for call_id in waiting]
        messages.append(message)
        waiting = [call["id"] for call in message.get("tool_calls", ())]
    return messages + [_no_result(call_id) for call_id in waiting]


def _no_result(call_id: str) -> Message:
    return {"role": "tool", "tool_call_id": call_id, "content": INTERRUPTED}
