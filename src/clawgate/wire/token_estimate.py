"""Estimates the tokens of a Messages or Responses request, for providers that cannot count them.

The rule is public (docs/dialects.md), so it depends on the request alone: 3.5 bytes of UTF-8 are a token, which is
near Anthropic's own count for English text and for code, and names of members count as text does. What a request has
more of never makes it smaller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from clawgate.errors import InvalidRequest
from clawgate.wire.dialect import Dialect
from clawgate.wire.json import strict

_COUNTED: Mapping[Dialect, tuple[str, ...]] = {
    Dialect.MESSAGES: ("system", "messages", "tools", "tool_choice", "output_config", "output_format"),
    Dialect.RESPONSES: ("instructions", "input", "tools", "tool_choice", "text"),
}
_RESULTS = {
    Dialect.MESSAGES: b'{"input_tokens":%d}',
    Dialect.RESPONSES: b'{"object":"response.input_tokens","input_tokens":%d}',
}
_ELSEWHERE = ("previous_response_id", "conversation", "prompt")
"""Members of a Responses request that stand for what is not in it."""
_IMAGE = 5_600
"""1,600 tokens, the most that Anthropic counts for an image (width x height / 750, after its own scaling)."""
_IMAGE_TYPES = ("image", "image_url", "input_image", "computer_screenshot", "image_generation_call")
_FILE_TYPES = ("document", "input_file")
_CONTENTS = ("source", "image_url", "file_data", "file_url", "file_id", "result")
"""Members that an image or a file is in."""
_ENCODED = 10
"""Characters of base64 that count as a byte of text. A page of a PDF has about 50 kB and 1,500 to 3,000 tokens."""
_UNSEEN = ("cache_control", "signature", "encrypted_content", "encrypted_index", "encrypted_stdout")
"""Members that no model is shown."""

_request = msgspec.json.Decoder(dict[str, Any])


def counted(tokens: int, dialect: Dialect) -> bytes:
    """Return the body that reports so many tokens."""
    return _RESULTS[dialect] % tokens


def estimate_tokens(body: bytes, dialect: Dialect = Dialect.MESSAGES) -> int:
    """Return about how many tokens the request ``body`` has. Raises `InvalidRequest`."""
    fields = strict.parse_request(body, _request)
    if dialect is Dialect.RESPONSES:
        _check_is_whole(fields)
    elif not isinstance(fields.get("messages"), list):
        raise InvalidRequest("'messages' must be a list", param="messages")
    try:
        size = sum(_size(fields[name]) for name in _COUNTED[dialect] if fields.get(name) is not None)
    except RecursionError:
        raise InvalidRequest("the request body is nested too deeply") from None
    return max(1, -(-size * 2 // 7))


def _check_is_whole(fields: dict[str, Any]) -> None:
    given = fields.get("input")
    if not isinstance(given, str | list | None):
        raise InvalidRequest("'input' must be a string or a list of items", param="input")
    if given is None and "messages" in fields:
        raise InvalidRequest("'messages' is of another API; send 'input'", param="messages")
    items = given if isinstance(given, list) else ()
    refers = any(isinstance(item, dict) and item.get("type") == "item_reference" for item in items)
    absent = next((name for name in _ELSEWHERE if fields.get(name)), "input" if refers else None)
    if absent is not None:
        raise InvalidRequest(
            f"'{absent}' refers to what is not in the request, and the provider does not count tokens; "
            "send the items themselves",
            param=absent,
        )


def _size(value: object) -> int:
    """Return the bytes that ``value`` counts as."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, list):
        return sum(map(_size, value))
    if not isinstance(value, dict):
        return len(str(value))
    kind = value.get("type")
    contents = [value[name] for name in _CONTENTS if value.get(name) is not None]
    if contents and kind in (*_IMAGE_TYPES, *_FILE_TYPES):
        rest = {name: part for name, part in value.items() if name not in _CONTENTS}
        return (_IMAGE if kind in _IMAGE_TYPES else max(map(_file, contents))) + _size(rest)
    hidden = (*_UNSEEN, "data") if kind == "redacted_thinking" else _UNSEEN
    return sum(len(name) + 2 + _size(part) for name, part in value.items() if name not in hidden)


def _file(contents: object) -> int:
    """Return the bytes that a file counts as."""
    if isinstance(contents, dict):
        if contents.get("type") in ("text", "content"):
            return _size(contents)
        contents = contents.get("data")
    return max(_IMAGE, len(contents) // _ENCODED if isinstance(contents, str) else 0)
