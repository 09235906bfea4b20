"""Marks what Anthropic is to cache, in a request whose client names a cache as OpenAI's clients do.

OpenAI caches each beginning of a prompt on its own, Anthropic what is marked: writing it costs 1.25 times as much as
the tokens themselves (2 times for an hour), reading it 0.1 times. So nothing is marked unless the client says that
requests with the same beginning follow (Codex sends a `prompt_cache_key` with each), nor where it marks parts itself.
"""

from __future__ import annotations

from typing import Any

from clawgate.wire.openai import types as chat
from clawgate.wire.translate.compat import Compat
from clawgate.wire.translate.messages_compat import cache_marks

FIELDS = ("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention")
"""What a client says of its cache."""
_TURNS = 2
"""The last turn of the user, and the one where the request before ended: Anthropic looks back 20 blocks, and a turn may
have more. With the tools and the system prompt these are four, the most that it accepts."""
_LONG = ("24h", "30m", "12h")
"""Lifetimes beyond the five minutes of a plain mark."""


def set_marks(request: chat.ChatRequest, fields: dict[str, Any], compat: Compat) -> bool:
    """Mark the end of each part of ``fields`` that the next request repeats; return whether anything was marked."""
    options = request.prompt_cache_options or {}
    if not any(getattr(request, name) for name in FIELDS) or options.get("mode") == "explicit":
        return False
    if compat.supports_prompt_cache_key is False or any(cache_marks(fields)):
        return False
    mark = {"type": "ephemeral"}
    if request.prompt_cache_retention in _LONG or options.get("ttl") in _LONG:
        mark["ttl"] = "1h"
    if tools := fields.get("tools"):
        tools[-1]["cache_control"] = dict(mark)
    if system := fields.get("system"):
        fields["system"] = system = [{"type": "text", "text": system}] if isinstance(system, str) else system
        system[-1]["cache_control"] = dict(mark)
    for turn in [turn for turn in fields["messages"] if turn["role"] == "user"][-_TURNS:]:
        turn["content"][-1]["cache_control"] = dict(mark)
    return True
