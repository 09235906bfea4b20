"""As what does the proxy know a model, and does the id ask for thinking? Pure.

Measured at @rynfar/meridian 1.43.0: ids of opus go to the API as they are, so a dot or ``-thinking`` in one ends as a
404 of the API; what is not opus, the proxy maps by itself. Limits of a thinking budget: Anthropic's API reference,
"extended thinking" (at least 1024 tokens, fewer than ``max_tokens``, no forced tool).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

THINKING = "-thinking"
BUDGET = 16_000
_LOWEST_BUDGET = 1024


def sent_as(model: str) -> tuple[str, bool]:
    """The id for the proxy, and whether ``model`` asks for thinking."""
    thinks = model.endswith(THINKING) and model != THINKING
    return model.removesuffix(THINKING).replace(".", "-") if thinks else model.replace(".", "-"), thinks


def family_of(model: str) -> str:
    """The id for a proxy that is spoken to in OpenAI's dialect.

    claude-max-api-proxy knows three ids and takes every other one for opus (measured), which is more than was asked
    for; its ids mean the same to the others. What is left alone is opus, or nothing of theirs.
    """
    return next((f"claude-{name}-4" for name in ("sonnet", "haiku") if name in model), model)


def with_thinking(fields: Mapping[str, Any]) -> dict[str, Any]:
    """``fields`` of a Messages request, and thinking, unless they say something about it or leave no room for it."""
    budget = BUDGET
    most = fields.get("max_tokens")
    if isinstance(most, int) and not isinstance(most, bool):
        if most <= _LOWEST_BUDGET:
            return dict(fields)
        budget = min(BUDGET, max(_LOWEST_BUDGET, most // 2))
    choice = fields.get("tool_choice")
    forced = isinstance(choice, Mapping) and choice.get("type") in ("any", "tool")
    if "thinking" in fields or forced:
        return dict(fields)
    return dict(fields) | {"thinking": {"type": "enabled", "budget_tokens": budget}}
