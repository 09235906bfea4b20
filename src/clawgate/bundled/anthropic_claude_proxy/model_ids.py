"""Translates model ids to those of the proxy, and ids that request thinking to a thinking budget. Pure.

Measured at @rynfar/meridian 1.43.0: ids of opus go to the API unchanged, so a dot or ``-thinking`` in one ends as a
404 of the API; other ids are mapped by the proxy. Limits of a thinking budget: Anthropic's API reference,
"extended thinking" (at least 1024 tokens, fewer than ``max_tokens``, no forced tool).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

THINKING = "-thinking"
BUDGET = 16_000
_MIN_BUDGET = 1024


def sent_as(model: str) -> tuple[str, bool]:
    """Return the id for the proxy, and whether ``model`` requests thinking."""
    thinks = model.endswith(THINKING) and model != THINKING
    return model.removesuffix(THINKING).replace(".", "-") if thinks else model.replace(".", "-"), thinks


def family_of(model: str) -> str:
    """Return the id for a proxy with OpenAI's dialect.

    claude-max-api-proxy knows three ids and uses opus for any other (measured), which costs more than the requested
    model. The ids have the same meaning for the other proxies. Any other id, such as that of opus, is kept.
    """
    return next((f"claude-{name}-4" for name in ("sonnet", "haiku") if name in model), model)


def with_thinking(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``fields`` of a Messages request with thinking, unless they set it or leave no room for it."""
    budget = BUDGET
    max_tokens = fields.get("max_tokens")
    if isinstance(max_tokens, int) and not isinstance(max_tokens, bool):
        if max_tokens <= _MIN_BUDGET:
            return dict(fields)
        budget = min(BUDGET, max(_MIN_BUDGET, max_tokens // 2))
    choice = fields.get("tool_choice")
    forced = isinstance(choice, Mapping) and choice.get("type") in ("any", "tool")
    if "thinking" in fields or forced:
        return dict(fields)
    return dict(fields) | {"thinking": {"type": "enabled", "budget_tokens": budget}}
