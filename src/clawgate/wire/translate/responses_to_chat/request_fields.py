"""Translates the fields of a Responses request besides its conversation and tools, or rejects them by name.

A field that changes what the response means is translated or rejected. Hints are left out and reported, so that a
client can see what had no effect: see `ignored_fields` and docs/dialects.md. A cache key is a hint that several servers
reject as unknown (Codex sends one in each request), so it is sent only where the model's `compat` names it.
"""

from __future__ import annotations

from collections.abc import Collection

from clawgate.wire.responses import types as responses
from clawgate.wire.translate.chat_upstream.user_names import user_name
from clawgate.wire.translate.compat import Compat
from clawgate.wire.translate.exchange import reject
from clawgate.wire.translate.strict_schema import strict_form

_SWITCH = "set gateway.http.endpoints.responses.enabled to true to store responses here"
_REJECTED = {
    "previous_response_id": f"names a response that is not stored; {_SWITCH}, or send the whole conversation in "
    "'input'",
    "conversation": "names a conversation, which only agents keep (openclaw/<agentId> in 'model'); send the whole "
    "conversation in 'input', or name the last response in 'previous_response_id'",
    "prompt": "names a template that OpenAI stores; send its text in 'instructions' or 'input'",
    "background": "requests a response that is fetched later, which this model's provider cannot keep; set it to "
    "false, or name an agent (openclaw/<agentId> in 'model'), whose runs continue without their client",
    "top_logprobs": "is not available in this API for this model; remove it",
    "moderation": "is a service of OpenAI; remove it",
}
"""Fields that change what a response is, and why each cannot be had."""
ENCRYPTED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"

_READ = frozenset(
    {
        "frequency_penalty", "include", "input", "instructions", "max_output_tokens", "metadata", "model",
        "parallel_tool_calls", "presence_penalty", "reasoning", "safety_identifier", "service_tier", "stream",
        "temperature", "text", "tool_choice", "tools", "top_p", "user", *_REJECTED,
    }
)  # fmt: skip
"""Fields of a request that have an effect. Any other one is reported as ignored, but for values that change nothing:
see `_CHANGES_NOTHING`."""
_CHANGES_NOTHING = {"store": False, "truncation": "disabled"}
_FORMATS = ("text", "json_object", "json_schema")


def check_supported(request: responses.ResponsesRequest) -> None:
    """Raises `InvalidRequest` for a field that would change what the response means and has no counterpart."""
    for name, problem in _REJECTED.items():
        if getattr(request, name):
            reject(name, problem)
    if _LOGPROBS in (request.include or ()):
        reject("include", f"has '{_LOGPROBS}', which is not available in this API for this model; remove it")
    if request.max_output_tokens is not None and request.max_output_tokens < 1:
        reject("max_output_tokens", "must be 1 or more")


def ignored_fields(request: responses.ResponsesRequest, present: Collection[str]) -> list[str]:
    """Return the names of fields that have no effect, of those that are ``present`` at the top of the request."""
    ignored = []
    for name in present:
        if name in _READ or (name in _CHANGES_NOTHING and getattr(request, name) == _CHANGES_NOTHING[name]):
            continue
        if name == "stream_options" and not (
            request.stream_options and request.stream_options.include_obfuscation
        ):
            continue
        ignored.append(name)
    for name, default in (("context", "auto"), ("mode", "standard")):
        if getattr(request.reasoning, name, None) not in (None, default):
            ignored.append(f"reasoning.{name}")
    ignored += [f"include.{name}" for name in request.include or () if name != ENCRYPTED]
    return sorted(ignored)


def sampling_fields(request: responses.ResponsesRequest, limit_field: str) -> dict[str, object]:
    """Return the fields of a chat request that have a counterpart of the same meaning."""
    fields: dict[str, object] = {}
    if request.max_output_tokens is not None:
        fields[limit_field] = request.max_output_tokens
    for name in ("temperature", "top_p", "frequency_penalty", "presence_penalty", "service_tier"):
        if (value := getattr(request, name)) is not None:
            fields[name] = value
    if user := request.user or request.safety_identifier:
        fields["user"] = user_name(user)
    text = request.text
    if text is not None and text.verbosity not in (
        None,
        "medium",
    ):  # the default, which no server has to know
        fields["verbosity"] = text.verbosity
    if text is not None and text.format is not None and (output := _output_format(text.format)) is not None:
        fields["response_format"] = output
    return fields


def cache_fields(request: responses.ResponsesRequest, compat: Compat) -> dict[str, object]:
    """Return the hints for a server's cache that it is known to take."""
    taken = {
        "prompt_cache_key": compat.supports_prompt_cache_key,
        "prompt_cache_options": compat.supports_prompt_cache_key,
        "prompt_cache_retention": compat.supports_long_cache_retention,
    }
    wanted = {name: getattr(request, name) for name, is_taken in taken.items() if is_taken}
    return {name: value for name, value in wanted.items() if value is not None}


def effort_of(request: responses.ResponsesRequest) -> str | None:
    return request.reasoning.effort if request.reasoning is not None else None


def _output_format(wanted: responses.TextFormat) -> dict[str, object] | None:
    """Return the format of the output, None for text.

    It is strict where the client wants that and OpenAI accepts the schema; elsewhere it is guidance.
    """
    if wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return {"type": "json_object"}
    if wanted.type not in _FORMATS or wanted.schema is None:
        reject("text.format", "must be text, json_object, or json_schema with a 'schema'")
    form = strict_form(wanted.schema) if wanted.strict else None
    schema: dict[str, object] = {"name": wanted.name or "response"}
    if wanted.description is not None:
        schema["description"] = wanted.description
    schema |= {"schema": form or wanted.schema, "strict": form is not None}
    return {"type": "json_schema", "json_schema": schema}
