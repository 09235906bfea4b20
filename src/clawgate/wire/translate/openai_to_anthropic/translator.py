"""How does a client of OpenAI's chat completions talk to an upstream of Anthropic's Messages API?

What both sides know is translated. Sampling and storage hints that only OpenAI knows (seed, penalties, logit_bias,
store, metadata, verbosity, prompt_cache_key, …) and fields that nobody knows are left out, since Anthropic refuses
unknown fields. What changes the kind of answer (n, logprobs, audio, web search, custom tools) is refused with the
field's name. The response format json_object is left out: OpenAI takes it only with a prompt that asks for JSON, and
the prompt is carried. Anthropic's own fields (top_k, thinking, output_config, cache_control, inference_geo, speed)
pass as they are. A temperature above 1, Anthropic's most, becomes 1. A top_p of 1 is left out, and so is a temperature
of 1 beside another top_p: both mean what both services do unasked, and many of Anthropic's models refuse the two
together.
"""

from __future__ import annotations

from typing import NoReturn

from clawgate.errors import InvalidRequest, UpstreamMalformed
from clawgate.wire.anthropic.types import MESSAGES_ANSWER
from clawgate.wire.anthropic.types import MessageResponse as MessagesAnswer
from clawgate.wire.json import strict
from clawgate.wire.openai import types as chat
from clawgate.wire.sse.reader import Event
from clawgate.wire.translate import errors as upstream_errors
from clawgate.wire.translate import reasoning_effort as effort
from clawgate.wire.translate.openai_to_anthropic import messages as conversation
from clawgate.wire.translate.openai_to_anthropic import response as chat_answer
from clawgate.wire.translate.openai_to_anthropic.stream import ChatStream

MAX_TOKENS = 8192
"""What is asked for where neither the client nor the config says: Anthropic has no default, and all current models
can write as much. A budget for thinking is added to it."""

TIERS = {"auto": "auto", "priority": "auto", "default": "standard_only"}


