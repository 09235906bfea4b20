"""Reads the message of a model, in the shapes that compatible servers give it, as OpenAI's API has it.

Pure. Law: what a client is streamed and what is stored is the same text, of one choice; each call has a name, and its
arguments are a text. What another model would not accept in a history is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from clawgate.agents.request.chat_messages import OF_ASSISTANT
from clawgate.agents.run.step import Message
from clawgate.errors import UpstreamMalformed
from clawgate.wire.json import lenient
from clawgate.wire.translate.chat_upstream.call_ids import shortened


def delta_text(chunk: Message) -> str:
    """Return the text that ``chunk`` adds to the first choice."""
    choices = chunk.get("choices")
    first = [
        choice
        for choice in (choices if isinstance(choices, list) else ())
        if isinstance(choice, dict) and not lenient.as_int(choice.get("index"))
    ]
    return "".join(_text(lenient.as_member(choice.get("delta"), "content")) for choice in first)


def message_of(message: Message, response_id: object = None) -> Message:
    """Return a model's complete message as it goes into the history. Raises `UpstreamMalformed`.

    A call in the old form, ``function_call``, gets its id from the response.
    """
    made = {name: message[name] for name in OF_ASSISTANT if message.get(name) is not None}
    made["content"] = _text(message.get("content")) or None
    if "refusal" in made:
        made["refusal"] = lenient.as_text(made["refusal"])
    calls = made.pop("tool_calls", None)
    if not calls and (function := message.get("function_call")):
        calls = [{"id": lenient.call_id(None, response_id, 0), "type": "function", "function": function}]
    if isinstance(calls, list) and calls:
        made["tool_calls"] = [_call(call) for call in calls]
    return made


def with_short_ids(messages: Iterable[Message]) -> list[Message]:
    """Return the messages of a request with ids of calls that each provider accepts, whichever one made them.

    A history keeps them as they were: clients name their calls by them.
    """
    return [_with_short_ids(message) for message in messages]


def _with_short_ids(message: Message) -> Message:
    if "tool_call_id" in message:
        return {**message, "tool_call_id": shortened(message["tool_call_id"])}
    if calls := message.get("tool_calls"):
        return {**message, "tool_calls": [{**call, "id": shortened(call["id"])} for call in calls]}
    return message


def _text(content: object) -> str:
    return "".join(text for kind, text in lenient.content_parts(content) if kind == "text")


def _call(call: Any) -> Message:
    function = call.get("function")
    name = lenient.as_word(lenient.as_member(function, "name"))
    if name is None:
        raise UpstreamMalformed("the model called a tool without saying which")
    arguments = lenient.as_member(function, "arguments")
    text = json.dumps(arguments) if isinstance(arguments, dict) else lenient.as_text(arguments)
    return {**call, "function": {**function, "name": name, "arguments": text}}
