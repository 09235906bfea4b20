"""Types of OpenAI's Responses API: the fields that a translation reads.

Source: the OpenAI API reference, the types of the official SDK (3.52), and the OpenResponses specification of
2026-04-24. Items and parts come in many kinds, and each API version has more: they are read as one flat shape, and
`type` decides. What an upstream sends is read leniently: its fields have no type of their own. It knows nothing of
other dialects.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

Json = dict[str, Any]

# What a client sends


class Part(Struct):
    """A part of a message's content, of a tool's output, or of reasoning."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    input_audio: Json | None = None
    prompt_cache_breakpoint: object = None


class Message(Struct):
    """A message: the easy form has text as its content, and no `type`."""

    role: str
    content: str | list[Part] | None = None
    phase: object = None


class FunctionCall(Struct):
    call_id: str
    name: str
    arguments: str | None = None
    namespace: str | None = None


class CustomToolCall(Struct):
    call_id: str
    name: str
    input: str
    namespace: str | None = None


class LocalShellCall(Struct):
    action: Json
    call_id: str | None = None
    id: str | None = None


class ToolSearchCall(Struct):
    call_id: str | None = None
    arguments: object = None
    execution: str | None = None


class ToolOutput(Struct):
    """What a tool of the client returned: `function_call_output`, `custom_tool_call_output` and others."""

    output: str | list[Part] | None = None
    call_id: str | None = None
    id: str | None = None


class Tools(Struct):
    """Tools that the conversation adds: `tool_search_output`, `additional_tools`."""

    tools: list[Tool]
    call_id: str | None = None


class Reasoning(Struct):
    id: str | None = None
    summary: list[Part] | None = None
    content: list[Part] | None = None
    encrypted_content: str | None = None


class ToolFormat(Struct):
    """What the input of a custom tool has to be: any text, or one of a grammar."""

    type: str
    syntax: str | None = None
    definition: str | None = None


class Tool(Struct):
    """A tool of any type; `tools` are those of a namespace, `format` is a custom tool's."""

    type: str
    name: str | None = None
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None
    format: ToolFormat | None = None
    tools: list[Tool] | None = None
    execution: str | None = None
    external_web_access: bool | None = None
    allowed_callers: list[str] | None = None
    output_schema: object = None
    is_async: object = msgspec.field(default=None, name="async")


class ToolChoice(Struct):
    """A choice of one tool, by its type and name, or of several (`allowed_tools`)."""

    type: str
    name: str | None = None
    namespace: str | None = None
    mode: str | None = None
    tools: list[ToolChoice] | None = None


class TextFormat(Struct):
    type: str
    name: str | None = None
    description: str | None = None
    schema: Json | None = None
    strict: bool | None = None


class TextConfig(Struct):
    format: TextFormat | None = None
    verbosity: str | None = None


class ReasoningConfig(Struct):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None
    context: str | None = None
    mode: str | None = None


class StreamOptions(Struct):
    include_obfuscation: bool | None = None


class ResponsesRequest(Struct):
    """A client's request. An item of `input` is read by its type: `msgspec.convert` to one of the types above."""

    model: str | None = None
    input: str | list[Json] | None = None
    instructions: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    tools: list[Tool] | None = None
    tool_choice: str | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    include: list[str] | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    previous_response_id: str | None = None
    conversation: str | Json | None = None
    background: bool | None = None
    truncation: str | None = None
    prompt: Json | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: Json | None = None
    service_tier: str | None = None
    context_management: object = None
    moderation: object = None


RESPONSES_REQUEST = msgspec.json.Decoder(ResponsesRequest)

# What an upstream sends


class Event(Struct):
    """One event of a stream, of any type: ``delta`` is a piece, the names behind it have a text that is complete.

    Nothing is required: servers differ in each member, and each version has more types.
    """

    type: object = None
    response: object = None
    item: object = None
    part: object = None
    delta: object = None
    text: object = None
    refusal: object = None
    arguments: object = None
    input: object = None
    name: object = None
    item_id: object = None
    output_index: object = None
    content_index: object = None
    summary_index: object = None
    annotation: object = None
    annotation_index: object = None
    logprobs: object = None
    error: object = None


RESPONSES_EVENT = msgspec.json.Decoder(Event)
