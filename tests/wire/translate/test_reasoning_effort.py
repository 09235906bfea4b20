"""An effort becomes a budget or Anthropic's own effort, by what the model takes, and a budget an effort again."""

from __future__ import annotations

import pytest

from clawgate.wire.translate import reasoning_effort as effort


@pytest.mark.parametrize(
    ("model", "itself"),
    [
        ("claude-3-7-sonnet-latest", False),
        ("claude-sonnet-4-20250514", False),
        ("claude-opus-4-1-20250805", False),
        ("claude-opus-4-5", False),
        ("claude-sonnet-4@20250514", False),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", False),
        ("claude-opus-4", False),
        ("claude-instant-1.2", False),
        ("claude-opus-4-6", True),
        ("claude-opus-4-6-20260201", True),
        ("claude-sonnet-4.7", True),
        ("claude-sonnet-4-10", True),
        ("claude-sonnet-5-5", True),
        ("us.anthropic.claude-opus-4-7-v1", True),
        ("anthropic/claude-4.7-opus", True),
        ("claude-demo", True),
        ("glm-4.6", False),
    ],
)
def test_claude_decides_for_itself_from_4_6_on(model: str, itself: bool) -> None:
    assert effort.uses_adaptive_thinking(model) is itself


@pytest.mark.parametrize(("level", "tokens"), effort.BUDGETS.items())
def test_a_budget_fits_under_the_limit_with_room_for_a_response(level: str, tokens: int) -> None:
    assert effort.budget_tokens(level, 10**6) == tokens
    for limit in (1, 1365, 1366, 2000, 20_000):
        found = effort.budget_tokens(level, limit)
        assert found is None or effort.MIN_BUDGET <= found <= limit * 3 / 4
        assert (found is None) == (limit * 3 / 4 < effort.MIN_BUDGET)


@pytest.mark.parametrize("level", ["low", "medium", "high"])
def test_an_effort_comes_back_from_its_budget(level: str) -> None:
    assert effort.effort_for_budget(effort.BUDGETS[level]) == level


def test_minimal_effort_is_low_for_anthropic() -> None:
    assert effort.effort_name("minimal") == "low"
    assert effort.effort_name("xhigh") == "xhigh"
