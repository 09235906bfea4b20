"""How does a client of Anthropic's Messages API talk to an upstream of OpenAI's chat completions?

What both sides know is translated. What only Anthropic knows is left out where it is a hint (top_k, cache_control,
context_management, inference_geo, speed) and refused with the field's name where the answer would be another
(tools that Anthropic runs itself, mcp_servers, container). Fields that nobody knows are left out. The stream is always
asked for its usage, since Anthropic's clients expect it. Names that OpenAI would refuse for their length are shortened.
"""

from __future__ import annotations

import hashlib
from typing import NoReturn

from clawgate.errors import InvalidRequest, UpstreamMalformed
from clawgate.wire.anthropic import types as messages
from clawgate.wire.json import strict
from clawgate.wire.openai.types import CHAT_ANSWER, ChatCompletion
from clawgate.wire.sse.reader import Event
from clawgate.wire.translate import errors as upstream_errors
from clawgate.wire.translate import reasoning_effort as effort
from clawgate.wire.translate.anthropic_to_openai import response as messages_answer
from clawgate.wire.translate.anthropic_to_openai.messages import chat_messages
from clawgate.wire.translate.anthropic_to_openai.stream import MessagesStream
from clawgate.wire.translate.anthropic_to_openai.tool_names import ToolNames

LONGEST_USER = 64
"""Of `user`, as OpenAI refuses longer ones; clients of Anthropic's may send 256 characters."""

TIERS = {"auto": "auto", "standard_only": "default"}
CHOICES = {"auto": "auto", "any": "required", "none": "none"}


class MessagesToChat:
    """One exchange; see `translation.Translation` for what each method promises."""

    target = b"/v1/chat/completions"

    def __init__(
        self,
        *,
        requested_model: str,
        upstream_model: str,
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
        self._stream = MessagesStream(model=requested_model, names=self._names)

    def translate_request(self, body: bytes) -> bytes:
        """The chat request for a Messages request; raises `InvalidRequest`."""
        asked = strict.parse_request(body, messages.MESSAGES_REQUEST)
        for name in ("mcp_servers", "container"):
            if getattr(asked, name):
                _refuse(name, "is a service of Anthropic's own: leave it out")
        if not asked.messages:
            _refuse("messages", "holds nothing that a model could answer: add a user message")
        if asked.max_tokens < 1:
            _refuse("max_tokens", "has to be 1 or more")
        told: dict[str, object] = {
            "model": self._model,
            "messages": chat_messages(
                asked.system, asked.messages, names=self._names, keeps_thinking=self._keeps_thinking
            ),
            self._max_tokens_field: asked.max_tokens,
        }
        for name in ("temperature", "top_p"):
            if (value := getattr(asked, name)) is not None:
                told[name] = value
        if asked.stop_sequences:
            told["stop"] = asked.stop_sequences
        if asked.metadata is not None and asked.metadata.user_id:
            told["user"] = _user(asked.metadata.user_id)
        if asked.service_tier in TIERS:
            told["service_tier"] = TIERS[asked.service_tier]
        if asked.tools:
            told["tools"] = [
                _tool(tool, f"tools[{number}]", self._names) for number, tool in enumerate(asked.tools)
            ]
            _choose(asked.tool_choice, told, self._names)
        if self._reasoning and (level := _effort(asked)) is not None:
            told["reasoning_effort"] = level
        _format(asked.output_config, told)
        self.streams = bool(asked.stream)
        if self.streams:
            told["stream"] = True
            told["stream_options"] = {"include_usage": True}
        return strict.encode_request(told)

    def translate_response(self, body: bytes) -> bytes:
        """The message for a chat completion; raises `UpstreamMalformed`."""
        said = self._read(body)
        return strict.encode_response(messages_answer.message(said, model=self._requested, names=self._names))

    def response_as_stream(self, body: bytes) -> bytes:
        """A whole chat completion as the client's stream; raises `UpstreamMalformed`."""
        said = self._read(body)
        if not said.choices:
            raise UpstreamMalformed("the upstream's answer has no choices")
        choice = said.choices[0]
        for number, call in enumerate(choice.message.tool_calls or ()):
            call.index = number
        told = {"index": 0, "delta": choice.message, "finish_reason": choice.finish_reason}
        chunk = {"id": said.id, "choices": [told], "usage": said.usage, "error": choice.error or None}
        out: list[bytes] = []
        self._stream.feed(Event(b"", b"", strict.encode_response(chunk)), out)
        self._stream.end(out)
        return b"".join(out)

    def _read(self, body: bytes) -> ChatCompletion:
        """The completion; raises `UpstreamFailed` with the upstream's words where it is an error instead."""
        try:
            said = strict.parse_response(body, CHAT_ANSWER)
        except UpstreamMalformed:
            if (error := upstream_errors.find_error(body)) is not None:
                raise error.as_failure() from None
            raise
        if not said.choices and (error := upstream_errors.find_error(body)) is not None:
            raise error.as_failure()
        return said

    def translate_error(self, status: int, body: bytes) -> bytes:
        """The upstream's error as Anthropic's error object."""
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
    """A user by a name that OpenAI takes; a digest of a longer one is as good to tell users apart."""
    return name if len(name) <= LONGEST_USER else hashlib.sha256(name.encode()).hexdigest()


def _tool(tool: messages.Tool, path: str, names: ToolNames) -> dict[str, object]:
    if tool.type is not None and tool.type != "custom":
        what = strict.abbreviated(tool.type)
        _refuse(
            path,
            f"is {what!r}, a tool of Anthropic's own: only tools with an 'input_schema' can be carried",
        )
    function: dict[str, object] = {"name": names.there(tool.name)}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.input_schema is None:
        _refuse(f"{path}.input_schema", "is missing")
    function["parameters"] = _schema(tool.input_schema)
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _schema(schema: messages.Json) -> messages.Json:
    """A tool's schema as OpenAI takes it: an object without properties has to say that it has none."""
    if schema.get("type") == "object" and "properties" not in schema:
        return {**schema, "properties": {}}
    return schema


def _choose(choice: messages.ToolChoice | None, told: dict[str, object], names: ToolNames) -> None:
    if choice is None:
        return
    if choice.type in CHOICES:
        told["tool_choice"] = CHOICES[choice.type]
    elif choice.type == "tool" and choice.name:
        told["tool_choice"] = {"type": "function", "function": {"name": names.there(choice.name)}}
    else:
        _refuse("tool_choice", "has to be of type auto, any, none, or tool with a 'name'")
    if choice.disable_parallel_tool_use is not None and choice.type != "none":
        told["parallel_tool_calls"] = not choice.disable_parallel_tool_use


def _effort(asked: messages.MessagesRequest) -> str | None:
    """The effort that the client named, or the one nearest to its budget; nothing where thinking is off."""
    if asked.thinking is not None and asked.thinking.type == "disabled":
        return None
    if asked.output_config is not None and asked.output_config.effort is not None:
        return asked.output_config.effort
    if asked.thinking is not None and asked.thinking.budget_tokens is not None:
        return effort.effort_for_budget(asked.thinking.budget_tokens)
    return None


def _format(config: messages.OutputConfig | None, told: dict[str, object]) -> None:
    if config is None or config.format is None:
        return
    if config.format.type != "json_schema" or config.format.schema is None:
        _refuse("output_config.format", "has to be json_schema with a 'schema'")
    schema = {"name": "answer", "schema": config.format.schema, "strict": True}
    told["response_format"] = {"type": "json_schema", "json_schema": schema}


def _refuse(field: str, why: str) -> NoReturn:
    raise InvalidRequest(f"'{field}' {why}", param=field)
