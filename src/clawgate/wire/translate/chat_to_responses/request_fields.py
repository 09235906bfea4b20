"""Translates the fields of a chat request other than its messages and tools.

What changes the kind of response and has no counterpart is rejected with the field's name; hints have no effect.
"""

from __future__ import annotations

from collections.abc import Collection

from clawgate.wire.openai import types as chat
from clawgate.wire.translate.chat_to_responses.request_types import ChatRequest
from clawgate.wire.translate.compat import Compat
from clawgate.wire.translate.exchange import reject
from clawgate.wire.translate.thinking_format import effort_of_server

Fields = dict[str, object]

LEAST_TOKENS = 16
"""The least `max_output_tokens` that OpenAI accepts: a smaller limit becomes it."""
SUMMARY = "auto"
"""The kind of summary that is requested with an effort: the client reads it in `reasoning_content`."""

_SAME = (
    "temperature", "top_p", "top_logprobs", "metadata", "user", "safety_identifier", "service_tier", "prompt_cache_key",
    "prompt_cache_retention", "prompt_cache_options",
)  # fmt: skip
_READ = {
    *_SAME, "messages", "model", "max_completion_tokens", "max_tokens", "n", "stream", "stream_options", "tools",
    "tool_choice", "parallel_tool_calls", "reasoning_effort", "response_format", "logprobs", "moderation", "modalities",
    "functions", "function_call", "web_search_options", "store", "verbosity",
}  # fmt: skip
"""Fields that are translated or rejected; any other one has no effect, such as `stop`, for which there is none."""


def check_supported(request: ChatRequest) -> None:
    """Raise `InvalidRequest` for what requests another kind of response."""
    if request.n is not None and request.n != 1:
        reject("n", "must be 1: the Responses API gives one response to each request")
    if set(request.modalities or ()) - {"text"}:
        reject("modalities", "must be text, all that the Responses API produces")
    if request.moderation is not None:
        reject("moderation", "has results of another form in the Responses API; remove it")
    for name in ("max_completion_tokens", "max_tokens"):
        if (value := getattr(request, name)) is not None and value < 1:
            reject(name, "must be 1 or more")


def set_fields(request: ChatRequest, fields: Fields) -> None:
    """Add all fields but for those of reasoning; raises `InvalidRequest`."""
    for name in _SAME:
        if (value := getattr(request, name)) is not None:
            fields[name] = value
    limit = request.max_completion_tokens or request.max_tokens
    if limit is not None:
        fields["max_output_tokens"] = max(limit, LEAST_TOKENS)
    text = _text(request)
    if text:
        fields["text"] = text
    fields["store"] = bool(request.store)
    if request.logprobs:
        fields["include"] = ["message.output_text.logprobs"]
    if request.stream:
        fields["stream"] = True
        options = request.stream_options
        if options is not None and options.include_obfuscation is not None:
            fields["stream_options"] = {"include_obfuscation": options.include_obfuscation}


def set_reasoning(request: ChatRequest, fields: Fields, compat: Compat) -> bool:
    """Add the effort in the server's name for it; False if it takes none of the one that was requested."""
    if request.reasoning_effort is None:
        return True
    level = effort_of_server(compat, request.reasoning_effort) if compat.reasoning else None
    if level is None:
        return request.reasoning_effort == "none"
    fields["reasoning"] = {"effort": level} if level == "none" else {"effort": level, "summary": SUMMARY}
    return True


def ignored_fields(names: Collection[str]) -> list[str]:
    """Return those of the client's fields that have no effect."""
    return sorted(name for name in names if name not in _READ)


def _text(request: ChatRequest) -> Fields:
    text: Fields = {}
    if (wanted := request.response_format) is not None:
        text["format"] = _format(wanted)
    if request.verbosity is not None:
        text["verbosity"] = request.verbosity
    return text


def _format(wanted: chat.ResponseFormat) -> Fields:
    if wanted.type in ("text", "json_object"):
        return {"type": wanted.type}
    named = wanted.json_schema
    if wanted.type != "json_schema" or named is None or named.schema is None:
        reject("response_format", "must be text, json_object, or json_schema with a 'schema'")
    made: Fields = {"type": "json_schema", "name": named.name or "response", "schema": named.schema}
    made |= {
        name: value
        for name, value in (("description", named.description), ("strict", named.strict))
        if value is not None
    }
    return made
