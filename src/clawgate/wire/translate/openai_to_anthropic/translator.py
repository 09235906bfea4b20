"""Translates one exchange of a chat client with an upstream that speaks Anthropic's Messages API.

What both APIs know is translated. Hints that only OpenAI knows (seed, penalties, logit_bias, store, metadata,
verbosity, …) and unknown fields are left out, as Anthropic's own endpoint for OpenAI's clients does,
and listed in ``ignored``. What changes the kind of response (n, logprobs, audio, web search, moderation, custom tools)
is rejected with the field's name.
Anthropic's own fields (top_k, thinking, output_config, cache_control, inference_geo, speed) pass unchanged. A
temperature above 1, Anthropic's maximum, becomes 1. A top_p of 1 is dropped, and so is a temperature of 1 beside
another top_p: both are the defaults of both services. Sampling fields that the model rejects are dropped, see
`claude_models`, and so are stop sequences of nothing but white space.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from clawgate.wire.anthropic.types import MESSAGES_RESPONSE
from clawgate.wire.json import lenient, strict
from clawgate.wire.openai import types as chat
from clawgate.wire.translate import claude_models
from clawgate.wire.translate import reasoning_effort as effort
from clawgate.wire.translate.chat_client import ChatClientTranslation
from clawgate.wire.translate.compat import NO_COMPAT, Compat
from clawgate.wire.translate.exchange import read_response, reject
from clawgate.wire.translate.messages_compat import adapt_messages_request
from clawgate.wire.translate.openai_to_anthropic import cache_marks, response, structured_output
from clawgate.wire.translate.openai_to_anthropic import messages as conversation
from clawgate.wire.translate.openai_to_anthropic.stream import ChatStream

READ = frozenset(chat.ChatRequest.__struct_fields__)
"""Fields of a request that are translated or rejected; any other one has no effect."""

MAX_TOKENS = 8192
"""Sent if neither the client nor the config has a limit: Anthropic has no default, and all current models can write as
much. A budget for thinking is added to it."""

TIERS = {"auto": "auto", "priority": "auto", "default": "standard_only"}


class ChatToMessages(ChatClientTranslation[ChatStream]):
    """A chat client, a Messages upstream."""

    target = b"/v1/messages"

    def __init__(
        self,
        *,
        requested_model: str,
        upstream_model: str,
        created: int,
        unique_id: str = "unnamed",
        max_tokens: int | None = None,
        compat: Compat = NO_COMPAT,
        provider: str = "",
    ) -> None:
        self._requested = requested_model
        self._model = upstream_model
        self._created = created
        self._made_id = f"chatcmpl-{unique_id}"  # of a response that came without one
        self._max_tokens = max_tokens
        self._compat = compat
        self._provider = provider

    def translate_request(self, body: bytes) -> bytes:
        request = strict.parse_request(body, chat.CHAT_REQUEST)
        _reject_untranslatable(request)
        system, turns = conversation.system_and_turns(request.messages, self._provider)
        fields: dict[str, Any] = {"model": self._model, "messages": turns}
        output_format, instruction = structured_output.requested_format(request, self._model)
        if instruction is not None:
            system.append({"type": "text", "text": instruction})
        if system:
            fields["system"] = _prompt(system)
        _limits(request, self._model, fields)
        allowed = _allowed_names(request.tool_choice)
        tools = [
            translated
            for number, tool in enumerate(request.tools or ())
            if (translated := _tool(tool, self._model, f"tools[{number}]"))
            and (allowed is None or translated["name"] in allowed)
        ]
        if tools:
            fields["tools"] = tools
        elif allowed is not None:
            reject("tool_choice", "allows none of the 'tools'")
        choice = _tool_choice(request) if tools else None
        if choice is not None:
            fields["tool_choice"] = choice
        limit = request.max_completion_tokens or request.max_tokens or self._max_tokens
        fields["max_tokens"] = limit or MAX_TOKENS
        output = dict(request.output_config or {})
        if output_format is not None:
            output["format"] = output_format
        if request.reasoning_effort is not None and request.thinking is None and self._compat.reasoning:
            self._set_thinking(request, fields, turns, output, limit)
        if output:
            fields["output_config"] = output
        for name in ("thinking", "cache_control", "inference_geo", "speed"):
            if (value := getattr(request, name)) is not None:
                fields[name] = value
        self._begin_stream(request)
        if self.streams:
            fields["stream"] = True
        ignored = [*_ignored(request, strict.member_names(body), fields)]
        if not cache_marks.set_marks(request, fields, self._compat):
            ignored += [name for name in cache_marks.FIELDS if getattr(request, name) is not None]
        self.ignored = (*ignored, *adapt_messages_request(fields, self._compat))
        return strict.encode_request(fields)

    def translate_response(self, body: bytes) -> bytes:
        message = read_response(body, MESSAGES_RESPONSE)
        message.id = lenient.as_word(message.id) or self._made_id
        completion = response.completion(
            message, model=self._requested, created=self._created, provider=self._provider
        )
        return strict.encode_response(completion)

    def response_as_stream(self, body: bytes) -> bytes:
        message = read_response(body, MESSAGES_RESPONSE)
        events: list[dict[str, object]] = [
            {"type": "message_start", "message": {"id": message.id, "content": [], "usage": message.usage}}
        ]
        for index, block in enumerate(message.content):
            events.append({"type": "content_block_start", "index": index, "content_block": block})
            events.append({"type": "content_block_stop", "index": index})
        stop = {"stop_reason": message.stop_reason, "stop_details": message.stop_details}
        events += [{"type": "message_delta", "delta": stop}, {"type": "message_stop"}]
        return self._as_stream(events)

    def _new_stream(self, *, include_usage: bool) -> ChatStream:
        return ChatStream(
            model=self._requested,
            created=self._created,
            made_id=self._made_id,
            include_usage=include_usage,
            provider=self._provider,
        )

    def _set_thinking(
        self,
        request: chat.ChatRequest,
        fields: dict[str, object],
        turns: list[conversation.Turn],
        output: dict[str, object],
        limit: int | None,
    ) -> None:
        """Request the effort in the form that the model knows. An effort is a hint, and yields to everything else.

        With a budget Anthropic rejects a forced tool, an unfinished turn without its thinking, and sampling fields.
        """
        level = request.reasoning_effort or "none"
        if level != "none" and level not in effort.BUDGETS:
            reject("reasoning_effort", f"must be none or one of {', '.join(effort.BUDGETS)}")
        if level == "none":
            if effort.uses_adaptive_thinking(self._model):
                fields["thinking"] = {"type": "disabled"}
            return
        forced = isinstance(choice := fields.get("tool_choice"), dict) and choice["type"] in ("any", "tool")
        if effort.uses_adaptive_thinking(self._model):
            output.setdefault("effort", effort.effort_name(level))
            if not forced:
                fields["thinking"] = {"type": "adaptive"}
                _drop_sampling(fields)
            return
        if forced or conversation.lacks_thinking(turns):
            return
        if limit is None:
            limit = MAX_TOKENS + effort.BUDGETS[level]
            fields["max_tokens"] = limit
        tokens = effort.budget_tokens(level, limit)
        if tokens is not None:
            fields["thinking"] = {"type": "enabled", "budget_tokens": tokens}
            _drop_sampling(fields)


def _reject_untranslatable(request: chat.ChatRequest) -> None:
    """Reject what requests another kind of response than an Anthropic model can give."""
    if request.n is not None and request.n != 1:
        reject("n", "must be 1: an Anthropic model gives one response to each request")
    for name in ("logprobs", "top_logprobs"):
        if getattr(request, name):
            reject(name, "is not available from an Anthropic model; remove it")
    if set(request.modalities or ()) - {"text"}:
        reject("modalities", "must be text, all that an Anthropic model can produce")
    if request.functions is not None or request.function_call is not None:
        name = "functions" if request.functions is not None else "function_call"
        reject(name, "is the old form of tools; send 'tools' and 'tool_choice'")
    for name in ("web_search_options", "moderation"):
        if getattr(request, name) is not None:
            reject(name, "is a service of OpenAI; remove it")
    for name in ("max_completion_tokens", "max_tokens"):
        if (value := getattr(request, name)) is not None and value < 1:
            reject(name, "must be 1 or more")
    if request.temperature is not None and not 0 <= request.temperature <= 2:
        reject("temperature", "must be from 0 to 2")


def _ignored(request: chat.ChatRequest, names: Collection[str], made: dict[str, object]) -> Iterator[str]:
    """Yield the names of fields without effect, of those that the client sent; ``made`` is the request upstream."""
    yield from sorted(name for name in names if name not in READ)
    for name in ("temperature", "top_p", "top_k"):
        value = getattr(request, name)
        if value is not None and name not in made and (value != 1 or name == "top_k"):
            yield name
    if any(not stop.strip() for stop in _stops(request)):
        yield "stop"
    if request.service_tier is not None and request.service_tier not in TIERS:
        yield "service_tier"
    output = made.get("output_config")
    thinks = "thinking" in made or (isinstance(output, dict) and "effort" in output)
    if request.reasoning_effort not in (None, "none") and (request.thinking is not None or not thinks):
        yield "reasoning_effort"
    yield from conversation.ignored_members(request.messages)


def _prompt(system: list[conversation.ContentBlock]) -> object:
    """Return a single plain block as a string, as most requests have it."""
    if len(system) == 1 and "cache_control" not in system[0]:
        return system[0]["text"]
    return system


def _limits(request: chat.ChatRequest, model: str, fields: dict[str, object]) -> None:
    if claude_models.accepts_sampling(model):
        _set_sampling(request, model, fields)
    # Anthropic rejects a stop sequence of nothing but white space.
    if stops := [stop for stop in _stops(request) if stop.strip()]:
        fields["stop_sequences"] = stops
    if user := request.user or request.safety_identifier:
        fields["metadata"] = {"user_id": user}
    if request.service_tier in TIERS:
        fields["service_tier"] = TIERS[request.service_tier]


def _stops(request: chat.ChatRequest) -> list[str]:
    return [request.stop] if isinstance(request.stop, str) else request.stop or []


def _set_sampling(request: chat.ChatRequest, model: str, fields: dict[str, object]) -> None:
    top_p = None if request.top_p == 1 else request.top_p
    if request.temperature is not None and (request.temperature < 1 or top_p is None):
        fields["temperature"] = min(request.temperature, 1.0)
    both = "temperature" not in fields or claude_models.accepts_temperature_with_top_p(model)
    if top_p is not None and both:
        fields["top_p"] = top_p
    if request.top_k is not None:
        fields["top_k"] = request.top_k


def _drop_sampling(fields: dict[str, object]) -> None:
    for name in ("temperature", "top_p", "top_k"):
        fields.pop(name, None)


def _tool(tool: chat.Tool, model: str, path: str) -> dict[str, object]:
    if tool.type != "function" or tool.function is None:
        reject(path, "is not a function, the only kind of tool that can be translated")
    function = tool.function
    schema = dict(function.parameters or {})
    schema.setdefault("type", "object")
    if schema["type"] == "object":
        schema.setdefault("properties", {})
    enforced = None
    if function.strict:
        enforced = structured_output.strict_parameters(schema, model, f"{path}.function.parameters")
    fields: dict[str, object] = {"name": function.name, "input_schema": enforced or schema}
    if function.description is not None:
        fields["description"] = function.description
    if enforced is not None or function.strict is False:
        fields["strict"] = function.strict
    if tool.cache_control is not None:
        fields["cache_control"] = tool.cache_control
    return fields


def _allowed_names(choice: str | chat.ToolChoice | None) -> set[str] | None:
    """Return the tools that may be called, which are the only ones that Anthropic gets; None for all."""
    if not isinstance(choice, chat.ToolChoice) or choice.allowed_tools is None:
        return None
    return {tool.function.name for tool in choice.allowed_tools.tools if tool.function is not None}


def _tool_choice(request: chat.ChatRequest) -> dict[str, object] | None:
    choice = request.tool_choice
    fields: dict[str, object]
    match choice:
        case None if request.parallel_tool_calls is False:
            fields = {"type": "auto"}
        case None:
            return None
        case "none":
            return {"type": "none"}
        case "auto" | chat.ToolChoice(allowed_tools=chat.AllowedTools(mode="auto")):
            fields = {"type": "auto"}
        case "required" | chat.ToolChoice(allowed_tools=chat.AllowedTools(mode="required")):
            fields = {"type": "any"}
        case chat.ToolChoice(type="function", function=chat.FunctionName(name=name)):
            fields = {"type": "tool", "name": name}
        case _:
            reject("tool_choice", "must be none, auto, required, or a function by its name")
    if request.parallel_tool_calls is False:
        fields["disable_parallel_tool_use"] = True
    return fields