class ChatToMessages:
    """One exchange; see `translation.Translation` for what each method promises."""

    target = b"/v1/messages"

    def __init__(
        self,
        *,
        requested_model: str,
        upstream_model: str,
        created: int,
        max_tokens: int | None = None,
        reasoning: bool = True,
    ) -> None:
        self.streams = False
        self._requested = requested_model
        self._model = upstream_model
        self._created = created
        self._max_tokens = max_tokens
        self._reasoning = reasoning
        self._stream: ChatStream | None = None

    def translate_request(self, body: bytes) -> bytes:
        """The Messages request for a chat request; raises `InvalidRequest`."""
        asked = strict.parse_request(body, chat.CHAT_REQUEST)
        _refuse_foreign(asked)
        system, turns = conversation.system_and_turns(asked.messages)
        told: dict[str, object] = {"model": self._model, "messages": turns}
        if system:
            told["system"] = _prompt(system)
        _limits(asked, told)
        tools = [_tool(tool, f"tools[{number}]") for number, tool in enumerate(asked.tools or ())]
        if tools:
            told["tools"] = tools
        choice = _choice(asked) if tools else None
        if choice is not None:
            told["tool_choice"] = choice
        limit = asked.max_completion_tokens or asked.max_tokens or self._max_tokens
        told["max_tokens"] = limit or MAX_TOKENS
        output = dict(asked.output_config or {})
        if asked.response_format is not None and (schema := _schema(asked.response_format)) is not None:
            output["format"] = schema
        if asked.reasoning_effort is not None and asked.thinking is None and self._reasoning:
            self._think(asked, told, turns, output, limit)
        if output:
            told["output_config"] = output
        for name in ("thinking", "cache_control", "inference_geo", "speed"):
            if (value := getattr(asked, name)) is not None:
                told[name] = value
        self.streams = bool(asked.stream)
        if self.streams:
            told["stream"] = True
            options = asked.stream_options
            self._stream = ChatStream(
                model=self._requested,
                created=self._created,
                include_usage=options is not None and bool(options.include_usage),
            )
        return strict.encode_request(told)

    def translate_response(self, body: bytes) -> bytes:
        """The chat completion for a message; raises `UpstreamMalformed`."""
        said = self._read(body)
        told = chat_answer.completion(said, model=self._requested, created=self._created)
        return strict.encode_response(told)

    def response_as_stream(self, body: bytes) -> bytes:
        """A whole message as the client's stream; raises `UpstreamMalformed`."""
        said = self._read(body)
        events: list[dict[str, object]] = [
            {"type": "message_start", "message": {"id": said.id, "content": [], "usage": said.usage}}
        ]
        for index, block in enumerate(said.content):
            events.append({"type": "content_block_start", "index": index, "content_block": block})
            events.append({"type": "content_block_stop", "index": index})
        stop = {"stop_reason": said.stop_reason, "stop_details": said.stop_details}
        events += [{"type": "message_delta", "delta": stop}, {"type": "message_stop"}]
        out: list[bytes] = []
        for event in events:
            self._streamed.feed(Event(b"", b"", strict.encode_response(event)), out)
        self._streamed.end(out)
        return b"".join(out)

    def _read(self, body: bytes) -> MessagesAnswer:
        """The message; raises `UpstreamFailed` with the upstream's words where it is an error instead."""
        try:
            return strict.parse_response(body, MESSAGES_ANSWER)
        except UpstreamMalformed:
            if (error := upstream_errors.find_error(body)) is not None:
                raise error.as_failure() from None
            raise

    def translate_error(self, status: int, body: bytes) -> bytes:
        """The upstream's error as OpenAI's error object."""
        return upstream_errors.chat_body(upstream_errors.parse_error(body, status), status)

    def feed(self, event: Event, out: list[bytes]) -> None:
        """See `Translation`."""
        self._streamed.feed(event, out)

    def end(self, out: list[bytes]) -> None:
        """See `Translation`."""
        self._streamed.end(out)

    @property
    def finished(self) -> bool:
        """See `Translation`."""
        return self._streamed.finished

    def error_event(self) -> bytes:
        """See `Translation`."""
        return upstream_errors.chat_event(self._streamed.error) if self._streamed.error is not None else b""

    @property
    def _streamed(self) -> ChatStream:
        if self._stream is None:  # the relay reads a stream although none was asked for
            self._stream = ChatStream(model=self._requested, created=self._created, include_usage=False)
        return self._stream

    def _think(
        self,
        asked: chat.ChatRequest,
        told: dict[str, object],
        turns: list[conversation.Turn],
        output: dict[str, object],
        limit: int | None,
    ) -> None:
        """Ask for the effort in the way that the model knows; an effort is a hint, and yields to what is not.

        With a budget Anthropic refuses a forced tool, a turn under way without its thinking, and sampling fields.
        """
        level = asked.reasoning_effort or "none"
        if level != "none" and level not in effort.BUDGETS:
            _refuse("reasoning_effort", f"has to be none or one of {', '.join(effort.BUDGETS)}")
        if level == "none":
            if effort.uses_adaptive_thinking(self._model):
                told["thinking"] = {"type": "disabled"}
            return
        forced = isinstance(choice := told.get("tool_choice"), dict) and choice["type"] in ("any", "tool")
        if effort.uses_adaptive_thinking(self._model):
            output.setdefault("effort", effort.effort_name(level))
            if not forced:
                told["thinking"] = {"type": "adaptive"}
                _drop_sampling(told)
            return
        if forced or conversation.lacks_thinking(turns):
            return
        if limit is None:
            limit = MAX_TOKENS + effort.BUDGETS[level]
            told["max_tokens"] = limit
        tokens = effort.budget_tokens(level, limit)
        if tokens is not None:
            told["thinking"] = {"type": "enabled", "budget_tokens": tokens}
            _drop_sampling(told)


