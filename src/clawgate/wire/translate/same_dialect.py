"""Changes the request of a client that speaks its provider's dialect, where something has to be changed.

Bytes are not touched unless a compat key of the model says so, or unless a Messages request goes to another service
than Anthropic's: that one does not get the billing line of Claude Code, and is not given a request that relies on a
conversation kept by Anthropic, since it would respond as if there had been none. Thinking that another provider of the
conversation left, without a signature or with one of ours, is left out: Anthropic rejects the whole request for it.
OpenAI rejects one for our state in reasoning and in ids, so a Responses request loses both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from clawgate.errors import InvalidRequest, ThreadUnsupported
from clawgate.wire.json import strict
from clawgate.wire.json.lenient import as_member, as_text
from clawgate.wire.translate.anthropic_to_openai.system_messages import without_billing
from clawgate.wire.translate.chat_compat import adapt_chat_request
from clawgate.wire.translate.chat_upstream.opaque_state import MARK, split
from clawgate.wire.translate.compat import Compat
from clawgate.wire.translate.messages_compat import adapt_messages_request
from clawgate.wire.translate.responses_compat import adapt_responses_request

CHAT, MESSAGES, RESPONSES = b"/v1/chat/completions", b"/v1/messages", b"/v1/responses"
COUNT_TOKENS, INPUT_TOKENS = b"/v1/messages/count_tokens", b"/v1/responses/input_tokens"

Adapt = Callable[[dict[str, Any], Compat], list[str]]
_ADAPT: dict[bytes, Adapt] = {
    CHAT: adapt_chat_request,
    MESSAGES: adapt_messages_request,
    COUNT_TOKENS: adapt_messages_request,
    RESPONSES: adapt_responses_request,
    INPUT_TOKENS: adapt_responses_request,
}

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_any_object = msgspec.json.Decoder(dict[str, Any])
_BILLING = b"x-anthropic-billing-header"
_THREAD = b'"thread"'
_ESCAPE = b"\\u00"
_OURS = MARK.encode()
_UNSIGNED = (b'"signature":""', b'"signature": ""')


class SameDialect:
    """What is changed in the requests of one model. ``is_anthropic``: the provider is Anthropic itself."""

    __slots__ = ("_compat", "is_anthropic")

    def __init__(self, compat: Compat, *, is_anthropic: bool) -> None:
        self._compat = compat
        self.is_anthropic = is_anthropic

    def changes(self, path: bytes, body: bytes) -> bool:
        """Whether the body may have to be changed; False costs no more than a search."""
        if path not in _ADAPT:
            return False
        if self._compat.is_set:
            return True
        if path.startswith(RESPONSES):
            return _OURS in body
        if not path.startswith(MESSAGES):
            return False
        if _has_foreign_thinking(body, unsigned=self.is_anthropic):
            return True
        return not self.is_anthropic and (_THREAD in body or _BILLING in body or _ESCAPE in body)

    def change(self, path: bytes, body: bytes) -> tuple[bytes, tuple[str, ...]]:
        """Return the body for the provider, and the names of fields that were left out. May run in a thread.

        ``body`` has the provider's model in it. Raises `InvalidRequest`.
        """
        if path.startswith(MESSAGES) and not self.is_anthropic:
            body = _for_another_vendor(body)
        if path.startswith(MESSAGES) and _has_foreign_thinking(body, unsigned=self.is_anthropic):
            body = _without_foreign_thinking(body, unsigned=self.is_anthropic)
        if path.startswith(RESPONSES) and _OURS in body:
            body = _without_state(body)
        if not self._compat.is_set:
            return body, ()
        fields = _decode(body, _any_object)
        ignored = _ADAPT[path](fields, self._compat)
        return (body if fields == _decode(body, _any_object) else strict.encode_request(fields)), tuple(
            ignored
        )


def _for_another_vendor(body: bytes) -> bytes:
    """Return a Messages request without what is Anthropic's alone; raises `ThreadUnsupported`."""
    members = _decode(body, _members)
    thread = members.get("thread")
    if thread is not None and bytes(thread) != b"null":
        raise ThreadUnsupported(
            "'thread' is a conversation that Anthropic keeps, and this model's provider is another service; "
            "send the full conversation without 'thread'",
            param="thread",
        )
    if "system" not in members:
        return body
    system = msgspec.json.decode(members["system"])
    changed = _without_billing(system)
    if changed == system:
        return body
    fields: dict[str, object] = dict(members)
    if changed:
        fields["system"] = changed
    else:
        del fields["system"]
    return strict.encode_request(fields)


def _has_foreign_thinking(body: bytes, *, unsigned: bool) -> bool:
    return _OURS in body or (unsigned and any(spelling in body for spelling in _UNSIGNED))


def _without_foreign_thinking(body: bytes, *, unsigned: bool) -> bytes:
    """Return the request without the thinking blocks that have a signature of ours, or none if ``unsigned``."""

    def is_foreign(block: object) -> bool:
        if not isinstance(block, dict) or block.get("type") != "thinking":
            return False
        signature = block.get("signature")
        return MARK in signature if isinstance(signature, str) and signature else unsigned

    fields = _decode(body, _any_object)
    turns = fields.get("messages")
    kept_turns: list[object] = []
    for turn in turns if isinstance(turns, list) else ():
        content = turn.get("content") if isinstance(turn, dict) else None
        kept = [block for block in content if not is_foreign(block)] if isinstance(content, list) else content
        if kept == content:
            kept_turns.append(turn)
        elif kept:
            kept_turns.append({**turn, "content": kept})
    if kept_turns == turns or not kept_turns:
        return body
    return strict.encode_request(fields | {"messages": kept_turns})


def _without_state(body: bytes) -> bytes:
    """Return a Responses request without the reasoning items and the parts of call ids that are state of ours."""
    fields = _decode(body, _any_object)
    items = fields.get("input")
    kept: list[object] = []
    for item in items if isinstance(items, list) else ():
        call_id, encrypted = (as_member(item, name) for name in ("call_id", "encrypted_content"))
        if as_member(item, "type") == "reasoning" and MARK in as_text(encrypted):
            continue
        plain = split(call_id)[0] if isinstance(call_id, str) else call_id
        kept.append(item if plain == call_id else {**item, "call_id": plain})
    return body if kept == items else strict.encode_request(fields | {"input": kept})


def _without_billing(system: object) -> object:
    if isinstance(system, str):
        return without_billing(system)
    if not isinstance(system, list):
        return system
    kept = []
    for block in system:
        text = block.get("text") if isinstance(block, dict) else None
        if not isinstance(text, str):
            kept.append(block)
        elif (shown := without_billing(text)) or not text:
            kept.append({**block, "text": shown})
    return kept


def _decode(body: bytes, decoder: msgspec.json.Decoder[Any]) -> dict[str, Any]:
    try:
        decoded: dict[str, Any] = strict.decode(body, decoder)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the request body cannot be read: {error}") from None
    return decoded
