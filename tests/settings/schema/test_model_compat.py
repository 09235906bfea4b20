"""OpenClaw's compat keys are read with OpenClaw's types, and all of them are known."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from clawgate.settings.openclaw.unknown_keys import unknown_keys
from clawgate.settings.schema.model_compat import ModelCompat
from clawgate.settings.schema.upstream_keys import OPENCLAW_KEYS
from clawgate.wire.translate.compat import NO_COMPAT, Compat

KEYS = """
    supportsStore supportsPromptCacheKey supportsResponsesContinuation supportsDeveloperRole supportsReasoningEffort
    supportsTemperature supportsInstructions supportsUsageInStreaming supportsTools codeMode supportsStrictMode
    supportsJsonSchemaResponseFormat requiresStringContent strictMessageKeys visibleReasoningDetailTypes
    supportedReasoningEfforts reasoningEffortMap maxTokensField thinkingFormat requiresToolResultName
    requiresAssistantAfterToolResult requiresThinkingAsText requiresReasoningContentOnAssistantMessages
    toolSchemaProfile unsupportedToolSchemaKeywords toolCallArgumentsEncoding requiresOpenAiAnthropicToolPayload
    openRouterRouting vercelGatewayRouting zaiToolStream cacheControlFormat sendSessionAffinityHeaders
    sendSessionIdHeader supportsEagerToolInputStreaming supportsLongCacheRetention
"""
"""The keys of OpenClaw 2026.9.6, in the order of its schema."""


def test_the_keys_are_those_of_openclaw() -> None:
    read = {to_camel(name) for name in ModelCompat.model_fields}
    assert read | OPENCLAW_KEYS[ModelCompat] == set(KEYS.split())


def test_every_key_reaches_the_translation_under_its_name() -> None:
    keys = {
        "supportsStore": False, "thinkingFormat": "qwen", "supportedReasoningEfforts": ["low"],
        "reasoningEffortMap": {"off": "low"}, "vercelGatewayRouting": {"only": ["a"]}, "maxTokensField": "max_tokens",
        "requiresOpenAiAnthropicToolPayload": True,
    }  # fmt: skip
    assert ModelCompat.model_validate(keys).as_value(reasoning=True) == Compat(
        supports_store=False,
        thinking_format="qwen",
        supported_reasoning_efforts=("low",),
        reasoning_effort_map={"off": "low"},
        vercel_gateway_routing={"only": ["a"]},
        max_tokens_field="max_tokens",
        requires_open_ai_anthropic_tool_payload=True,
    )
    assert ModelCompat().as_value(reasoning=True) == NO_COMPAT


@pytest.mark.parametrize(
    "keys",
    [
        {"supportsStore": "no"}, {"thinkingFormat": "loud"}, {"maxTokensField": "limit"}, {"cacheControlFormat": "x"},
        {"visibleReasoningDetailTypes": [""]}, {"reasoningEffortMap": {"high": 5}},
    ],
)  # fmt: skip
def test_a_value_that_openclaw_rejects_is_rejected(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ModelCompat.model_validate(keys)


def test_an_unknown_key_is_reported_with_the_one_that_was_meant() -> None:
    compat = {"supportsStores": False, "codeMode": "capable", "ofNextYear": 1}
    document = {"models": {"providers": {"p": {"models": [{"id": "m", "name": "m", "compat": compat}]}}}}
    found = {key.path[-1]: (key.suggestion, key.is_openclaw) for key in unknown_keys(document)}
    assert found == {
        "supportsStores": ("supportsStore", False),
        "codeMode": (None, True),
        "ofNextYear": (None, False),
    }
