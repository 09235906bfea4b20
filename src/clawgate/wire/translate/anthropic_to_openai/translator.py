"""Translates one exchange of a Messages client with an upstream that speaks chat completions.

What both APIs know is translated. What only Anthropic knows is dropped where it is a hint (top_k, cache_control,
context_management, inference_geo, speed) and rejected with the field's name where the response would differ (tools that
Anthropic runs itself, mcp_servers, container). Unknown fields are dropped. Usage is always requested with a stream,
since Anthropic's clients expect it. Names that are too long for OpenAI are shortened.
"""

from __future__ import annotations

import hashlib
from typing import NoReturn

from clawgate.errors import InvalidRequest, UpstreamMalformed
from clawgate.wire.anthropic import types as messages
from clawgate.wire.json import lenient, strict
from clawgate.wire.openai.types import CHAT_RESPONSE, ChatCompletion
from clawgate.wire.sse.reader import Event
from clawgate.wire.translate import errors as upstream_errors
from clawgate.wire.translate import reasoning_effort as effort
from clawgate.wire.translate.anthropic_to_openai import response
from clawgate.wire.translate.anthropic_to_openai.messages import chat_messages
from clawgate.wire.translate.anthropic_to_openai.stream import MessagesStream
from clawgate.wire.translate.anthropic_to_openai.tool_names import ToolNames

LONGEST_USER = 64
"""Characters of `user` that OpenAI accepts; Anthropic's clients may send 256."""

TIERS = {"auto": "auto", "standard_only": "default"}
CHOICES = {"auto": "auto", "any": "required", "none": "none"}


class MessagesToChat:
    """One exchange, see `Translation`."""

    target = b"/v1/chat/completions"

    def __init__(
        self,
        *,
        requested_model: str,
        upstream_model: str,
        unique_id: str = "unnamed",
        max_tokens_field: str = "max_tokens",
        reasoning: bool = True,
        keeps_thinking: bool = False,
    ) -> None:
        self.streams = False
        self._requested = requested_model
        self._model = upstream_model
        self._max_tokens_field = max_tokens_field
        self._reasoning = reasoning
        self._keeps_thinking = keeps_thinking
        self._names = ToolNames()
        self._made_id = f"msg_{unique_id}"  # of a response that came without one
        self._stream = MessagesStream(model=requested_model, made_id=self._made_id, names=self._names)

    def translate_request(self, body: bytes) -> bytes:
        """Return the chat request for a Messages request; raises `InvalidRequest`."""
        request = strict.parse_request(body, messages.MESSAGES_REQUEST)
        for name in ("mcp_servers", "container"):
            if getattr(request, name):
                _reject(name, "is a service of Anthropic; remove it")
        if not request.messages:
            _reject("messages", "is empty; add a user message")
        if request.max_tokens < 1:
            _reject("max_tokens", "must be 1 or more")
        fields: dict[str, object] = {
            "model": self._model,
            "messages": chat_messages(
                request.system, request.messages, names=self._names, keeps_thinking=self._keeps_thinking
            ),
            self._max_tokens_field: request.max_tokens,
        }
        for name in ("temperature", "top_p"):
            if (value := getattr(request, name)) is not None:
                fields[name] = value
        if request.stop_sequences:
            fields["stop"] = request.stop_sequences
        if request.metadata is not None and request.metadata.user_id:
            fields["user"] = _user(request.metadata.user_id)
        if request.service_tier in TIERS:
            fields["service_tier"] = TIERS[request.service_tier]
        if request.tools:
            fields["tools"] = [
                _tool(tool, f"tools[{number}]", self._names) for number, tool in enumerate(request.tools)
            ]
            _set_tool_choice(request.tool_choice, fields, self._names)
        if self._reasoning and (level := _requested_effort(request)) is not None:
            fields["reasoning_effort"] = level
        _set_response_format(request.output_config, fields)
        self.streams = bool(request.stream)
        if self.streams:
            fields["stream"] = True
            fields["stream_options"] = {"include_usage": True}
        return strict.encode_request(fields)

    def translate_response(self, body: bytes) -> bytes:
        """Return the message for a chat completion; raises `UpstreamFailed`."""
        completion = self._read(body)
        return strict.encode_response(response.message(completion, model=self._requested, names=self._names))

    def response_as_stream(self, body: bytes) -> bytes:
        """Return a complete chat completion as the client's stream; raises `UpstreamFailed`."""
        completion = self._read(body)
        if not completion.choices:
            raise UpstreamMalformed("the upstream's response has no choices")
        choice = completion.choices[0]
        for number, call in enumerate(choice.message.tool_calls or ()):
            call.index = number
        streamed = {"index": 0, "delta": choice.message, "finish_reason": choice.finish_reason}
        chunk = {
            "id": completion.id,
            "choices": [streamed],
            "usage": completion.usage,
            "error": choice.error or None,
        }
        out: list[bytes] = []
        self._stream.feed(Event(b"", b"", strict.encode_response(chunk)), out)
        self._stream.end(out)
        return b"".join(out)

    def _read(self, body: bytes) -> ChatCompletion:
        """Return the completion; raises `UpstreamFailed` with the upstream's message if it is an error instead."""
        try:
            completion = strict.parse_response(body, CHAT_RESPONSE)
        except UpstreamMalformed:
            if (error := upstream_errors.find_error(body)) is not None:
                raise error.as_failure() from None
            raise
        if not completion.choices and (error := upstream_errors.find_error(body)) is not None:
            raise error.as_failure()
        completion.id = lenient.as_word(completion.id) or self._made_id
        return completion

    def translate_error(self, status: int, body: bytes) -> bytes:
        """Return the upstream's error as Anthropic's error object."""
        return upstream_errors.messages_body(upstream_errors.parse_error(body, status), status)

    def feed(self, event: Event, out: list[bytes]) -> None:
        """See `Translation`."""
        self._stream.feed(event, out)

    def end(self, out: list[bytes]) -> None:
        """See `Translation`."""
        self._stream.end(out)

    @property
    def finished(self) -> bool:
        """See `Translation`."""
        return self._stream.finished

    def error_event(self) -> bytes:
        """See `Translation`."""
        return upstream_errors.messages_event(self._stream.error) if self._stream.error is not None else b""


