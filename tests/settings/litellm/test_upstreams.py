from __future__ import annotations

import pytest

from clawgate.policy.model_routing import is_provider_id
from clawgate.settings.litellm.upstreams import UNSUPPORTED, UPSTREAMS, split_model
from clawgate.settings.schema.openclaw import ProviderBlock


@pytest.mark.parametrize("prefix", UPSTREAMS)
def test_every_prefix_can_be_the_id_of_a_provider_and_its_block_is_valid(prefix: str) -> None:
    one = UPSTREAMS[prefix]
    assert is_provider_id(prefix) and prefix not in UNSUPPORTED
    ProviderBlock.model_validate({"baseUrl": one.base_url or "https://example.com/v1", "api": one.api})


@pytest.mark.parametrize(
    ("model", "given", "expected"),
    [
        ("openai/gpt-4o", None, ("openai", "gpt-4o")),
        ("openrouter/qwen/qwen3", None, ("openrouter", "qwen/qwen3")),
        ("gpt-4o", None, ("openai", "gpt-4o")),
        ("claude-sonnet-4-6", None, ("anthropic", "claude-sonnet-4-6")),
        ("nobody/model", None, ("nobody", "model")),
        ("model", None, (None, "model")),
        ("qwen/qwen3", "openai", ("openai", "qwen/qwen3")),
        ("openai/x", "openai", ("openai", "x")),
        ("bedrock/anthropic.claude", None, ("bedrock", "anthropic.claude")),
    ],
)
def test_a_model_is_split_as_litellm_splits_it(
    model: str, given: str | None, expected: tuple[str | None, str]
) -> None:
    assert split_model(model, given) == expected
