"""Every field of both APIs, as the types of their newest SDKs have them, is translated, rejected by name or reported.

A field that a new SDK brings has no line in the tables here, and makes a test fail.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typing_extensions
from anthropic.types import message_create_params as messages
from anthropic.types.beta import message_create_params as beta_messages
from openai.types.chat import completion_create_params as chat
from openai.types.responses import CustomToolParam, FunctionToolParam, NamespaceToolParam
from openai.types.responses import response_create_params as responses

from clawgate.errors import InvalidRequest
from clawgate.wire.dialect import Dialect
from clawgate.wire.translate.exchange import Translation
from clawgate.wire.translate.translator import translation

CHAT_FIELDS = typing_extensions.get_type_hints(chat.CompletionCreateParamsBase)
MESSAGES_FIELDS = typing_extensions.get_type_hints(messages.MessageCreateParamsBase)
MESSAGES_FIELDS |= typing_extensions.get_type_hints(beta_messages.MessageCreateParamsBase)
RESPONSES_FIELDS = typing_extensions.get_type_hints(responses.ResponseCreateParamsBase)
SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
FLAT_TOOL = {"type": "function", "name": "f", "parameters": SCHEMA}
USER = {"role": "user", "content": "hi"}
PNG = "data:image/png;base64,iVBORw0KGgo="
MARK = {"mode": "explicit"}


class Ignored:
    """Without effect; ``name`` is how it is reported, if not by the field's own name."""

    def __init__(self, value: Any, name: str | None = None) -> None:
        self.value, self.name = value, name


class Rejected:
    def __init__(self, value: Any, param: str | None = None) -> None:
        self.value, self.param = value, param


class Translated:
    """``found`` returns what became of it upstream, ``becomes`` is what that has to be."""

    def __init__(self, value: Any, found: Callable[[Any], object], becomes: object) -> None:
        self.value, self.found, self.becomes = value, found, becomes


Fate = Ignored | Rejected | Translated


def same(value: Any, name: str, becomes: Any = None) -> Translated:
    return Translated(value, lambda sent: sent[name], value if becomes is None else becomes)


