"""How a model's server differs from its dialect: OpenClaw's `compat` keys, as a value that translations are given.

Source: the configuration schema of OpenClaw 2026.9.6 and its page on custom providers. None and empty mean that the key
is not set: nothing is changed for it. Names are OpenClaw's in snake case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

MaxTokensField = Literal["max_completion_tokens", "max_tokens"]
ThinkingFormat = Literal["openai", "openrouter", "deepseek", "together", "qwen", "qwen-chat-template", "zai"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compat:
    """The keys that change a request or a response. ``reasoning``: the model can think, as far as is known."""

    reasoning: bool = True
    supports_store: bool | None = None
    supports_prompt_cache_key: bool | None = None
    supports_developer_role: bool | None = None
    supports_reasoning_effort: bool | None = None
    supports_temperature: bool | None = None
    supports_instructions: bool | None = None
    supports_usage_in_streaming: bool | None = None
    supports_tools: bool | None = None
    supports_strict_mode: bool | None = None
    supports_json_schema_response_format: bool | None = None
    requires_string_content: bool | None = None
    strict_message_keys: bool | None = None
    visible_reasoning_detail_types: tuple[str, ...] = ()
    supported_reasoning_efforts: tuple[str, ...] | None = None
    reasoning_effort_map: Mapping[str, str] | None = None
    max_tokens_field: MaxTokensField | None = None
    thinking_format: ThinkingFormat | None = None
    requires_tool_result_name: bool | None = None
    requires_assistant_after_tool_result: bool | None = None
    requires_thinking_as_text: bool | None = None
    requires_reasoning_content_on_assistant_messages: bool | None = None
    tool_schema_profile: str | None = None
    unsupported_tool_schema_keywords: tuple[str, ...] = ()
    tool_call_arguments_encoding: str | None = None
    requires_open_ai_anthropic_tool_payload: bool | None = None
    open_router_routing: Mapping[str, Any] | None = None
    vercel_gateway_routing: Mapping[str, Any] | None = None
    zai_tool_stream: bool | None = None
    cache_control_format: Literal["anthropic"] | None = None
    supports_eager_tool_input_streaming: bool | None = None
    supports_long_cache_retention: bool | None = None

    @property
    def is_set(self) -> bool:
        """Whether any key is set that may change a request of the server's own dialect."""
        return self != Compat(reasoning=self.reasoning)


NO_COMPAT = Compat()
"""Of a model whose config says nothing."""


def remove_unsupported(fields: dict[str, Any], compat: Compat) -> list[str]:
    """Remove the fields of either of OpenAI's APIs that the server does not take; return their names."""
    supported = {
        "store": compat.supports_store,
        "prompt_cache_key": compat.supports_prompt_cache_key,
        "prompt_cache_retention": compat.supports_long_cache_retention,
        "temperature": compat.supports_temperature,
    }
    unsupported = (name for name, is_supported in supported.items() if is_supported is False)
    return [name for name in unsupported if fields.pop(name, None) is not None]
