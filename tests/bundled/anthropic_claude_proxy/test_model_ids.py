"""Every id that users have in their files reaches the API as one that it knows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgate.bundled.anthropic_claude_proxy.config import DEFAULT_MODELS
from clawgate.bundled.anthropic_claude_proxy.model_ids import BUDGET, family_of, sent_as, with_thinking


@pytest.mark.parametrize(
    ("model", "sent", "thinks"),
    [
        ("claude-opus-4.6", "claude-opus-4-6", False),
        ("claude-opus-4-6-thinking", "claude-opus-4-6", True),
        ("claude-sonnet-4.6", "claude-sonnet-4-6", False),
        ("claude-sonnet-4-6-thinking", "claude-sonnet-4-6", True),
        ("claude-haiku-4", "claude-haiku-4", False),
        ("claude-opus-4.6-thinking", "claude-opus-4-6", True),
        ("-thinking", "-thinking", False),
    ],
)
def test_dots_and_the_word_thinking_stay_here(model: str, sent: str, thinks: bool) -> None:
    assert sent_as(model) == (sent, thinks)


def test_the_default_models_are_all_known_to_the_api() -> None:
    assert {sent_as(model)[0] for model in DEFAULT_MODELS} == {
        "claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("claude-sonnet-4-6", "claude-sonnet-4"),
        ("claude-3-7-sonnet", "claude-sonnet-4"),
        ("claude-haiku-4-5", "claude-haiku-4"),
        ("claude-haiku-4", "claude-haiku-4"),
        ("claude-opus-4-6", "claude-opus-4-6"),
        ("gpt-4o", "gpt-4o"),
    ],
)
def test_who_asks_for_a_smaller_model_does_not_get_the_largest(model: str, family: str) -> None:
    """From a proxy that takes every id that it does not know for opus."""
    assert family_of(model) == family


@pytest.mark.parametrize(
    ("fields", "budget"),
    [
        ({}, BUDGET),
        ({"max_tokens": 100_000}, BUDGET),
        ({"max_tokens": 4096}, 2048),
        ({"max_tokens": 1025}, 1024),
        ({"max_tokens": 1024}, None),
        ({"max_tokens": 100_000, "tool_choice": {"type": "any"}}, None),
        ({"max_tokens": 100_000, "tool_choice": {"type": "auto"}}, BUDGET),
    ],
)
def test_the_budget_is_one_that_the_api_takes(fields: dict[str, Any], budget: int | None) -> None:
    """With too little room, or a tool that is forced, there is no thinking rather than an error."""
    found = with_thinking(fields).get("thinking")
    assert found == (None if budget is None else {"type": "enabled", "budget_tokens": budget})


@pytest.mark.parametrize("said", [{"type": "disabled"}, {"type": "enabled", "budget_tokens": 5000}, None])
def test_what_the_client_says_about_thinking_goes_before(said: Any) -> None:
    assert with_thinking({"thinking": said, "max_tokens": 9000})["thinking"] == said


@given(st.integers(min_value=-5, max_value=200_000))
def test_a_budget_leaves_room_for_an_answer(most: int) -> None:
    found = with_thinking({"max_tokens": most}).get("thinking")
    assert found is None or 1024 <= found["budget_tokens"] < most
