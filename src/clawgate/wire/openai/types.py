"""Types of OpenAI's chat completions: the fields that a translation reads.

Source: the OpenAI API reference and the types of the official SDK. `reasoning_content`, `reasoning`,
`thinking_blocks` and `reasoning_details` (OpenRouter's) are extensions that many compatible servers and clients share.
Fields that are not here are not read. It knows nothing of other dialects.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

Json = dict[str, Any]


class TextPart(Struct, tag_field="type", tag="text"):
    text: str
    cache_control: Json | None = None
    prompt_cache_breakpoint: object = None


class RefusalPart(Struct, tag_field="type", tag="refusal"):
    refusal: str


class ImageUrl(Struct):
    url: str
    detail: object = None


class ImagePart(Struct, tag_field="type", tag="image_url"):
    image_url: ImageUrl
    cache_control: Json | None = None
    prompt_cache_breakpoint: object = None


class FileData(Struct):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class FilePart(Struct, tag_field="type", tag="file"):
    file: FileData
    cache_control: Json | None = None
    prompt_cache_breakpoint: object = None


class AudioPart(Struct, tag_field="type", tag="input_audio"):
    pass


UserPart = TextPart | ImagePart | FilePart | AudioPart


class ThinkingEntry(Struct):
    """An entry of `thinking_blocks`: a block of Anthropic's dialect, as it is. ``provider`` made it, if known."""

    type: str
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    provider: str | None = None


class Function(Struct):
    name: str
    arguments: str = ""


class CustomCall(Struct):
    """A call of a tool whose input is text in place of JSON."""

    name: str
    input: str = ""


class ToolCall(Struct):
    id: str | None = None
    function: Function | None = None
    type: str = "function"
    custom: CustomCall | None = None


class SystemMessage(Struct, tag_field="role", tag="system"):
    content: str | list[TextPart]
    name: object = None


class DeveloperMessage(SystemMessage, tag="developer"): ...


class UserMessage(Struct, tag_field="role", tag="user"):
    content: str | list[UserPart]
    name: object = None


class AssistantMessage(Struct, tag_field="role", tag="assistant"):
    content: str | list[TextPart | RefusalPart] | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    thinking_blocks: list[ThinkingEntry] | None = None
    reasoning_details: object = None
    function_call: Json | None = None
    audio: Json | None = None
    name: object = None


class ToolMessage(Struct, tag_field="role", tag="tool"):
    tool_call_id: str | None = None
    content: str | list[TextPart | ImagePart] | None = None
    is_error: bool | None = None


Message = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage


class FunctionDefinition(Struct):
    name: str
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None


class Grammar(Struct):
    definition: str
    syntax: str


class CustomFormat(Struct):
    """Restricts the input of a tool: `text` of any form, or a `grammar`."""

    type: str
    grammar: Grammar | None = None


class CustomDefinition(Struct):
    name: str
    description: str | None = None
    format: CustomFormat | None = None


class Tool(Struct):
    type: str
    function: FunctionDefinition | None = None
    custom: CustomDefinition | None = None
    cache_control: Json | None = None


class FunctionName(Struct):
    name: str


class AllowedTools(Struct):
    mode: str = ""
    tools: list[Tool] = []


class ToolChoice(Struct):
    type: str
    function: FunctionName | None = None
    custom: FunctionName | None = None
    allowed_tools: AllowedTools | None = None


class JsonSchema(Struct):
    schema: Json | None = None
    description: str | None = None
    name: str | None = None
    strict: bool | None = None


class ResponseFormat(Struct):
    type: str
    json_schema: JsonSchema | None = None


class StreamOptions(Struct):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ChatRequest(Struct):
    """A client's request. The last group are Anthropic's own fields, which a chat client may send along."""

    messages: list[Message]
    model: str | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: str | list[str] | None = None
    n: int | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: list[Tool] | None = None
    tool_choice: str | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    response_format: ResponseFormat | None = None
    service_tier: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    moderation: Json | None = None
    modalities: list[str] | None = None
    functions: list[Json] | None = None
    function_call: str | Json | None = None
    web_search_options: Json | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: Json | None = None

    top_k: int | None = None
    thinking: Json | None = None
    output_config: Json | None = None
    cache_control: Json | None = None
    inference_geo: str | None = None
    speed: str | None = None


class FunctionPiece(Struct):
    """A call's function, or what a chunk adds to it; some servers send the arguments as an object."""

    name: str | None = None
    arguments: str | Json | None = None


class ToolCallPiece(Struct):
    """The last group are opaque members that the upstream wants back with the call."""

    index: object = None
    id: object = None
    function: FunctionPiece | None = None

    extra_content: object = None
    provider_specific_fields: object = None
    thought_signature: object = None


class ChoiceDelta(Struct):
    """What a chunk adds, or the message of a complete response. `function_call` is the old form of a tool call.

    A field of type `object` comes in many forms, which `wire.json.lenient` reads.
    """

    content: str | list[Any] | None = None
    refusal: object = None
    tool_calls: list[ToolCallPiece] | None = None
    reasoning_content: object = None
    reasoning: object = None
    reasoning_details: object = None
    extra_content: object = None
    thinking_blocks: list[ThinkingEntry] | None = None
    function_call: FunctionPiece | None = None


class Choice(Struct):
    message: ChoiceDelta
    finish_reason: str | None = None
    error: object = None
    usage: object = None


class ChatCompletion(Struct):
    choices: list[Choice]
    id: object = None
    usage: object = None


class ChunkChoice(Struct):
    """``message`` is what a response without a stream has in place of ``delta``; Moonshot has the usage here."""

    index: object = 0
    delta: ChoiceDelta | None = None
    message: ChoiceDelta | None = None
    finish_reason: str | None = None
    usage: object = None


class ChatCompletionChunk(Struct):
    """One event of an upstream's stream; `error` is how servers report a failure in the middle of it."""

    id: object = None
    choices: list[ChunkChoice] | None = None
    usage: object = None
    error: object = None


CHAT_REQUEST = msgspec.json.Decoder(ChatRequest)
CHAT_RESPONSE = msgspec.json.Decoder(ChatCompletion)
CHAT_CHUNK = msgspec.json.Decoder(ChatCompletionChunk)