def _refuse_foreign(asked: chat.ChatRequest) -> None:
    """Refuse what would make another kind of answer than an Anthropic model can give."""
    if asked.n is not None and asked.n != 1:
        _refuse("n", "has to be 1: an Anthropic model gives one answer for each request")
    if asked.logprobs:
        _refuse("logprobs", "cannot be had from an Anthropic model: leave it out")
    if "audio" in (asked.modalities or ()):
        _refuse("modalities", "asks for audio, which an Anthropic model cannot make: leave it out")
    if asked.functions is not None or asked.function_call is not None:
        name = "functions" if asked.functions is not None else "function_call"
        _refuse(name, "is the old form of tools: send 'tools' and 'tool_choice'")
    if asked.web_search_options is not None:
        _refuse("web_search_options", "is a service of OpenAI's own: leave it out")
    for name in ("max_completion_tokens", "max_tokens"):
        if (value := getattr(asked, name)) is not None and value < 1:
            _refuse(name, "has to be 1 or more")
    if asked.temperature is not None and not 0 <= asked.temperature <= 2:
        _refuse("temperature", "has to be from 0 to 2")


def _prompt(system: list[conversation.ContentBlock]) -> object:
    """One plain block as a string, as most people write it."""
    if len(system) == 1 and "cache_control" not in system[0]:
        return system[0]["text"]
    return system


def _limits(asked: chat.ChatRequest, told: dict[str, object]) -> None:
    top_p = None if asked.top_p == 1 else asked.top_p
    if asked.temperature is not None and (asked.temperature < 1 or top_p is None):
        told["temperature"] = min(asked.temperature, 1.0)
    if top_p is not None:
        told["top_p"] = top_p
    if asked.top_k is not None:
        told["top_k"] = asked.top_k
    if asked.stop:
        told["stop_sequences"] = [asked.stop] if isinstance(asked.stop, str) else asked.stop
    if user := asked.user or asked.safety_identifier:
        told["metadata"] = {"user_id": user}
    if asked.service_tier in TIERS:
        told["service_tier"] = TIERS[asked.service_tier]


def _drop_sampling(told: dict[str, object]) -> None:
    for name in ("temperature", "top_p", "top_k"):
        told.pop(name, None)


def _tool(tool: chat.Tool, path: str) -> dict[str, object]:
    if tool.type != "function" or tool.function is None:
        _refuse(path, "is not a function, the only kind of tool that can be translated")
    function = tool.function
    schema = dict(function.parameters or {})
    schema.setdefault("type", "object")
    told: dict[str, object] = {"name": function.name, "input_schema": schema}
    if schema["type"] == "object":
        schema.setdefault("properties", {})
    if function.description is not None:
        told["description"] = function.description
    if function.strict is not None:
        told["strict"] = function.strict
    if tool.cache_control is not None:
        told["cache_control"] = tool.cache_control
    return told


def _choice(asked: chat.ChatRequest) -> dict[str, object] | None:
    choice = asked.tool_choice
    told: dict[str, object]
    match choice:
        case None if asked.parallel_tool_calls is False:
            told = {"type": "auto"}
        case None:
            return None
        case "none":
            return {"type": "none"}
        case "auto":
            told = {"type": "auto"}
        case "required":
            told = {"type": "any"}
        case chat.ToolChoice(type="function", function=chat.FunctionName(name=name)):
            told = {"type": "tool", "name": name}
        case _:
            _refuse("tool_choice", "has to be none, auto, required, or a function by its name")
    if asked.parallel_tool_calls is False:
        told["disable_parallel_tool_use"] = True
    return told


def _schema(wanted: chat.ResponseFormat) -> dict[str, object] | None:
    if wanted.type in ("text", "json_object"):
        return None
    if wanted.type != "json_schema" or wanted.json_schema is None or wanted.json_schema.schema is None:
        _refuse("response_format", "has to be text, json_object, or json_schema with a 'schema'")
    return {"type": "json_schema", "schema": wanted.json_schema.schema}


def _refuse(field: str, why: str) -> NoReturn:
    raise InvalidRequest(f"'{field}' {why}", param=field)
