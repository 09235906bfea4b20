"""Decides what a client's tool messages mean for calls of the agent's tools that wait for its approval.

Pure. Law: one text approves, and nothing that is like it. What is run is the call as it was stored when the model made
it, whatever a client's history says of it. It is decided once, by its id, where it was made, before it expires, and
only while its tool is what it was.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn, Protocol

from clawgate.agents.request.chat_messages import Message, text_of
from clawgate.agents.request.refusal import shown
from clawgate.agents.run.history import INTERRUPTED, Composed, result_path
from clawgate.agents.run.step import Call
from clawgate.errors import ApprovalInvalid, InvalidRequest
from clawgate.wire.json.unambiguous import parse_unambiguous

APPROVAL_SECONDS = 3600.0
"""How long a call waits for its decision."""
LOST = "the result of this call is not stored any more"
"""What the model reads in place of a decision of long ago."""
_MOST_WORDS = 2000
"""Characters of a client's words that the model reads."""
_ID = re.compile(r"call_[0-9a-f]{34,35}")


class Waiting(Protocol):
    """A call that was stored, see `state.records.StoredApproval`."""

    @property
    def name(self) -> str: ...
    @property
    def arguments(self) -> str: ...
    @property
    def definition(self) -> str: ...
    @property
    def agent(self) -> str: ...
    @property
    def session(self) -> str: ...
    @property
    def expires_at(self) -> float: ...
    @property
    def decided_by(self) -> str | None: ...
    @property
    def result(self) -> str | None: ...
    @property
    def ended_as(self) -> int | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a request is: calls are decided in the agent and session that they were made in, "" for no session.

    ``digests`` has that of each tool of the agent as it is now, ``needed`` the names of those that need approval.
    """

    agent: str
    session: str
    digests: Mapping[str, str]
    needed: Collection[str]
    now: float


@dataclass(frozen=True, slots=True)
class Decisions:
    """``calls`` were approved and are to be run; ``texts`` is what the model reads of each call by its id.

    ``decided`` are the calls that this request decides: the result of each, None of one that is to be run.
    """

    calls: tuple[Call, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    decided: Mapping[str, str | None] = field(default_factory=dict)


def approval_id(run: str, number: int) -> str:
    """Return the id of a call that needs approval: no other call has it, whatever models call theirs."""
    return f"call_{run}{number:02x}"


def ids_in(messages: Iterable[Message]) -> list[str]:
    """Return the ids of results that may be of calls which needed approval."""
    ids = (message["tool_call_id"] for message in messages if message["role"] == "tool")
    return list(dict.fromkeys(filter(is_approval_id, ids)))


def is_approval_id(call_id: str) -> bool:
    """Whether `approval_id` returns such ids."""
    return _ID.fullmatch(call_id) is not None


def decisions_of(composed: Composed, stored: Mapping[str, Waiting], place: Place) -> Decisions:
    """Return what the new messages decide. Raises `ApprovalInvalid` for what decides nothing."""
    new = composed.new
    begin = max((index for index, one in enumerate(new, 1) if one["role"] == "assistant"), default=0)
    names = {
        call["id"]: call["function"]["name"]
        for message in composed.messages
        for call in message.get("tool_calls", ())
    }
    calls: list[Call] = []
    texts: dict[str, str] = {}
    decided: dict[str, str | None] = {}
    for index, message in enumerate(new):
        call_id = message.get("tool_call_id", "")
        found = stored.get(call_id)
        if message["role"] != "tool" or not (found or names.get(call_id) in place.needed):
            continue
        if found is not None and (found.agent, found.session) != (place.agent, place.session):
            found = None
        if index < begin:
            texts[call_id] = (found and found.result) or LOST
            continue
        reject = _Rejection(call_id, composed.places[index])
        if call_id in composed.by_order:
            reject("waits for a decision that names it by its id, and this one does not")
        if found is None:
            reject("is no call of this agent that waits for approval in this session")
        if found.decided_by is not None:
            if found.result is None or found.ended_as in (None, 200):
                reject(f"was decided before, by run {found.decided_by}")
            texts[call_id] = found.result  # that run had no response: what it ran is not run again
            continue
        refusal = refusal_of(message)
        texts[call_id] = refusal or INTERRUPTED
        decided[call_id] = refusal
        if refusal is not None:
            continue
        if found.expires_at <= place.now:
            reject(f"has expired: it waited for more than {APPROVAL_SECONDS:g} s")
        if place.digests.get(found.name) != found.definition:
            reject(f"is of the tool '{shown(found.name)}', which was changed or taken from the agent since")
        calls.append(Call(call_id, found.name, found.arguments))
    return Decisions(tuple(calls), texts, decided)


@dataclass(frozen=True, slots=True)
class _Rejection:
    call_id: str
    place: str

    def __call__(self, problem: str) -> NoReturn:
        path, name = result_path(self.place)
        raise ApprovalInvalid(
            f"`{name}`: '{shown(self.call_id)}' {problem}; leave this message out, and ask the agent again",
            param=path,
        )


def refusal_of(message: Message) -> str | None:
    """Return what the model reads of a call that was not approved; None for the one text that approves."""
    words = text_of(message)
    decision = _read_decision(message, words)
    if decision is not None:
        if decision["approve"]:
            return None
        words = decision.get("reason", "")
    return refused(words[:_MOST_WORDS])


def _read_decision(message: Message, text: str) -> Message | None:
    content = message["content"]
    is_text = isinstance(content, str) or (len(content) == 1 and content[0]["type"] == "text")
    if message.get("is_error") or not is_text:
        return None
    try:
        decision = parse_unambiguous(text.encode("utf-8", "surrogatepass"))
    except InvalidRequest:
        return None
    if not isinstance(decision, dict) or not decision.keys() <= {"approve", "reason"}:
        return None
    is_read = isinstance(decision.get("approve"), bool) and isinstance(decision.get("reason", ""), str)
    return decision if is_read else None


def refused(words: str = "") -> str:
    """Return what the model reads of a call that its caller refused, with these words."""
    return "the caller did not approve this call, so it was not run" + (
        f". The caller: {words}" if words else ""
    )


def with_results(messages: Iterable[Message], texts: Mapping[str, str]) -> tuple[Message, ...]:
    """Return the messages with these texts as the results of their calls."""
    return tuple(
        {"role": "tool", "tool_call_id": message["tool_call_id"], "content": texts[message["tool_call_id"]]}
        if message["role"] == "tool" and message["tool_call_id"] in texts
        else message
        for message in messages
    )


def as_stored(composed: Composed, stored: Mapping[str, Waiting], texts: Mapping[str, str]) -> Composed:
    """Return what goes to the model, and what is stored, with calls and results as they were."""
    return replace(
        composed,
        messages=with_results(_with_calls(composed.messages, stored), texts),
        new=with_results(_with_calls(composed.new, stored), texts),
    )


def _with_calls(messages: Sequence[Message], stored: Mapping[str, Waiting]) -> Iterable[Message]:
    for message in messages:
        if any(call["id"] in stored for call in message.get("tool_calls", ())):
            yield {
                **message,
                "tool_calls": [_call(call, stored.get(call["id"])) for call in message["tool_calls"]],
            }
        else:
            yield message


def _call(call: Message, found: Waiting | None) -> Message:
    return call if found is None else {**call, "function": {"name": found.name, "arguments": found.arguments}}
