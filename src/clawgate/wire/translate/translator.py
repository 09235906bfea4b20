"""Chooses the translation between two dialects for an exchange.

Between equal dialects nothing is translated: there bytes pass unchanged. Chat completions are the hub: between the two
others is a translation made of two.
"""

from __future__ import annotations

from typing import Any

from clawgate.wire.dialect import Dialect
from clawgate.wire.translate.anthropic_to_openai.translator import MessagesToChat
from clawgate.wire.translate.chat_to_responses.translator import ChatToResponses
from clawgate.wire.translate.compat import NO_COMPAT, Compat
from clawgate.wire.translate.composed import Composed
from clawgate.wire.translate.exchange import Translation
from clawgate.wire.translate.openai_to_anthropic.translator import ChatToMessages
from clawgate.wire.translate.responses_to_chat.translator import ResponsesToChat


def translation(
    client: Dialect,
    upstream: Dialect,
    *,
    requested_model: str,
    upstream_model: str,
    created: int,
    unique_id: str,
    max_tokens: int | None = None,
    max_tokens_field: str = "max_tokens",
    compat: Compat = NO_COMPAT,
    provider: str = "",
) -> Translation:
    """Return the translation for one exchange between two dialects.

    Responses name ``requested_model``; ``created`` is in UNIX seconds. ``unique_id``, letters and digits, is of this
    exchange alone, for ids that the upstream leaves out: programs count usage by them. ``max_tokens`` is the model's
    configured limit, for upstreams that need one if the client has none. ``max_tokens_field`` is the chat upstream's
    name for it, unless ``compat`` has another. A model that cannot think (``compat.reasoning``) gets no effort,
    since it rejects the field. ``provider`` is the upstream's id: what it signed returns to it alone.
    """
    shared: dict[str, Any] = {
        "requested_model": requested_model,
        "upstream_model": upstream_model,
        "unique_id": unique_id,
        "compat": compat,
        "provider": provider,
    }
    match client, upstream:
        case Dialect.CHAT, Dialect.MESSAGES:
            return ChatToMessages(created=created, max_tokens=max_tokens, **shared)
        case Dialect.CHAT, Dialect.RESPONSES:
            return ChatToResponses(created=created, **shared)
        case Dialect.MESSAGES, Dialect.CHAT:
            return MessagesToChat(max_tokens_field=max_tokens_field, **shared)
        case Dialect.RESPONSES, Dialect.CHAT:
            return ResponsesToChat(created=created, max_tokens_field=max_tokens_field, **shared)
    assert client is not upstream, "between equal dialects bytes pass unchanged"
    inner = translation(Dialect.CHAT, upstream, created=created, max_tokens=max_tokens, **shared)
    # Of the other keys, the translation takes care that speaks to the server.
    shared["compat"] = Compat(
        reasoning=compat.reasoning,
        tool_call_arguments_encoding=compat.tool_call_arguments_encoding,
        supports_prompt_cache_key=True,
        supports_long_cache_retention=True,
    )
    outer = translation(client, Dialect.CHAT, created=created, **shared)
    return Composed(outer, inner, client)
