"""Estimates the tokens of a Messages request, for providers that cannot count them.

The rule is public (docs/dialects.md), so it depends on the request alone: 3.5 bytes of UTF-8 are a token, which is
near Anthropic's own count for English text and for code, and names of members count as text does. What a request has
more of never makes it smaller.
"""

from __future__ import annotations

from typing import Any

import msgspec

from clawgate.errors import InvalidRequest
from clawgate.wire.json import strict

_COUNTED = ("system", "messages", "tools", "tool_choice", "output_config", "output_format")
_IMAGE = 5_600
"""1,600 tokens, the most that Anthropic counts for an image (width x height / 750, after its own scaling)."""
_ENCODED = 10
"""Characters of base64 that count as a byte of text. A page of a PDF has about 50 kB and 1,500 to 3,000 tokens."""
_UNSEEN = ("cache_control", "signature", "encrypted_content", "encrypted_index", "encrypted_stdout")
"""Members that no model is shown."""

_request = msgspec.json.Decoder(dict[str, Any])


def estimate_tokens(body: bytes) -> int:
    """Return about how many tokens the request ``body`` has. Raises `InvalidRequest`."""
    fields = strict.parse_request(body, _request)
    if not isinstance(fields.get("messages"), list):
        raise InvalidRequest("'messages' must be a list", param="messages")
    try:
        size = sum(_size(fields[name]) for name in _COUNTED if fields.get(name) is not None)
    except RecursionError:
        raise InvalidRequest("the request body is nested too deeply") from None
    return max(1, -(-size * 2 // 7))


def _size(value: object) -> int:
    """Return the bytes that ``value`` counts as."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, list):
        return sum(map(_size, value))
    if not isinstance(value, dict):
        return len(str(value))
    source = value.get("source")
    if isinstance(source, dict) and value.get("type") in ("image", "document"):
        rest = {name: part for name, part in value.items() if name != "source"}
        is_text = value["type"] == "document" and source.get("type") in ("text", "content")
        encoded = len(source["data"]) // _ENCODED if isinstance(source.get("data"), str) else 0
        seen = _IMAGE if value["type"] == "image" else _size(source) if is_text else max(_IMAGE, encoded)
        return seen + _size(rest)
    hidden = (*_UNSEEN, "data") if value.get("type") == "redacted_thinking" else _UNSEEN
    return sum(len(name) + 2 + _size(part) for name, part in value.items() if name not in hidden)
