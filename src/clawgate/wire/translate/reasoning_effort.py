"""Maps OpenAI's `reasoning_effort` to Anthropic's thinking budgets and efforts, and back.

Anthropic's documentation of extended and adaptive thinking: Claude up to 4.5 takes a budget of at least 1,024 tokens
that is less than `max_tokens`; later models decide for themselves and take an effort in `output_config`. Servers that
only implement the dialect know the budget, since it is older. A client that needs something else sends Anthropic's own
`thinking` field, which passes unchanged.
"""

from __future__ import annotations

import re

from clawgate.wire.translate import claude_models

BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 24576, "max": 32768}
"""OpenAI's efforts in thinking tokens; "none" is no thinking."""

MIN_BUDGET = 1024

_NAMED_FAMILY = re.compile(r"claude-(?!instant)[a-z]", re.IGNORECASE)


def uses_adaptive_thinking(model: str) -> bool:
    """Whether ``model`` is a Claude that takes an effort and no budget (4.6 and later, by its name)."""
    version = claude_models.version(model)
    return version >= (4, 6) if version is not None else _NAMED_FAMILY.search(model) is not None


def effort_name(effort: str) -> str:
    """Return OpenAI's effort as a value of `output_config.effort`, which has no "minimal"."""
    return "low" if effort == "minimal" else effort


def budget_tokens(effort: str, max_tokens: int) -> int | None:
    """Return thinking tokens for ``effort``, at most three quarters of ``max_tokens``; None if that is too little."""
    tokens = min(BUDGETS[effort], max_tokens * 3 // 4)
    return tokens if tokens >= MIN_BUDGET else None


def effort_for_budget(tokens: int) -> str:
    """Return OpenAI's effort that is nearest to a budget of ``tokens``."""
    if tokens < 4096:
        return "low"
    return "medium" if tokens < BUDGETS["high"] else "high"
