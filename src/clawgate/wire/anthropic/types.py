"""Types of Anthropic's Messages API: the fields that a translation reads.

Source: the Messages API reference and the types of the official SDK. What an upstream sends is read leniently (flat
shapes, unknown types of blocks and events allowed), since the API's versioning policy lets it grow. Fields that are not
here are not read. It knows nothing of other dialects.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

Json = dict[str, Any]


class Text(Struct, tag_field="type", tag="text"):
    text: str
    cache_control: Json | None = None


class Base64Source(Struct, tag_field="type", tag="base64"):
    data: str
    media_type: str


class UrlSource(Struct, tag_field="type", tag="url"):
    url: str


class FileSource(Struct, tag_field="type", tag="file"):
    file_id: str


class TextSource(Struct, tag_field="type", tag="text"):
    data: str


class Image(Struct, tag_field="type", tag="image"):
    source: Base64Source | UrlSource | FileSource
    cache_control: Json | None = None
    transformations: object = None


class ContentSource(Struct, tag_field="type", tag="content"):
    content: str | list[Text | Image]


class Citations(Struct):
    enabled: bool | None = None


class Document(Struct, tag_field="type", tag="document"):
    source: Base64Source | UrlSource | FileSource | TextSource | ContentSource
    title: str | None = None
    context: str | None = None
    citations: Citations | None = None
    cache_control: Json | None = None


class SearchResult(Struct, tag_field="type", tag="search_result"):
    content: list[Text]
    source: str
    title: str
    citations: Citations | None = None
    cache_control: Json | None = None


class Thinking(Struct, tag_field="type", tag="thinking"):
    thinking: str
    signature: str = ""


class RedactedThinking(Struct, tag_field="type", tag="redacted_thinking"):
    data: str


class ToolUse(Struct, tag_field="type", tag="tool_use"):
    id: str
    name: str
    input: Json
    cache_control: Json | None = None


class ToolResult(Struct, tag_field="type", tag="tool_result"):
    tool_use_id: str | None = None
    """Of its call; results without one are in the order of their calls."""
    content: str | list[Text | Image | Document | SearchResult] | None = None
    is_error: bool | None = None
    cache_control: Json | None = None


class ToolAddition(Struct, tag_field="type", tag="tool_addition"):
    """Makes a tool available from here on: one of `tools` by its name, or a definition."""

    tool: Json


class ToolRemoval(Struct, tag_field="type", tag="tool_removal"):
    tool: Json


UserBlock = Text | Image | Document | SearchResult | ToolResult
AssistantBlock = Text | Thinking | RedactedThinking | ToolUse
SystemBlock = Text | ToolAddition | ToolRemoval


class UserMessage(Struct, tag_field="role", tag="user"):
    content: str | list[UserBlock] | None = None


class AssistantMessage(Struct, tag_field="role", tag="assistant"):
    content: str | list[AssistantBlock] | None = None


class MessageOutputConfig(Struct):
    effort: str | None = None


class SystemMessage(Struct, tag_field="role", tag="system"):
    """Instructions at their place in the conversation, which may change the tools and the effort, too.

    With ``clear_at`` "next_user_message" they are not shown once a later user message follows.
    """

    content: str | list[SystemBlock] | None = None
    clear_at: str | None = None
    output_config: MessageOutputConfig | None = None


class DeveloperMessage(SystemMessage, tag="developer"):
    """OpenAI's name of the same, which some clients send."""


Message = UserMessage | AssistantMessage | SystemMessage | DeveloperMessage


class Tool(Struct):
    name: str
    type: str | None = None
    description: str | None = None
    input_schema: Json | None = None
    strict: bool | None = None
    input_examples: list[Json] | None = None
    allowed_callers: list[str] | None = None
    eager_input_streaming: object = None
    cache_control: Json | None = None


class ToolChoice(Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingConfig(Struct):
    type: str
    budget_tokens: int | None = None
    display: object = None
    block_binding: object = None


class OutputFormat(Struct):
    type: str
    schema: Json | None = None


class OutputConfig(Struct):
    effort: str | None = None
    format: OutputFormat | None = None
    task_budget: Json | None = None


class BillingPolicy(Struct):
    bill_to: str | None = None


class Metadata(Struct):
    user_id: str | None = None


class MessagesRequest(Struct):
    messages: list[Message]
    max_tokens: int
    model: str | None = None
    system: str | list[Text] | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    thinking: ThinkingConfig | None = None
    output_config: OutputConfig | None = None
    metadata: Metadata | None = None
    service_tier: str | None = None
    mcp_servers: list[Json] | None = None
    container: str | Json | None = None
    thread: Json | None = None
    compaction: Json | None = None
    context_management: object = None
    output_format: OutputFormat | None = None
    fallbacks: str | list[Json] | None = None
    billing_policy: BillingPolicy | None = None


class ContentBlock(Struct):
    """A content block of a response, of any type. Its content depends on that, so no field has a type of its own."""

    type: str
    text: object = None
    thinking: object = None
    signature: object = None
    data: object = None
    id: object = None
    name: object = None
    input: object = None


class MessageResponse(Struct):
    content: list[ContentBlock]
    id: object = None
    usage: object = None
    stop_reason: str | None = None
    stop_details: object = None


class Delta(Struct):
    """What an event adds, of any type as in `ContentBlock`."""

    type: str = ""
    text: object = None
    partial_json: object = None
    thinking: object = None
    signature: object = None
    stop_reason: str | None = None
    stop_details: object = None


class Event(Struct):
    """One event of an upstream's stream, of any type; ``message`` is the beginning of a response."""

    type: str
    index: object = None
    message: object = None
    content_block: ContentBlock | None = None
    delta: Delta | None = None
    usage: object = None
    error: object = None


class EventType(Struct):
    type: str


MESSAGES_REQUEST = msgspec.json.Decoder(MessagesRequest)
MESSAGES_RESPONSE = msgspec.json.Decoder(MessageResponse)
MESSAGES_EVENT = msgspec.json.Decoder(Event)
MESSAGES_EVENT_TYPE = msgspec.json.Decoder(EventType)
