"""Turns the result of an MCP tool into the text that a model reads.

Pure. Law: nothing of a result is left out without a word: what is no text is named with its type and size.
Characters that show nothing are no text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from clawgate.agents.tools.external_content import without_unprintable
from clawgate.plugins.api import ToolResult

_MAX_TEXT = 1_000_000
"""Characters of all texts. What the model reads of them is cut at a tenth of that."""
_BASE64_BYTES = 3 / 4
"""Of a character."""


def read_result(result: Mapping[str, Any]) -> ToolResult:
    """Return what a model reads of a `CallToolResult`, as JSON has it."""
    content = result.get("content")
    blocks = [one for one in content if isinstance(one, Mapping)] if isinstance(content, list) else []
    texts = [text for one in blocks if (text := _block(one))]
    structured = result.get("structuredContent")
    if structured is not None and not any(_is_json_of(structured, one) for one in blocks):
        texts.append(json.dumps(structured, ensure_ascii=False))
    text = without_unprintable("\n".join(texts)[:_MAX_TEXT])
    return ToolResult(text or "[the tool returned nothing]", bool(result.get("isError")))


def _block(block: Mapping[str, Any]) -> str:
    kind = block.get("type")
    if kind == "text":
        return str(block.get("text", ""))
    if kind in ("image", "audio"):
        return f"[{kind}: {_type_of(block)}, {_size_of(block.get('data'))}; it is not shown here]"
    if kind == "resource_link":
        title = block.get("title") or block.get("name") or "resource"
        description = f": {block['description']}" if block.get("description") else ""
        return f"[{title}{description}; {_type_of(block)} at {block.get('uri', '')}]"
    if kind == "resource" and isinstance(resource := block.get("resource"), Mapping):
        where = resource.get("uri", "")
        if isinstance(text := resource.get("text"), str):
            return f"[resource {where}]\n{text}"
        return f"[resource {where}: {_type_of(resource)}, {_size_of(resource.get('blob'))}; it is not shown here]"
    return f"[content of the type {str(kind)[:80]!r}; it is not shown here]"


def _is_json_of(structured: object, block: Mapping[str, Any]) -> bool:
    """Whether a text is the structured content again, as servers send it for older clients."""
    if block.get("type") != "text" or len(str(block.get("text", ""))) > _MAX_TEXT:
        return False
    try:
        return bool(json.loads(str(block.get("text", ""))) == structured)
    except (ValueError, RecursionError):
        return False


def _type_of(block: Mapping[str, Any]) -> str:
    return str(block.get("mimeType") or "unknown type")[:200]


def _size_of(data: object) -> str:
    return f"{int(len(data) * _BASE64_BYTES)} bytes" if isinstance(data, str) else "no data"
