"""The version of a Claude is read from each spelling of its name, and says what the model accepts."""

from __future__ import annotations

import pytest

from clawgate.wire.translate import claude_models as claude


@pytest.mark.parametrize(
    ("model", "version"),
    [
        ("claude-sonnet-4-20250514", (4, 0)),
        ("claude-sonnet-4@20250514", (4, 0)),
        ("claude-opus-4", (4, 0)),
        ("claude-opus-4-0", (4, 0)),
        ("claude-opus-4-1-20250805", (4, 1)),
        ("claude-opus-4-7", (4, 7)),
        ("claude-opus-4.7", (4, 7)),
        ("claude-opus-4-7-20260416", (4, 7)),
        ("Claude-Opus-4-7", (4, 7)),
        ("claude-sonnet-4-10", (4, 10)),
        ("anthropic/claude-opus-4.8", (4, 8)),
        ("anthropic/claude-4.7-opus", (4, 7)),
        ("claude-4-7-opus-latest", (4, 7)),
        ("claude-4-opus-20250514", (4, 0)),
        ("us.anthropic.claude-opus-4-7-v1:0", (4, 7)),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", (4, 5)),
        ("claude-sonnet-5", (5, 0)),
        ("claude-haiku-5-5", (5, 5)),
        ("claude-fable-5-2", (5, 2)),
        ("claude-opus-4-7[1m]", (4, 7)),
        ("claude-3-7-sonnet-latest", (3, 7)),
        ("claude-3-opus-20240229", (3, 0)),
        ("claude-2.1", (2, 1)),
        ("claude-instant-1.2", (1, 2)),
        ("claude-mythos-preview", None),
        ("claude-demo", None),
        ("glm-4.6", None),
        ("gpt-5", None),
        ("", None),
    ],
)
def test_the_version_is_read_from_the_name(model: str, version: tuple[int, int] | None) -> None:
    assert claude.version(model) == version


@pytest.mark.parametrize(
    ("model", "accepted"),
    [
        ("claude-opus-4-6", True),
        ("claude-haiku-4-5", True),
        ("claude-3-5-haiku-20241022", True),
        ("claude-demo", True),
        ("kimi-k2", True),
        ("claude-opus-4-7", False),
        ("claude-opus-4-8", False),
        ("claude-sonnet-5", False),
        ("claude-opus-5-5-20261001", False),
        ("claude-mythos-preview", False),
    ],
)
def test_sampling_fields_are_accepted_up_to_4_6(model: str, accepted: bool) -> None:
    assert claude.accepts_sampling(model) is accepted


@pytest.mark.parametrize(
    ("model", "both"),
    [
        ("claude-3-5-haiku-20241022", True),
        ("claude-sonnet-4-20250514", True),
        ("claude-demo", True),
        ("claude-opus-4-1", False),
        ("claude-sonnet-4-5", False),
        ("claude-opus-4-6", False),
    ],
)
def test_temperature_and_top_p_are_accepted_together_before_4_1(model: str, both: bool) -> None:
    assert claude.accepts_temperature_with_top_p(model) is both


@pytest.mark.parametrize(
    ("model", "accepted"),
    [
        ("claude-3-7-sonnet-latest", False),
        ("claude-opus-4-20250514", False),
        ("claude-opus-4-1", True),
        ("claude-haiku-4-5", True),
        ("claude-sonnet-5", True),
        ("claude-demo", True),
        ("local-model", True),
    ],
)
def test_schemas_are_accepted_from_4_1_on(model: str, accepted: bool) -> None:
    assert claude.accepts_schemas(model) is accepted