CHAT_TABLE: dict[str, Fate] = {
    "messages": Translated([USER], lambda sent: sent["messages"][0]["content"][0]["text"], "hi"),
    "model": Translated("x", lambda sent: sent["model"], "up"),
    "audio": Ignored({"format": "mp3", "voice": "alloy"}),
    "frequency_penalty": Ignored(0.5),
    "function_call": Rejected("auto"),
    "functions": Rejected([{"name": "f"}]),
    "logit_bias": Ignored({"50256": -100}),
    "logprobs": Rejected(value=True),
    "max_completion_tokens": same(7, "max_tokens"),
    "max_tokens": same(7, "max_tokens"),
    "metadata": Ignored({"k": "v"}),
    "modalities": Rejected(["text", "audio"]),
    "moderation": Rejected({"model": "omni-moderation-latest"}),
    "n": Rejected(2),
    "parallel_tool_calls": Translated(
        value=False, found=lambda sent: sent["tool_choice"]["disable_parallel_tool_use"], becomes=True
    ),
    "prediction": Ignored({"type": "content", "content": "x"}),
    "presence_penalty": Ignored(0.5),
    "prompt_cache_key": Translated("k", lambda sent: sent["tools"][0]["cache_control"], {"type": "ephemeral"}),
    "prompt_cache_options": Ignored({"mode": "explicit"}),
    "prompt_cache_retention": Translated("24h", lambda sent: sent["tools"][0]["cache_control"]["ttl"], "1h"),
    "reasoning_effort": Translated("high", lambda sent: sent["thinking"]["type"], "enabled"),
    "response_format": Translated(
        {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
        lambda sent: sent["output_config"]["format"]["type"],
        "json_schema",
    ),
    "safety_identifier": same("u", "metadata", {"user_id": "u"}),
    "seed": Ignored(0),
    "service_tier": same("default", "service_tier", "standard_only"),
    "stop": same("x", "stop_sequences", ["x"]),
    "store": Ignored(value=True),
    "stream_options": Translated({"include_usage": True}, lambda sent: "stream_options" in sent, becomes=False),
    "temperature": same(0.5, "temperature"),
    "tool_choice": same("required", "tool_choice", {"type": "any"}),
    "tools": Translated([TOOL], lambda sent: sent["tools"][0]["name"], "f"),
    "top_logprobs": Rejected(3),
    "top_p": same(0.5, "top_p"),
    "user": same("u", "metadata", {"user_id": "u"}),
    "verbosity": Ignored("low"),
    "web_search_options": Rejected({}),
}  # fmt: skip

RESPONSES_TABLE: dict[str, Fate] = {
    "messages": Translated([USER], lambda sent: sent["input"][0]["content"], "hi"),
    "model": Translated("x", lambda sent: sent["model"], "up"),
    "audio": Ignored({"format": "mp3", "voice": "alloy"}),
    "frequency_penalty": Ignored(0.5),
    "function_call": same({"name": "f"}, "tool_choice", {"type": "function", "name": "f"}),
    "functions": Translated([{"name": "f"}], lambda sent: sent["tools"][-1]["name"], "f"),
    "logit_bias": Ignored({"50256": -100}),
    "logprobs": Translated(
        value=True, found=lambda sent: sent["include"][0], becomes="message.output_text.logprobs"
    ),
    "max_completion_tokens": same(70, "max_output_tokens"),
    "max_tokens": same(70, "max_output_tokens"),
    "metadata": same({"k": "v"}, "metadata"),
    "modalities": Rejected(["text", "audio"]),
    "moderation": Rejected({"model": "omni-moderation-latest"}),
    "n": Rejected(2),
    "parallel_tool_calls": Translated(
        value=False, found=lambda sent: sent["parallel_tool_calls"], becomes=False
    ),
    "prediction": Ignored({"type": "content", "content": "x"}),
    "presence_penalty": Ignored(0.5),
    "prompt_cache_key": same("k", "prompt_cache_key"),
    "prompt_cache_options": same({"mode": "explicit"}, "prompt_cache_options"),
    "prompt_cache_retention": same("24h", "prompt_cache_retention"),
    "reasoning_effort": Translated("high", lambda sent: sent["reasoning"]["effort"], "high"),
    "response_format": Translated(
        {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
        lambda sent: sent["text"]["format"]["name"],
        "n",
    ),
    "safety_identifier": same("u", "safety_identifier"),
    "seed": Ignored(0),
    "service_tier": same("flex", "service_tier"),
    "stop": Ignored("x"),
    "store": Translated(value=True, found=lambda sent: sent["store"], becomes=True),
    "stream_options": Translated({"include_usage": True}, lambda sent: "stream_options" in sent, becomes=False),
    "temperature": same(0.5, "temperature"),
    "tool_choice": same("required", "tool_choice"),
    "tools": Translated([TOOL], lambda sent: sent["tools"][0]["name"], "f"),
    "top_logprobs": same(3, "top_logprobs"),
    "top_p": same(0.5, "top_p"),
    "user": same("u", "user"),
    "verbosity": Translated("low", lambda sent: sent["text"]["verbosity"], "low"),
    "web_search_options": Translated({}, lambda sent: sent["tools"][-1]["type"], "web_search"),
}  # fmt: skip


def messages_with(**members: Any) -> list[Any]:
    return [{**USER, **members}]


def parts_with(part: dict[str, Any]) -> list[Any]:
    return [{"role": "user", "content": [part, {"type": "text", "text": "t"}]}]


NESTED_TABLE: list[tuple[str, Fate]] = [
    ("messages", Ignored(messages_with(name="anna"), "messages.name")),
    ("messages", Ignored([{"role": "system", "content": "s", "name": "x"}, USER], "messages.name")),
    ("messages", Ignored(parts_with({"type": "text", "text": "t", "prompt_cache_breakpoint": MARK}),
                         "prompt_cache_breakpoint")),
    ("messages", Ignored(parts_with({"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}),
                         "image_url.detail")),
    ("messages", Rejected([USER, {"role": "assistant", "audio": {"id": "a"}}, USER], "messages[1].audio")),
    ("messages", Rejected([USER, {"role": "assistant", "function_call": {"name": "f", "arguments": ""}}, USER],
                          "messages[1].function_call")),
    ("messages", Rejected([{"role": "function", "name": "f", "content": "x"}, USER], "messages[0].role")),
    ("messages", Rejected(parts_with({"type": "input_audio", "input_audio": {"data": "", "format": "mp3"}}),
                          "messages[0].content[0].type")),
    ("messages", Rejected(parts_with({"type": "file", "file": {"file_id": "f"}}), "messages[0].content[0].file")),
    ("tools", Rejected([{"type": "custom", "custom": {"name": "c"}}], "tools[0]")),
    ("tool_choice", Rejected({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}})),
    ("tool_choice", Rejected({"type": "custom", "custom": {"name": "c"}})),
    ("service_tier", Ignored("flex")),
    ("stop", Ignored(["a", "\n"])),
    ("stop", Ignored(" ")),
    ("temperature", Ignored(0.5)),
    ("top_p", Ignored(0.5)),
    ("top_k", Ignored(5)),
    ("of_next_year", Ignored(1)),
]  # fmt: skip
"""Members below the top, and values that a model or service does not take."""

MESSAGES_TABLE: dict[str, Fate] = {
    "messages": Translated([USER], lambda sent: sent["messages"][0]["content"], "hi"),
    "model": Translated("x", lambda sent: sent["model"], "up"),
    "max_tokens": same(7, "max_tokens"),
    "billing_policy": Rejected({"type": "billing_policy", "bill_to": "user_profile"}),
    "cache_control": Ignored({"type": "ephemeral"}),
    "compaction": Rejected({"type": "summarize"}),
    "container": Rejected("c"),
    "context_management": Ignored({"edits": [{"type": "clear_tool_uses_20250919"}]}),
    "diagnostics": Ignored({"previous_message_id": "m"}),
    "fallback_credit_token": Ignored({"token": "t"}),
    "fallbacks": Rejected([{"model": "m"}]),
    "inference_geo": Ignored("eu"),
    "mcp_servers": Rejected([{"type": "url", "url": "https://e", "name": "n"}]),
    "metadata": same({"user_id": "u"}, "user", "u"),
    "output_config": Translated(
        {"format": {"type": "json_schema", "schema": SCHEMA}},
        lambda sent: sent["response_format"]["type"],
        "json_schema",
    ),
    "service_tier": same("standard_only", "service_tier", "default"),
    "speed": Ignored("fast"),
    "stop_sequences": same(["x"], "stop"),
    "system": Translated("s", lambda sent: sent["messages"][0], {"role": "system", "content": "s"}),
    "thinking": Translated(
        {"type": "enabled", "budget_tokens": 9000}, lambda sent: sent["reasoning_effort"], "medium"
    ),
    "thread": Rejected({"type": "create"}),
    "tool_choice": same({"type": "any"}, "tool_choice", "required"),
    "tools": Translated(
        [{"name": "f", "input_schema": SCHEMA}], lambda sent: sent["tools"][0]["function"]["name"], "f"
    ),
    "betas": Ignored(["b"]),
    "user_profile_id": Ignored("p"),
    "workspace_id": Ignored("w"),
}  # fmt: skip


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
THINKS = {"type": "enabled", "budget_tokens": 9000}

NESTED_MESSAGES_TABLE: list[tuple[str, Fate]] = [
    ("messages", Ignored(parts_with({**IMAGE, "transformations": {"oversized_image": "resize"}}),
                         "image.transformations")),
    ("messages", Ignored(parts_with({"type": "text", "text": "t", "cache_control": {"type": "ephemeral"}}),
                         "cache_control")),
    ("messages", Rejected(parts_with({**IMAGE, "source": {"type": "file", "file_id": "f"}}),
                          "messages[0].content[0].source")),
    ("output_config", Ignored({"task_budget": {"type": "tokens", "total": 5}}, "output_config.task_budget")),
    ("thinking", Ignored({**THINKS, "display": "omitted"}, "thinking.display")),
    ("thinking", Ignored({**THINKS, "block_binding": {"prefix_mismatch_behavior": "x"}}, "thinking.block_binding")),
    ("tools", Ignored([{"name": "f", "input_schema": SCHEMA, "eager_input_streaming": True}],
                      "tools.eager_input_streaming")),
    ("tools", Rejected([{"type": "web_search_20260318", "name": "web_search"}], "tools[0]")),
    ("context_management", Rejected({"edits": [{"type": "compact_20260112"}]}, "context_management.edits[0]")),
]  # fmt: skip


OF_RESPONSES_CLIENT: dict[str, Fate] = {
    "access_programs": Ignored({"cyber": "standard"}),
    "background": Rejected(value=True),
    "context_management": Ignored([{"type": "compaction"}]),
    "conversation": Rejected("conv_1"),
    "image": Ignored({"context_compression": "enabled"}),
    "include": Translated(["reasoning.encrypted_content"], lambda sent: "include" in sent, becomes=False),
    "input": Translated("x", lambda sent: sent["messages"][0]["content"], "x"),
    "instructions": Translated("s", lambda sent: sent["messages"][0], {"role": "system", "content": "s"}),
    "max_output_tokens": same(7, "max_tokens"),
    "max_tool_calls": Ignored(3),
    "metadata": Translated({"k": "v"}, lambda sent: "metadata" in sent, becomes=False),  # the response has it
    "model": Translated("x", lambda sent: sent["model"], "up"),
    "moderation": Rejected({"model": "omni-moderation-latest"}),
    "parallel_tool_calls": Translated(
        value=False, found=lambda sent: sent["parallel_tool_calls"], becomes=False
    ),
    "previous_response_id": Rejected("resp_1"),
    "prompt": Rejected({"id": "pmpt_1"}),
    "prompt_cache_key": Ignored("k"),
    "prompt_cache_options": Ignored({"mode": "explicit"}),
    "prompt_cache_retention": Ignored("24h"),
    "reasoning": Translated({"effort": "high"}, lambda sent: sent["reasoning_effort"], "high"),
    "safety_identifier": same("u", "user"),
    "service_tier": same("flex", "service_tier"),
    "store": Ignored(value=True),
    "stream_options": Ignored({"include_obfuscation": True}),
    "temperature": same(0.5, "temperature"),
    "text": Translated({"verbosity": "low"}, lambda sent: sent["verbosity"], "low"),
    "tool_choice": same("required", "tool_choice"),
    "tools": Translated([FLAT_TOOL], lambda sent: sent["tools"][0]["function"]["name"], "f"),
    "top_logprobs": Rejected(3),
    "top_p": same(0.5, "top_p"),
    "truncation": Ignored("auto"),
    "user": same("u", "user"),
}  # fmt: skip

NESTED_OF_RESPONSES_CLIENT: list[tuple[str, Fate]] = [
    ("input", Ignored(parts_with({"type": "input_text", "text": "t", "prompt_cache_breakpoint": MARK}),
                      "prompt_cache_breakpoint")),
    ("input", Ignored(parts_with({"type": "input_file", "file_data": "JVBERi0=", "detail": "low"}),
                      "input_file.detail")),
    ("input", Ignored([USER, {"role": "assistant", "content": "a", "phase": "commentary"}], "input.phase")),
    ("include", Ignored(["web_search_call.results"], "include.web_search_call.results")),
    ("include", Rejected(["message.output_text.logprobs"])),
    ("reasoning", Ignored({"mode": "pro"}, "reasoning.mode")),
    ("reasoning", Ignored({"context": "all_turns"}, "reasoning.context")),
    ("tools", Ignored([{**FLAT_TOOL, "output_schema": SCHEMA}], "tools.output_schema")),
    ("tools", Ignored([FLAT_TOOL, {"type": "web_search", "external_web_access": True}], "tools.web_search")),
    ("tools", Rejected([{"type": "web_search"}], "tools[0]")),
    ("of_next_year", Ignored(1)),
]  # fmt: skip


def translate(
    name: str, value: Any, client: Dialect, upstream: Dialect, model: str
) -> tuple[Translation, Any]:
    made = translation(
        client, upstream, requested_model="p/x", upstream_model=model, created=1, unique_id="u"
    )
    tools: Any = [TOOL] if client is Dialect.CHAT else [{"name": "f", "input_schema": SCHEMA}]
    body = {"model": "x", "max_tokens": 9000, "messages": [USER], "tools": tools, name: value}
    if client is Dialect.RESPONSES:
        body = {"model": "x", "input": [USER], "tools": [FLAT_TOOL], name: value}
    elif name == "response_format" or name.startswith("max_"):
        del body["max_tokens"]
    body[name] = value
    return made, json.loads(made.translate_request(json.dumps(body).encode()))


def check(name: str, fate: Fate, client: Dialect, upstream: Dialect, model: str = "up") -> None:
    if isinstance(fate, Rejected):
        with pytest.raises(InvalidRequest) as rejected:
            translate(name, fate.value, client, upstream, model)
        assert rejected.value.param == (fate.param or name)
        assert fate.param is not None or f"'{name}'" in rejected.value.message
        return
    made, sent = translate(name, fate.value, client, upstream, model)
    if isinstance(fate, Ignored):
        assert made.ignored == (fate.name or name,)
        assert "." in made.ignored[0] or name in ("messages", "stop") or name not in sent
    else:
        assert fate.found(sent) == fate.becomes and made.ignored == ()


def test_every_field_of_the_sdks_has_a_line() -> None:
    assert set(CHAT_TABLE) == set(RESPONSES_TABLE) == set(CHAT_FIELDS)
    assert set(MESSAGES_TABLE) == set(MESSAGES_FIELDS)
    assert set(OF_RESPONSES_CLIENT) == set(RESPONSES_FIELDS)


@pytest.mark.parametrize("name", sorted(CHAT_TABLE))
def test_every_field_of_a_chat_request_is_dealt_with(name: str) -> None:
    check(name, CHAT_TABLE[name], Dialect.CHAT, Dialect.MESSAGES)


@pytest.mark.parametrize("name", sorted(RESPONSES_TABLE))
def test_every_field_of_a_chat_request_is_dealt_with_towards_a_responses_server(name: str) -> None:
    check(name, RESPONSES_TABLE[name], Dialect.CHAT, Dialect.RESPONSES)


@pytest.mark.parametrize("name", ["top_k", "thinking", "cache_control", "of_next_year"])
def test_a_field_of_another_service_has_no_effect_at_a_responses_server(name: str) -> None:
    check(name, Ignored(1 if name in ("top_k", "of_next_year") else {}), Dialect.CHAT, Dialect.RESPONSES)


@pytest.mark.parametrize(("name", "fate"), NESTED_TABLE)
def test_what_is_below_the_top_is_dealt_with(name: str, fate: Fate) -> None:
    is_sampling = name in ("temperature", "top_p", "top_k")
    check(name, fate, Dialect.CHAT, Dialect.MESSAGES, "claude-opus-4-7" if is_sampling else "up")


@pytest.mark.parametrize(("name", "fate"), NESTED_MESSAGES_TABLE)
def test_what_is_below_the_top_of_a_messages_request_is_dealt_with(name: str, fate: Fate) -> None:
    check(name, fate, Dialect.MESSAGES, Dialect.CHAT)


@pytest.mark.parametrize("name", sorted(MESSAGES_TABLE))
def test_every_field_of_a_messages_request_is_dealt_with(name: str) -> None:
    check(name, MESSAGES_TABLE[name], Dialect.MESSAGES, Dialect.CHAT)


@pytest.mark.parametrize("name", sorted(OF_RESPONSES_CLIENT))
def test_every_field_of_a_responses_request_is_dealt_with(name: str) -> None:
    check(name, OF_RESPONSES_CLIENT[name], Dialect.RESPONSES, Dialect.CHAT)


@pytest.mark.parametrize(("name", "fate"), NESTED_OF_RESPONSES_CLIENT)
def test_what_is_below_the_top_of_a_responses_request_is_dealt_with(name: str, fate: Fate) -> None:
    check(name, fate, Dialect.RESPONSES, Dialect.CHAT)


def members_of(hint: Any, seen: frozenset[Any] = frozenset()) -> Iterator[str]:
    """Yield the members of every type within ``hint``."""
    if typing_extensions.is_typeddict(hint):
        if hint not in seen:
            for name, inner in typing_extensions.get_type_hints(hint).items():
                yield name
                yield from members_of(inner, seen | {hint})
        return
    for inner in typing.get_args(hint):
        yield from members_of(inner, seen)


KNOWN_MEMBERS = {
    "allowed_tools", "arguments", "audio", "content", "custom", "data", "definition", "description", "detail", "file",
    "file_data", "file_id", "filename", "format", "function", "function_call", "grammar", "id", "image_url", "input",
    "input_audio", "mode", "name", "parameters", "prompt_cache_breakpoint", "refusal", "role", "strict", "syntax",
    "text", "tool_call_id", "tool_calls", "tools", "ttl", "type", "url",
}  # fmt: skip
"""What messages, tools and choices of tools consist of: each is read, rejected with what it is part of, or reported."""


KNOWN_OF_RESPONSES_CLIENT = {
    "allowed_callers", "async", "context", "defer_loading", "definition", "description", "effort", "format",
    "generate_summary", "include_obfuscation", "mode", "name", "output_schema", "parameters", "schema", "strict",
    "summary", "syntax", "tools", "type", "verbosity",
}  # fmt: skip
"""The same of the fields of a Responses request; `defer_loading` is not needed, since every tool is sent."""


def test_no_sdk_brings_a_member_below_the_top_of_a_responses_request_that_is_not_known() -> None:
    found = {
        name
        for field in ("text", "reasoning", "stream_options")
        for name in members_of(RESPONSES_FIELDS[field])
    }
    for tool in (FunctionToolParam, CustomToolParam, NamespaceToolParam):
        found |= set(members_of(tool))
    assert found == KNOWN_OF_RESPONSES_CLIENT


def test_no_sdk_brings_a_member_below_the_top_that_is_not_known() -> None:
    found = {
        name for field in ("messages", "tools", "tool_choice") for name in members_of(CHAT_FIELDS[field])
    }
    assert found == KNOWN_MEMBERS
