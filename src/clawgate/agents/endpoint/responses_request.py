"""Reads what a Responses request says about stored responses, and makes of the rest one that can be translated.

Pure. Law: what refers to something stored is resolved before the request is translated, or refused; nothing of it is
left out. Results of tools whose calls are stored are translated beside a stand-in for the call, which is taken out
again: whether the call waits for a result is for the history to say. What decides a call of the agent's is the result
of a function call, which is how the client got it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from clawgate.agents.request.refusal import shown
from clawgate.agents.run.approvals import is_approval_id
from clawgate.errors import ApprovalInvalid, InvalidRequest, ResponseNotFound
from clawgate.state.records import StoredResponse
from clawgate.wire.json import strict
from clawgate.wire.translate.chat_upstream import opaque_state
from clawgate.wire.translate.responses_to_chat.conversation import call_id_of

Object = dict[str, Any]

PREVIOUS = "previous_response_id"
INCOMPLETE = f"`{PREVIOUS}` is not complete yet; wait for it, or cancel it."
_request = msgspec.json.Decoder(Object)
_RESPONSE_ID = re.compile(r"resp_([0-9a-f]{32})")
_CONVERSATION_ID = re.compile(r"conv_[0-9a-f]{32,}")
_ITEM_ID = re.compile(r"[a-z]+_([0-9a-f]{32})_[0-9a-z]+")
_CALLS: Mapping[str, Object] = {
    "function_call_output": {"type": "function_call", "name": "stored", "arguments": "{}"},
    "custom_tool_call_output": {"type": "custom_tool_call", "name": "stored", "input": ""},
    "local_shell_call_output": {"type": "local_shell_call", "action": {"type": "exec", "command": []}},
    "tool_search_output": {"type": "tool_search_call", "execution": "client", "arguments": {}},
}
"""Stand-ins for the calls of results, by the type of the result."""
_NO_CALL = "no-call-"
"""How the id of a stand-in begins for a result that names no call."""


def run_in(response_id: object) -> str | None:
    """Return the run that made a response, None for an id that none of ours has."""
    found = _RESPONSE_ID.fullmatch(response_id) if isinstance(response_id, str) else None
    return found[1] if found is not None else None


def is_conversation_id(name: str) -> bool:
    """Whether only `POST /v1/conversations` gives a conversation such a name, here or at OpenAI."""
    return _CONVERSATION_ID.fullmatch(name) is not None


def run_of(response_id: str, param: str = PREVIOUS) -> str:
    """Return the same. Raises `ResponseNotFound` in place of None."""
    run = run_in(response_id)
    if run is None:
        raise not_found(response_id, param)
    return run


def not_found(response_id: str, param: str | None = PREVIOUS) -> ResponseNotFound:
    return ResponseNotFound(
        f"there is no response '{response_id[:80]}'; it was deleted, is too old, was sent with 'store': false, "
        "is another caller's, or is kept by the provider of a provider/model",
        param=param,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseTerms:
    """``fields`` is the request without what the others say. ``references`` are places in the input, and their items.

    ``stores``: the response is to be stored. ``conversation`` names a session, ``conversation_agent`` is the agent that
    has it, where that was found.
    """

    fields: Object
    stores: bool
    background: bool
    previous: str | None
    conversation: str
    conversation_agent: str = ""

    @property
    def needs_stored(self) -> bool:
        """Whether something stored has to be read before the request is understood."""
        return self.previous is not None or is_conversation_id(self.conversation) or bool(self.references)

    @property
    def items(self) -> list[Any]:
        given = self.fields.get("input")
        return [{"role": "user", "content": given}] if isinstance(given, str) else list(given or ())

    @property
    def references(self) -> dict[int, str]:
        """The runs of the items that the input refers to, by their places. Raises `ResponseNotFound`."""
        return {
            place: item_run(item, place)
            for place, item in enumerate(self.items)
            if isinstance(item, dict) and _is_reference(item)
        }

    def with_items(self, found: Mapping[int, Object]) -> ResponseTerms:
        """Return the request with items in the places of what referred to them."""
        items = [found.get(place, item) for place, item in enumerate(self.items)]
        return replace(self, fields={**self.fields, "input": items})


async def with_references(
    terms: ResponseTerms, find: Callable[[str], Awaitable[StoredResponse | None]]
) -> ResponseTerms:
    """Return the request with the items that it refers to; ``find`` returns the response of a run.

    Raises `ResponseNotFound` for an item that is in none.
    """
    references = terms.references
    known = {run: _items_of(await find(run)) for run in dict.fromkeys(references.values())}
    found: dict[int, Object] = {}
    for place, run in references.items():
        name = terms.items[place]["id"]
        if name not in known[run]:
            raise item_not_found(name, place)
        found[place] = known[run][name]
    return terms.with_items(found) if found else terms


def _items_of(found: StoredResponse | None) -> dict[str, Object]:
    """Return the items of a response and of its input, by their ids."""
    items = [*found.input, *found.body.get("output", ())] if found is not None else []
    return {item["id"]: item for item in items if "id" in item}


def _is_reference(item: Object) -> bool:
    """The type may be left out (OpenAI's API reference)."""
    kind = item.get("type")
    return kind == "item_reference" or (kind is None and "id" in item and "role" not in item)


def item_run(item: Object, place: int) -> str:
    """Return the run of the response that a reference's item is in."""
    name = item.get("id")
    found = _ITEM_ID.fullmatch(name) if isinstance(name, str) else None
    if found is None:
        raise item_not_found(name, place)
    return found[1]


def item_not_found(name: object, place: int) -> ResponseNotFound:
    return ResponseNotFound(
        f"input[{place}]: there is no item '{str(name)[:80]}' of a stored response; send the item itself",
        param=f"input[{place}].id",
    )


def read_terms(body: bytes) -> ResponseTerms:
    """Raises `InvalidRequest`."""
    fields = strict.parse_request(body, _request)
    previous = _typed(fields, "previous_response_id", str)
    conversation = fields.pop("conversation", None)
    stores = _typed(fields, "store", bool)
    background = bool(_typed(fields, "background", bool))
    if isinstance(conversation, dict):
        conversation = conversation.get("id", "")
    if conversation is not None and (not isinstance(conversation, str) or not conversation.strip()):
        raise InvalidRequest(
            "'conversation' must be a name, or an object with its 'id'", param="conversation"
        )
    if previous and conversation:
        raise InvalidRequest(
            "'previous_response_id' and 'conversation' both say what the request continues; send one of them",
            param="previous_response_id",
        )
    if background and stores is False:
        raise InvalidRequest(
            "'background' is for a response that is stored; remove 'store': false", param="background"
        )
    given = fields.get("input")
    if given is not None and not isinstance(given, str | list):
        raise InvalidRequest("'input' must be a string or a list of items", param="input")
    return ResponseTerms(
        fields=fields,
        stores=stores is not False,
        background=background,
        previous=run_of(previous) if previous else None,
        conversation=conversation or "",
    )


def _typed(fields: Object, name: str, kind: type) -> Any:
    value = fields.pop(name, None)
    if value is not None and not isinstance(value, kind):
        raise InvalidRequest(f"'{name}' must be a {'string' if kind is str else 'boolean'}", param=name)
    return value


def translatable(fields: Object) -> tuple[Object, Mapping[str, str]]:
    """Return the request with a stand-in for each call that is not in it.

    The ids of stand-ins are returned with the ids that their results have: "" where the client named no call.
    Raises `ApprovalInvalid`.
    """
    given = fields.get("input")
    if not isinstance(given, list):
        return fields, {}
    known: set[str] = set()
    absent: dict[str, str] = {}
    items: list[Any] = []
    for place, item in enumerate(given):
        call = _CALLS.get(str(item.get("type"))) if isinstance(item, dict) else None
        named = call_id = call_id_of(item) if isinstance(item, dict) else None
        if call is not None and call["type"] != "function_call" and isinstance(named, str):
            _check_decides_nothing(opaque_state.split(named)[0], f"input[{place}].type")
        if call is not None and not named:
            call_id = "" if "" in known else f"{_NO_CALL}{place}"
        if isinstance(call_id, str):
            if call is not None and call_id not in known:
                items.append({**call, "call_id": call_id})
                absent[opaque_state.split(call_id)[0]] = opaque_state.split(named or "")[0]
            known.add(call_id)
        items.append(item if call_id == named else {**item, "call_id": call_id})
    return {**fields, "input": items}, absent


def _check_decides_nothing(call_id: str, path: str) -> None:
    if is_approval_id(call_id):
        raise ApprovalInvalid(
            f"`{path}`: a decision on '{shown(call_id)}' must be a function_call_output with its call_id; send that",
            param=path,
        )


def without_stand_ins(messages: Sequence[Object], absent: Mapping[str, str]) -> list[Object]:
    """Return translated messages without the calls that stood in for stored ones."""
    kept: list[Object] = []
    for message in messages:
        given = message.get("tool_calls", ())
        calls = [call for call in given if call["id"] not in absent]
        if message.get("tool_call_id") in absent:
            kept.append({**message, "tool_call_id": absent[message["tool_call_id"]]})
        elif len(calls) == len(given):
            kept.append(message)
        elif calls:
            kept.append({**message, "tool_calls": calls})
    return kept


def listed_items(items: Sequence[Any], run: str) -> list[Object]:
    """Return the items of an input as they are listed: each with an id and a type, texts as parts."""
    return [
        _listed(item, f"msg_{run}_i{place}") for place, item in enumerate(items) if isinstance(item, dict)
    ]


def _listed(item: Object, name: str) -> Object:
    made = {**item, "id": item.get("id") or name, "type": item.get("type") or "message"}
    if made["type"] == "message" and isinstance(made.get("content"), str):
        kind = "output_text" if made.get("role") == "assistant" else "input_text"
        made["content"] = [{"type": kind, "text": made["content"]}]
    return made
