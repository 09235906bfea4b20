"""Rejects what Anthropic's Messages API rejects: `check` raises `MessagesError` with the field's path.

As strict as the reference says, so that a translation that sends nonsense fails here and not at Anthropic: unknown
fields, empty texts, tool calls without their result and results without their call, thoughts that were not signed by
the model. Pure; it makes no response.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from demo.models.anthropic_errors import invalid
from demo.models.anthropic_messages import Block, blocks_of, sealed, signature_of
from demo.models.openai_chat import Body

FIELDS = frozenset(
    {
        "model", "messages", "max_tokens", "system", "stop_sequences", "stream", "temperature", "top_p", "top_k",
        "tools", "tool_choice", "thinking", "output_config", "metadata", "service_tier", "mcp_servers", "container",
        "cache_control", "inference_geo", "speed",
    }
)  # fmt: skip
COUNTED = FIELDS - {
    "max_tokens", "stop_sequences", "stream", "temperature", "top_p", "top_k", "metadata", "service_tier", "container",
    "inference_geo",
}  # fmt: skip
SAMPLING = frozenset({"temperature", "top_p", "top_k"})
IMAGE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
LEAST_BUDGET = 1024
_SCHEMA_KEYWORDS = frozenset(
    {
        "type", "properties", "required", "additionalProperties", "items", "minItems", "enum", "const", "anyOf",
        "allOf", "$ref", "$defs", "definitions", "description", "title", "format", "default",
    }
)  # fmt: skip
_NO_SAMPLING = re.compile(r"claude-(?:opus-4-[7-9]|[a-z]+-5)")
"""Models that reject the fields of sampling."""

_BLOCK_FIELDS = {
    "text": {"text", "citations"},
    "image": {"source"},
    "document": {"source", "title", "context", "citations"},
    "search_result": {"source", "title", "content", "citations"},
    "thinking": {"thinking", "signature"},
    "redacted_thinking": {"data"},
    "tool_use": {"id", "name", "input"},
    "tool_result": {"tool_use_id", "content", "is_error"},
}
_OF_ROLE = {
    "user": {"text", "image", "document", "search_result", "tool_result"},
    "assistant": {"text", "thinking", "redacted_thinking", "tool_use"},
    "system": {"text"},
}
_TOOL_ID = re.compile(r"\A[a-zA-Z0-9_-]+\Z")
_TOOL_NAME = re.compile(r"\A[a-zA-Z0-9_-]{1,128}\Z")


def check(body: Body, *, counts_only: bool = False, sampling: bool = True) -> None:
    """Raise what the API would say to ``body``.

    `counts_only`: as count_tokens, which needs no max_tokens. Without `sampling` no temperature and the like are
    known, as since version 2026-10-21 of the API.
    """
    for name in body:
        if name not in (COUNTED if counts_only else FIELDS) or (name in SAMPLING and not sampling):
            raise invalid(f"{name}: Extra inputs are not permitted")
    if not counts_only:
        _whole(body, "max_tokens", 1)
    _sampling(body)
    _output(body)
    _tools(body)
    _thinking(body)
    _system(body)
    _messages(body)


def _sampling(body: Body) -> None:
    if _NO_SAMPLING.match(str(body.get("model"))) and (extra := SAMPLING & body.keys()):
        raise invalid(f"`{min(extra)}` is deprecated for this model.")
    for name in ("temperature", "top_p"):
        value = body.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise invalid(f"{name}: range: 0..1")
    if "top_k" in body:
        _whole(body, "top_k", 0)
    if not isinstance(body.get("stream", False), bool):
        raise invalid("stream: Input should be a valid boolean")
    for number, stop in enumerate(_list(body, "stop_sequences")):
        if not isinstance(stop, str) or not stop.strip():
            raise invalid(f"stop_sequences.{number}: each stop sequence must contain non-whitespace")
    metadata = body.get("metadata", {})
    if not isinstance(metadata, dict) or metadata.keys() - {"user_id"}:
        raise invalid("metadata: Extra inputs are not permitted")
    if body.get("service_tier", "auto") not in ("auto", "standard_only"):
        raise invalid("service_tier: Input should be 'auto' or 'standard_only'")


def _output(body: Body) -> None:
    config = body.get("output_config", {})
    if not isinstance(config, dict) or config.keys() - {"effort", "format"}:
        raise invalid("output_config: Extra inputs are not permitted")
    wanted = config.get("format")
    if wanted is not None:
        if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
            raise invalid("output_config.format: Input tag does not match any of: 'json_schema'")
        _enforced(wanted.get("schema"), "output_config.format.schema")


def _enforced(schema: object, place: str) -> None:
    """Accept the subset of JSON Schema that the model's output can be held to."""
    if not isinstance(schema, dict):
        raise invalid(f"{place}: Input should be a valid dictionary")
    if extra := schema.keys() - _SCHEMA_KEYWORDS:
        raise invalid(f"{place}: For '{schema.get('type')}' type, property '{min(extra)}' is not supported")
    if not schema.keys() & {"type", "anyOf", "allOf", "enum", "const", "$ref"}:
        raise invalid(f"{place}: Schema type is missing")
    if "object" in schema.get("type", "") and schema.get("additionalProperties") is not False:
        raise invalid(f"{place}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    if schema.get("minItems", 0) not in (0, 1):
        raise invalid(f"{place}: For 'array' type, 'minItems' values other than 0 or 1 are not supported")
    for name in ("properties", "$defs", "definitions"):
        for key, within in schema.get(name, {}).items():
            _enforced(within, f"{place}.{name}.{key}")
    for within in (
        *schema.get("anyOf", ()),
        *schema.get("allOf", ()),
        *[schema[x] for x in ("items",) if x in schema],
    ):
        _enforced(within, place)


def _tools(body: Body) -> None:
    names = []
    for number, tool in enumerate(_list(body, "tools")):
        place = f"tools.{number}"
        if not isinstance(tool, dict) or tool.get("type", "custom") != "custom":
            raise invalid(f"{place}: Input tag does not match any of the expected tags")
        if extra := tool.keys() - {"type", "name", "description", "input_schema", "cache_control", "strict"}:
            raise invalid(f"{place}.custom.{min(extra)}: Extra inputs are not permitted")
        if not isinstance(tool.get("name"), str) or not _TOOL_NAME.match(tool["name"]):
            raise invalid(f"{place}.custom.name: String should match pattern '{_TOOL_NAME.pattern}'")
        schema = tool.get("input_schema")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            raise invalid(f"{place}.custom.input_schema.type: Input should be 'object'")
        if tool.get("strict"):
            _enforced(schema, f"{place}.custom.input_schema")
        names.append(tool["name"])
    if len(set(names)) < len(names):
        raise invalid("tools: Tool names must be unique.")
    choice = body.get("tool_choice")
    if choice is None:
        return
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind not in ("auto", "any", "tool", "none"):
        raise invalid("tool_choice: Input tag does not match any of: 'auto', 'any', 'tool', 'none'")
    known = {
        "type",
        *({"name"} if kind == "tool" else ()),
        *({"disable_parallel_tool_use"} if kind != "none" else ()),
    }
    if extra := choice.keys() - known:
        raise invalid(f"tool_choice.{kind}.{min(extra)}: Extra inputs are not permitted")
    if not names and kind != "none":
        raise invalid("tool_choice may only be specified while providing tools.")
    if kind == "tool" and choice.get("name") not in names:
        raise invalid(f"Tool '{choice.get('name')}' not found in provided tools")


def _thinking(body: Body) -> None:
    thinking = body.get("thinking", {"type": "disabled"})
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind not in ("enabled", "disabled", "adaptive"):
        raise invalid("thinking: Input tag does not match any of: 'adaptive', 'disabled', 'enabled'")
    if kind == "disabled":
        return
    if kind == "enabled":
        _whole(thinking, "budget_tokens", LEAST_BUDGET, "thinking.enabled.budget_tokens")
        if thinking["budget_tokens"] >= body.get("max_tokens", 1 << 60):
            raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if body.get("temperature", 1) != 1 or "top_k" in body or body.get("top_p", 1) < 0.95:
        raise invalid("`temperature` may only be set to 1 when thinking is enabled; `top_k` must be unset")
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        raise invalid("Thinking may not be enabled when tool_choice forces tool use.")
    last = body.get("messages") or [{}]
    if kind == "enabled" and _is_results(last[-1]) and len(last) > 1:
        begun = blocks_of(last[-2].get("content"))
        if not begun or begun[0].get("type") not in ("thinking", "redacted_thinking"):
            raise invalid(
                f"messages.{len(last) - 2}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
                f"`{begun[0].get('type') if begun else 'nothing'}`."
            )


def _is_results(turn: object) -> bool:
    content = turn.get("content") if isinstance(turn, dict) else None
    return any(block.get("type") == "tool_result" for block in blocks_of(content))


def _system(body: Body) -> None:
    system = body.get("system", "")
    if isinstance(system, str):
        return
    if not isinstance(system, list):
        raise invalid("system: Input should be a valid string or list")
    for number, block in enumerate(system):
        _block(block, f"system.{number}", {"text"})


def _messages(body: Body) -> None:
    turns = body.get("messages")
    if not isinstance(turns, list):
        raise invalid(
            "messages: Field required" if turns is None else "messages: Input should be a valid list"
        )
    if not turns:
        raise invalid("messages: at least one message is required")
    open_calls: list[str] = []
    for number, turn in enumerate(turns):
        place = f"messages.{number}"
        if not isinstance(turn, dict) or turn.get("role") not in _OF_ROLE:
            role = turn.get("role") if isinstance(turn, dict) else None
            raise invalid(
                f'{place}: Unexpected role "{role}". Allowed roles are "user", "assistant" or "system".'
            )
        if extra := turn.keys() - {"role", "content"}:
            raise invalid(f"{place}.{min(extra)}: Extra inputs are not permitted")
        blocks = _content(turn, place, last=number == len(turns) - 1)
        open_calls = _answered(turn["role"], blocks, place, open_calls)
    if open_calls:
        raise invalid(f"messages.{len(turns) - 1}: `tool_use` ids were found without `tool_result` blocks")


def _content(turn: Block, place: str, *, last: bool) -> list[Block]:
    content = turn.get("content")
    if not isinstance(content, str | list):
        raise invalid(f"{place}.content: Field required")
    prefill = last and turn["role"] == "assistant"
    if not content and not prefill:
        raise invalid(
            f"{place}: all messages must have non-empty content except for the optional final assistant message"
        )
    if isinstance(content, list):
        for number, block in enumerate(content):
            _block(block, f"{place}.content.{number}", _OF_ROLE[turn["role"]])
    blocks = blocks_of(content)
    if prefill and blocks and str(blocks[-1].get("text", "")) != str(blocks[-1].get("text", "")).rstrip():
        raise invalid(f"{place}: final assistant content cannot end with trailing whitespace")
    return blocks


def _answered(role: str, blocks: list[Block], place: str, open_calls: list[str]) -> list[str]:
    """The calls that this message leaves open; each one of the message before it needs its result here."""
    if role == "system":
        return open_calls
    results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    for result in results:
        if result not in open_calls:
            raise invalid(
                f"{place}.content: unexpected `tool_use_id` found in `tool_result` blocks: {result}. Each "
                "`tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
    if missing := [call for call in open_calls if call not in results]:
        raise invalid(
            f"{place}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(missing)}"
        )
    if len(set(results)) < len(results):
        raise invalid(f"{place}.content: each tool_use must have a single result")
    calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
    if len(set(calls)) < len(calls):
        raise invalid(f"{place}: `tool_use` ids must be unique")
    return calls


def _block(block: object, place: str, allowed: set[str]) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(block, dict) or kind not in allowed:
        raise invalid(
            f"{place}: Input tag '{kind}' does not match any of the expected tags: {sorted(allowed)}"
        )
    if extra := block.keys() - _BLOCK_FIELDS[str(kind)] - {"type", "cache_control"}:
        raise invalid(f"{place}.{kind}.{min(extra)}: Extra inputs are not permitted")
    match kind:
        case "text":
            text = block.get("text")
            if not isinstance(text, str) or not text:
                raise invalid(f"{place}: text content blocks must be non-empty")
            if not text.strip():
                raise invalid(f"{place}: text content blocks must contain non-whitespace text")
        case "image" | "document":
            _source(block.get("source"), f"{place}.{kind}.source", image=kind == "image")
        case "thinking":
            if block.get("signature") != signature_of(str(block.get("thinking"))):
                raise invalid(f"{place}: Invalid `signature` in `thinking` block")
        case "redacted_thinking":
            if len(str(block.get("data"))) != len(sealed("")):
                raise invalid(f"{place}: Invalid `data` in `redacted_thinking` block")
        case "tool_use":
            if not isinstance(block.get("id"), str) or not _TOOL_ID.match(block["id"]):
                raise invalid(f"{place}.tool_use.id: String should match pattern '{_TOOL_ID.pattern}'")
            if not isinstance(block.get("input"), dict) or not isinstance(block.get("name"), str):
                raise invalid(f"{place}.tool_use.input: Input should be a valid dictionary")
        case "tool_result":
            if not isinstance(block.get("tool_use_id"), str):
                raise invalid(f"{place}.tool_result.tool_use_id: Field required")
            content = block.get("content")
            for number, part in enumerate(content if isinstance(content, list) else ()):
                inside = {"text", "image", "document", "search_result"}
                _block(part, f"{place}.tool_result.content.{number}", inside)


def _source(source: Any, place: str, *, image: bool) -> None:
    kind = source.get("type") if isinstance(source, dict) else None
    if kind in ("url", "file", "text", "content"):
        return
    if kind != "base64":
        raise invalid(f"{place}: Input tag does not match any of: 'base64', 'url', 'file'")
    if source.get("media_type") not in (IMAGE_TYPES if image else {"application/pdf"}):
        raise invalid(f"{place}.base64.media_type: Input should be one of the media types that are known")
    try:
        data = base64.b64decode(str(source.get("data")), validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"{place}.base64: invalid base64 data") from None
    if not data:
        raise invalid(f"{place}.base64: {'image' if image else 'document'} cannot be empty")


def _whole(body: Body, name: str, least: int, path: str = "") -> None:
    value = body.get(name)
    if value is None:
        raise invalid(f"{path or name}: Field required")
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(f"{path or name}: Input should be a valid integer")
    if value < least:
        raise invalid(f"{path or name}: Input should be greater than or equal to {least}")


def _list(body: Body, name: str) -> list[Any]:
    value = body.get(name, [])
    if not isinstance(value, list):
        raise invalid(f"{name}: Input should be a valid list")
    return value
