"""The providers that exist without config, and the APIs that any provider may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SUPPORTED_APIS = ("openai-completions", "openai-responses", "anthropic-messages")
"""The values of ``api`` that are supported."""
OPENAI_HOSTS = ("api.openai.com", ".openai.azure.com")
"""The ends of OpenAI's own hosts."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A provider that exists without config."""

    base_url: str
    variable: str
    api: str


BUILT_IN: Mapping[str, BuiltIn] = MappingProxyType(
    {
        "openai": BuiltIn("https://api.openai.com/v1", "OPENAI_API_KEY", "openai-completions"),
        "anthropic": BuiltIn("https://api.anthropic.com", "ANTHROPIC_API_KEY", "anthropic-messages"),
    }
)
