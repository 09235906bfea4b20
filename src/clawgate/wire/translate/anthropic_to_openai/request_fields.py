"""Translates the fields of a Messages request besides its conversation and tools, or rejects them by name.

A field that changes what the response means is translated or rejected. Hints are left out and reported, so that a
client can see what had no effect: see `ignored_fields` and docs/dialects.md.
"""

from __future__ import annotations

from collections.abc import Collection

from clawgate.errors import ThreadUnsupported
from clawgate.wire.anthropic import types as messages
from clawgate.wire.json import lenient
from clawgate.wire.translate import reasoning_effort as effort
from clawgate.wire.translate.anthropic_to_openai import system_messages
from clawgate.wire.translate.chat_upstream.user_names import user_name
from clawgate.wire.translate.exchange import reject
from clawgate.wire.translate.strict_schema import strict_form

TIERS = {"auto": "auto", "standard_only": "default"}

TRANSLATED = frozenset(
    {
        "max_tokens", "messages", "metadata", "model", "output_config", "output_format", "stop_sequences", "stream",
        "system", "temperature", "thinking", "tool_choice", "tools", "top_p",
    }
)  # fmt: skip
"""Fields of a request that are translated. Any other one is reported as ignored, if it was not rejected."""

_HARMLESS_EDITS = ("clear_tool_uses_", "clear_thinking_")
"""Context edits that save tokens: without them the model sees more, and nothing is missing."""


def check_supported(request: messages.MessagesRequest) -> None:
    """Raises `InvalidRequest` for a field that would change what the response means and has no counterpart."""
    if request.thread is not None:
        raise ThreadUnsupported(
            "'thread' needs a server that keeps conversations, which this model's provider does not; "
            "send the full conversation without 'thread'",
            param="thread",
        )
    for name in ("mcp_servers", "container"):
        if getattr(request, name):
            reject(name, "is a service of Anthropic; remove it")
    if request.compaction is not None:
        reject("compaction", "is a summary that only Anthropic makes; ask for one in a message")
    edits = lenient.as_member(request.context_management, "edits")
    for number, edit in enumerate(edits if isinstance(edits, list) else ()):
        if not lenient.as_text(lenient.as_member(edit, "type")).startswith(_HARMLESS_EDITS):
            reject(f"context_management.edits[{number}]", "is a change that only Anthropic makes; remove it")
    if request.fallbacks and request.fallbacks != "default":
        reject("fallbacks", "names models of Anthropic; configure fallbacks in the gateway")
    if request.billing_policy is not None and request.billing_policy.bill_to not in (None, "self"):
        reject("billing_policy", "bills a customer of Anthropic; remove it")
    if not request.messages:
        reject("messages", "is empty; add a user message")
    if request.max_tokens < 1:
        reject("max_tokens", "must be 1 or more")


def ignored_fields(request: messages.MessagesRequest, present: Collection[str]) -> list[str]:
    """Return the names of fields that have no effect, of those that are ``present`` at the top of the request."""
    ignored = sorted(name for name in present if name not in TRANSLATED)
    if request.service_tier in TIERS:
        ignored.remove("service_tier")
    if request.output_config is not None and request.output_config.task_budget is not None:
        ignored.append("output_config.task_budget")
    ignored += [
        f"thinking.{name}" for name in ("block_binding", "display") if getattr(request.thinking, name, None)
    ]
    if any(tool.eager_input_streaming for tool in request.tools or ()):
        ignored.append("tools.eager_input_streaming")
    return ignored


def sampling_fields(request: messages.MessagesRequest) -> dict[str, object]:
    """Return the fields of a chat request that have a counterpart of the same meaning."""
    fields: dict[str, object] = {}
    for name in ("temperature", "top_p"):
        if (value := getattr(request, name)) is not None:
            fields[name] = value
    if request.stop_sequences:
        fields["stop"] = request.stop_sequences
    if request.metadata is not None and request.metadata.user_id:
        fields["user"] = user_name(request.metadata.user_id)
    if request.service_tier in TIERS:
        fields["service_tier"] = TIERS[request.service_tier]
    return fields


def thinks(request: messages.MessagesRequest) -> bool:
    if request.thinking is not None:
        return request.thinking.type != "disabled"
    return requested_effort(request) is not None


def thinking_fields(request: messages.MessagesRequest) -> list[str]:
    named = request.output_config is not None and request.output_config.effort is not None
    wanted = request.thinking is not None and request.thinking.type != "disabled"
    return [name for name, is_set in (("thinking", wanted), ("output_config.effort", named)) if is_set]


def requested_effort(request: messages.MessagesRequest) -> str | None:
    """Return the effort that the client named, or the one nearest to its budget; None if thinking is off."""
    if request.thinking is not None and request.thinking.type == "disabled":
        return None
    if (named := system_messages.effort_of(request.messages)) is not None:
        return named
    if request.output_config is not None and request.output_config.effort is not None:
        return request.output_config.effort
    if request.thinking is not None and request.thinking.budget_tokens is not None:
        return effort.effort_for_budget(request.thinking.budget_tokens)
    return None


def response_format(request: messages.MessagesRequest) -> dict[str, object] | None:
    """Return the format of the output, of `output_config` or of its older name; raises `InvalidRequest`.

    It is strict where OpenAI accepts that; elsewhere the schema is kept as it is, as guidance.
    """
    config = request.output_config
    wanted, field = (config.format, "output_config.format") if config is not None else (None, "")
    if wanted is None:
        wanted, field = request.output_format, "output_format"
    if wanted is None:
        return None
    if wanted.type != "json_schema" or wanted.schema is None:
        reject(field, "must be json_schema with a 'schema'")
    form = strict_form(wanted.schema)
    schema = {"name": "response", "schema": form or wanted.schema, "strict": form is not None}
    return {"type": "json_schema", "json_schema": schema}
