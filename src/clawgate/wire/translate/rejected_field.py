"""Finds the `compat` key that keeps a field from a server that rejected it, and adds it to the server's error.

Pure. By the words of vLLM, llama.cpp, SGLang, TGI, LM Studio, LiteLLM and of pydantic, on which many servers are built:
an error names the field, and says that it is unknown. An error about a field's value is none of these.
"""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec

from clawgate.wire.json import lenient
from clawgate.wire.json.complexity import is_too_complex
from clawgate.wire.translate.errors import chat_body, parse_error

STATUSES = (400, 422)
"""Of an error about a field."""
_UNKNOWN = re.compile(
    r"unknown|unrecogni[sz]ed|unexpected|unsupported|not (?:\w+ )?supported|does(?:n't| not) support"
    r"|not permitted|forbidden|not allowed|not a valid|no such|additional propert"
    r"|invalid (?:field|parameter|argument|request field|role|value)"
    r"|(?:must|should) be a (?:valid )?string|only supports? (?:text|string)",
    re.IGNORECASE,
)
KEYS = (
    ("max_completion_tokens", "maxTokensField", '"max_tokens"'),
    ("max_tokens", "maxTokensField", '"max_completion_tokens"'),
    ("stream_options", "supportsUsageInStreaming", "false"),
    ("prompt_cache_key", "supportsPromptCacheKey", "false"),
    ("prompt_cache_retention", "supportsLongCacheRetention", "false"),
    ("reasoning_effort", "supportsReasoningEffort", "false"),
    ("temperature", "supportsTemperature", "false"),
    ("store", "supportsStore", "false"),
    ("strict", "supportsStrictMode", "false"),
    ("json_schema", "supportsJsonSchemaResponseFormat", "false"),
    ("response_format", "supportsJsonSchemaResponseFormat", "false"),
    ("tool_choice", "supportsTools", "false"),
    ("tools", "supportsTools", "false"),
    ("developer", "supportsDeveloperRole", "false"),
)  # fmt: skip
"""Fields with the key and its value; the role is named as a field is."""
_STRING_CONTENT = re.compile(r"\bcontent\b.*\bstring\b|\bstring\b.*\bcontent\b", re.IGNORECASE | re.DOTALL)
_LONGEST = 10_000


def compat_key(message: str) -> tuple[str, str] | None:
    """Return the key and the value that would help; None for an error of another kind."""
    message = message[:_LONGEST]
    if not _UNKNOWN.search(message):
        return None
    named = [
        (found.start(), key, value)
        for field, key, value in KEYS
        if (found := re.search(rf"(?<![\w-]){field}(?![\w-])", message))
    ]
    if named:
        return min(named)[1:]  # the one that is named first: the next one is what to use instead
    return ("requiresStringContent", "true") if _STRING_CONTENT.search(message) else None


def with_compat_key(body: bytes, status: int, provider: str) -> bytes:
    """Return an error body whose message ends with the setting that would help; the same where none would."""
    error = parse_error(body, status)
    found = compat_key(error.message)
    if found is None:
        return body
    key, value = found
    hint = (
        f"; if the server does not know this: set compat.{key} to {value} for this model "
        f"in models.providers.{provider}.models"
    )
    document = None if is_too_complex(body) else lenient.decode(body, msgspec.json.Decoder(object))
    inner = document.get("error") if isinstance(document, dict) else None
    if isinstance(inner, dict) and isinstance(inner.get("message"), str):
        inner["message"] += hint
        return msgspec.json.encode(document)
    return chat_body(replace(error, message=error.message + hint), status)
