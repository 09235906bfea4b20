"""Turns the result of an MCP tool into the text that a model reads.

Pure. Law: nothing of a result is left out without a word: what is no text is named with its type and size, and an
image with what a model sees on it, or why none looked. Characters that show nothing are no text.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from clawgate.agents.tools.external_content import without_unprintable
from clawgate.plugins.api import ToolResult

_MAX_TEXT = 1_000_000
"""Characters of all texts. What the model reads of them is cut at a tenth of that."""
_BASE64_BYTES = 3 / 4
"""Of a character."""


MAX_IMAGES = 2
"""Of one result that a model looks at."""

Look = Callable[[bytes, str, str], Awaitable[str]]
"""Returns what a model sees on an image, by a prompt, for an agent. Raises `ToolFailed`."""


def images(result: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield the first images of a result: the place of the block, and the image in base64."""
    found = ((place, _image(block)) for place, block in enumerate(_blocks(result)))
    yield from islice(((place, image) for place, image in found if image), MAX_IMAGES)


def decoded(image: str) -> bytes:
    """Raises ValueError."""
    return binascii.a2b_base64(image, strict_mode=True)


def _image(block: Mapping[str, Any]) -> str:
    """Return the image that a block is, in base64; empty if it is none."""
    if block.get("type") == "image":
        return str(block.get("data") or "")
    resource = block.get("resource")
    if block.get("type") != "resource" or not isinstance(resource, Mapping):
        return ""
    return str(resource.get("blob") or "") if _type_of(resource).lower().startswith("image/") else ""


def _blocks(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = result.get("content")
    return [one for one in content if isinstance(one, Mapping)] if isinstance(content, list) else []


def read_result(result: Mapping[str, Any], seen: Mapping[int, str]) -> ToolResult:
    """Return what a model reads of a `CallToolResult`, as JSON has it; ``seen`` is of its `images`."""
    blocks = _blocks(result)
    texts = [text for place, one in enumerate(blocks) if (text := _block(one, seen.get(place)))]
    structured = result.get("structuredContent")
    if structured is not None and not any(_is_json_of(structured, one) for one in blocks):
        texts.append(json.dumps(structured, ensure_ascii=False))
    text = without_unprintable("\n".join(texts)[:_MAX_TEXT])
    return ToolResult(text or "[the tool returned nothing]", bool(result.get("isError")))


def _block(block: Mapping[str, Any], seen: str | None) -> str:
    kind = block.get("type")
    hint = "it is not shown here" if seen is None else seen
    if kind == "text":
        return str(block.get("text", ""))
    if kind in ("image", "audio"):
        return f"[{kind}: {_type_of(block)}, {_size_of(block.get('data'))}; {hint}]"
    if kind == "resource_link":
        title = block.get("title") or block.get("name") or "resource"
        description = f": {block['description']}" if block.get("description") else ""
        return f"[{title}{description}; {_type_of(block)} at {block.get('uri', '')}]"
    if kind == "resource" and isinstance(resource := block.get("resource"), Mapping):
        where = resource.get("uri", "")
        if isinstance(text := resource.get("text"), str):
            return f"[resource {where}]\n{text}"
        return f"[resource {where}: {_type_of(resource)}, {_size_of(resource.get('blob'))}; {hint}]"
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
