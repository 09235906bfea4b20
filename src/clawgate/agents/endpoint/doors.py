"""Reads a request of a client of any dialect as one for a chat completion, and makes the encoder of its response.

Pure. Law: a run knows one dialect, so an agent does the same whatever its client speaks. What a dialect says by the way
(a name for a person, an effort for a model that may have none) is never more than a hint to a run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec

from clawgate.agents.endpoint.event_encoder import EventEncoder
from clawgate.agents.endpoint.responses_request import ResponseTerms, translatable, without_stand_ins
from clawgate.agents.endpoint.translated_encoder import MessagesEncoder, ResponsesEncoder
from clawgate.agents.request.chat_request import ChatRequest, read_request
from clawgate.agents.request.images import ImageRules
from clawgate.errors import InvalidRequest
from clawgate.policy.model_routing import DEFAULT_AGENT
from clawgate.wire.dialect import Dialect
from clawgate.wire.json.model_field import find_model
from clawgate.wire.json.strict import encode_request
from clawgate.wire.translate.anthropic_to_openai.translator import MessagesToChat
from clawgate.wire.translate.chat_upstream.call_ids import WITHOUT_ID
from clawgate.wire.translate.responses_to_chat.translator import ResponsesToChat

_MESSAGES_NAMES = {"stop": "stop_sequences", "max_completion_tokens": "max_tokens", "function.name": "name"}
_RESPONSES_NAMES = {"max_completion_tokens": "max_output_tokens", "function.name": "name"}


class MakeEncoder(Protocol):
    """Makes the encoder of one response: each of its streams, resumed ones included, has its own."""

    def __call__(self, run: str, created: int, *, resumable: bool) -> EventEncoder: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRequest:
    """``hints`` are options that count for a model that is known to take them alone, by the client's names."""

    dialect: Dialect
    request: ChatRequest
    encoder: MakeEncoder
    hints: tuple[tuple[str, str], ...] = ()

    def without_hints(self) -> ReadRequest:
        """Return the request for a model of which nothing is known."""
        request, names = self.request, dict(self.hints)
        options = {name: value for name, value in request.options.items() if name not in names}
        ignored = (named for name, named in self.hints if name in request.options)
        changed = replace(request, options=options, ignored=(*request.ignored, *ignored))
        return replace(self, request=changed, hints=())


def read_chat(body: bytes, images: ImageRules) -> ReadRequest:
    """Raises `InvalidRequest`, as the others do."""
    request = read_request(body, images)

    def encoder(run: str, created: int, *, resumable: bool) -> EventEncoder:
        return EventEncoder(
            run,
            created,
            request.model,
            stream=request.stream,
            include_usage=request.include_usage,
            resumable=resumable,
        )

    return ReadRequest(dialect=Dialect.CHAT, request=request, encoder=encoder)


def read_messages(body: bytes, images: ImageRules) -> ReadRequest:
    """Anthropic's clients bring the whole conversation each time; `metadata.user_id` is a person's, and no session."""
    name = find_model(body).name or DEFAULT_AGENT

    def translated() -> tuple[MessagesToChat, bytes]:
        made = MessagesToChat(
            requested_model=name,
            upstream_model=name,
            max_tokens_field="max_completion_tokens",
            longest_call_id=None,
        )
        return made, made.translate_request(body)

    first, chat = translated()
    request = _read_translated(chat, images, "tool_use_id", _MESSAGES_NAMES)
    ignored = [*first.ignored, *request.ignored, *(["metadata.user_id"] if request.user else [])]
    unused = [first]

    def encoder(run: str, created: int, *, resumable: bool) -> EventEncoder:
        translation = unused.pop() if unused else translated()[0]
        return MessagesEncoder(run, created, request.model, translation, resumable=resumable)

    return ReadRequest(
        dialect=Dialect.MESSAGES,
        request=replace(request, user="", ignored=tuple(dict.fromkeys(ignored))),
        encoder=encoder,
        hints=(("reasoning_effort", "output_config.effort"),),
    )


def read_responses(terms: ResponseTerms, images: ImageRules) -> ReadRequest:
    """The response says how it is kept, which is not for a translation to know."""
    name = terms.fields.get("model") or DEFAULT_AGENT
    fields, absent = translatable({**terms.fields, "model": name})
    body = encode_request(fields)
    kept = {
        "background": terms.background,
        "store": terms.stores,
        "previous_response_id": f"resp_{terms.previous}" if terms.previous else None,
        **({"conversation": {"id": terms.conversation}} if terms.conversation else {}),
    }

    def translated(run: str, created: int) -> tuple[ResponsesToChat, bytes]:
        made = ResponsesToChat(
            requested_model=name,
            upstream_model=name,
            created=created,
            unique_id=run,
            max_tokens_field="max_completion_tokens",
            longest_call_id=None,
            kept=kept,
        )
        return made, made.translate_request(body)

    first, chat = translated("", 0)
    sent = msgspec.json.decode(chat)
    sent["messages"] = without_stand_ins(sent["messages"], absent)
    request = _read_translated(encode_request(sent), images, "call_id", _RESPONSES_NAMES)
    user = terms.fields.get("user")
    ignored = dict.fromkeys((*first.ignored, *request.ignored))

    def encoder(run: str, created: int, *, resumable: bool) -> EventEncoder:
        return ResponsesEncoder(run, created, request.model, translated(run, created)[0], resumable=resumable)

    return ReadRequest(
        dialect=Dialect.RESPONSES,
        request=replace(request, user=user if isinstance(user, str) else "", ignored=tuple(ignored)),
        encoder=encoder,
        hints=(("reasoning_effort", "reasoning.effort"),),
    )


def without_places(error: InvalidRequest) -> InvalidRequest:
    """Return the error of a chat request for a client that sent something else, which has none of its places."""
    if error.param is None or not error.param.startswith("messages"):
        return error
    named = "An image" if error.param.endswith("image_url") else "A message"
    message = error.message.replace("image_url content in", "image content in").replace(
        " in `messages`.", "."
    )
    return InvalidRequest(message.replace(f"`{error.param}`", named))


def _read_translated(chat: bytes, images: ImageRules, call_id: str, names: Mapping[str, str]) -> ChatRequest:
    """Read a translated request. Its places are none of the client's, so no error may have one.

    ``call_id`` is the member that names the call of a result in the client's dialect, ``names`` has others by ours.
    """
    try:
        request = read_request(chat, images)
    except InvalidRequest as error:
        found = without_places(error)
        message, param = found.message, found.param
        for ours, theirs in names.items():
            if param is not None and f".{param}".endswith(f".{ours}"):  # others may quote the client
                message = re.sub(rf"\b{re.escape(ours)}\b", theirs, message)
                param = param.removesuffix(ours) + theirs
        raise InvalidRequest(message, param=param) from None
    conversation = request.conversation
    places = (call_id,) * len(conversation.places)
    turns = tuple(
        {**turn, "tool_call_id": ""} if turn.get("tool_call_id") == WITHOUT_ID else turn
        for turn in conversation.turns
    )
    return replace(request, conversation=replace(conversation, turns=turns, places=places))
