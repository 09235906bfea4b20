"""Declares OpenClaw's keys for models whose server differs from its dialect: ``models[].compat``.

Source: the configuration schema that OpenClaw 2026.9.6 prints, and its page on custom providers. What each key does
is in `wire.translate.compat` and the modules that take it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool

from clawgate.settings.fields import setting
from clawgate.settings.schema.block import Block
from clawgate.wire.translate.compat import Compat, MaxTokensField, ThinkingFormat

Word = Annotated[str, Field(min_length=1)]


class VercelRouting(Block):
    """``compat.vercelGatewayRouting``."""

    only: tuple[str, ...] | None = setting("The only providers to use.")
    order: tuple[str, ...] | None = setting("Providers in the order of preference.")


class ModelCompat(Block):
    """``models.providers.<id>.models[].compat``."""

    supports_store: StrictBool | None = setting("Whether it accepts `store`.")
    supports_prompt_cache_key: StrictBool | None = setting("Whether it accepts `prompt_cache_key`.")
    supports_developer_role: StrictBool | None = setting("Whether it accepts the role `developer`.")
    supports_reasoning_effort: StrictBool | None = setting("Whether it accepts a reasoning effort.")
    supports_temperature: StrictBool | None = setting("Whether it accepts `temperature`.")
    supports_instructions: StrictBool | None = setting("Whether it accepts `instructions` (Responses API).")
    supports_usage_in_streaming: StrictBool | None = setting("Whether it accepts `stream_options`.")
    supports_tools: StrictBool | None = setting("Whether it can call tools.")
    supports_strict_mode: StrictBool | None = setting("Whether it accepts `strict` in tools.")
    supports_json_schema_response_format: StrictBool | None = setting(
        "Whether it accepts a JSON schema as `response_format`."
    )
    requires_string_content: StrictBool | None = setting("Whether content must be text, not a list.")
    strict_message_keys: StrictBool | None = setting(
        "Whether messages may have no keys but role and content."
    )
    visible_reasoning_detail_types: tuple[Word, ...] = setting(
        "Types of `reasoning_details` that are shown as text.", ()
    )
    supported_reasoning_efforts: tuple[Word, ...] | None = setting("The efforts that it accepts.")
    reasoning_effort_map: dict[Word, Word] | None = setting("Its names for efforts.")
    max_tokens_field: MaxTokensField | None = setting("Its name for the limit of a response.")
    thinking_format: ThinkingFormat | None = setting("How thinking is requested of it.")
    requires_tool_result_name: StrictBool | None = setting("Whether results of tools must have a name.")
    requires_assistant_after_tool_result: StrictBool | None = setting(
        "Whether an assistant message must follow results of tools."
    )
    requires_thinking_as_text: StrictBool | None = setting("Whether earlier reasoning must be text.")
    requires_reasoning_content_on_assistant_messages: StrictBool | None = setting(
        "Whether assistant messages must have `reasoning_content`."
    )
    tool_schema_profile: str | None = setting("How its tools' schemas are fitted: gemini, llamacpp.")
    unsupported_tool_schema_keywords: tuple[Word, ...] = setting(
        "Keywords that its tools' schemas must not have.", ()
    )
    tool_call_arguments_encoding: str | None = setting("How it writes arguments of calls: html-entities.")
    requires_open_ai_anthropic_tool_payload: StrictBool | None = setting(
        "Whether it wants OpenAI's tools in Anthropic's dialect."
    )
    open_router_routing: dict[str, Any] | None = setting("OpenRouter's routing of requests.")
    vercel_gateway_routing: VercelRouting | None = setting("Vercel AI Gateway's routing of requests.")
    zai_tool_stream: StrictBool | None = setting("Whether it streams calls with `tool_stream`.")
    cache_control_format: Literal["anthropic"] | None = setting(
        "Whether it takes Anthropic's marks of what to cache."
    )
    supports_eager_tool_input_streaming: StrictBool | None = setting(
        "Whether it accepts `eager_input_streaming` in tools."
    )
    supports_long_cache_retention: StrictBool | None = setting("Whether it keeps caches longer on request.")

    def as_value(self, *, reasoning: bool) -> Compat:
        """Return the keys as translations take them; ``reasoning``: the model can think, as far as is known."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        routing = self.vercel_gateway_routing
        if routing is not None:
            named = {"only": routing.only, "order": routing.order}
            values["vercel_gateway_routing"] = {name: list(value) for name, value in named.items() if value}
        return Compat(reasoning=reasoning, **values)