def _user(name: str) -> str:
    """Return the name of a user in a form that OpenAI accepts; a digest identifies a user as well as a longer name."""
    return name if len(name) <= LONGEST_USER else hashlib.sha256(name.encode()).hexdigest()


def _tool(tool: messages.Tool, path: str, names: ToolNames) -> dict[str, object]:
    if tool.type is not None and tool.type != "custom":
        what = strict.abbreviated(tool.type)
        _reject(
            path,
            f"is {what!r}, a tool that Anthropic runs; only tools with an 'input_schema' can be translated",
        )
    function: dict[str, object] = {"name": names.shorten(tool.name)}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.input_schema is None:
        _reject(f"{path}.input_schema", "is missing")
    function["parameters"] = _with_properties(tool.input_schema)
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _with_properties(schema: messages.Json) -> messages.Json:
    """Return a tool's schema as OpenAI accepts it: an object without properties has to state that."""
    if schema.get("type") == "object" and "properties" not in schema:
        return {**schema, "properties": {}}
    return schema


def _set_tool_choice(choice: messages.ToolChoice | None, fields: dict[str, object], names: ToolNames) -> None:
    if choice is None:
        return
    if choice.type in CHOICES:
        fields["tool_choice"] = CHOICES[choice.type]
    elif choice.type == "tool" and choice.name:
        fields["tool_choice"] = {"type": "function", "function": {"name": names.shorten(choice.name)}}
    else:
        _reject("tool_choice", "must be of type auto, any, none, or tool with a 'name'")
    if choice.disable_parallel_tool_use is not None and choice.type != "none":
        fields["parallel_tool_calls"] = not choice.disable_parallel_tool_use


def _requested_effort(request: messages.MessagesRequest) -> str | None:
    """Return the effort that the client named, or the one nearest to its budget; None if thinking is off."""
    if request.thinking is not None and request.thinking.type == "disabled":
        return None
    if request.output_config is not None and request.output_config.effort is not None:
        return request.output_config.effort
    if request.thinking is not None and request.thinking.budget_tokens is not None:
        return effort.effort_for_budget(request.thinking.budget_tokens)
    return None


def _set_response_format(config: messages.OutputConfig | None, fields: dict[str, object]) -> None:
    if config is None or config.format is None:
        return
    if config.format.type != "json_schema" or config.format.schema is None:
        _reject("output_config.format", "must be json_schema with a 'schema'")
    schema = {"name": "response", "schema": config.format.schema, "strict": True}
    fields["response_format"] = {"type": "json_schema", "json_schema": schema}


def _reject(field: str, problem: str) -> NoReturn:
    raise InvalidRequest(f"'{field}' {problem}", param=field)
