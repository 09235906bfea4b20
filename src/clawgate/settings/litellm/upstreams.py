"""Knows what the prefixes of LiteLLM's model names stand for: an address, an API, the variable of its key. Pure.

Sources: LiteLLM's provider pages, and the vendors' own pages on their OpenAI-compatible addresses, read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Upstream:
    """``suffix`` is the path of the OpenAI-compatible API where LiteLLM's ``api_base`` is without it."""

    base_url: str | None
    variable: str | None
    api: str = "openai-completions"
    suffix: str = ""


_OWN_SERVER = Upstream(None, None)
_OLLAMA = Upstream("http://localhost:11434", None, suffix="/v1")

UPSTREAMS: Mapping[str, Upstream] = MappingProxyType(
    {
        "openai": Upstream("https://api.openai.com/v1", "OPENAI_API_KEY"),
        "text-completion-openai": Upstream("https://api.openai.com/v1", "OPENAI_API_KEY"),
        "anthropic": Upstream("https://api.anthropic.com", "ANTHROPIC_API_KEY", "anthropic-messages"),
        "azure": Upstream(None, "AZURE_API_KEY", suffix="/openai/v1"),
        "cerebras": Upstream("https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
        "custom_openai": _OWN_SERVER,
        "deepinfra": Upstream("https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
        "deepseek": Upstream("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
        "fireworks_ai": Upstream("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
        "gemini": Upstream("https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
        "groq": Upstream("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        "hosted_vllm": _OWN_SERVER,
        "litellm_proxy": _OWN_SERVER,
        "llamafile": Upstream("http://127.0.0.1:8080/v1", None),
        "lm_studio": _OWN_SERVER,
        "mistral": Upstream("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
        "moonshot": Upstream("https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
        "nvidia_nim": Upstream("https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"),
        "ollama": _OLLAMA,
        "ollama_chat": _OLLAMA,
        "openai_like": _OWN_SERVER,
        "openrouter": Upstream("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        "perplexity": Upstream("https://api.perplexity.ai", "PERPLEXITYAI_API_KEY"),
        "together_ai": Upstream("https://api.together.xyz/v1", "TOGETHERAI_API_KEY"),
        "vllm": _OWN_SERVER,
        "xai": Upstream("https://api.x.ai/v1", "XAI_API_KEY"),
        "xinference": _OWN_SERVER,
    }
)

UNSUPPORTED: Mapping[str, str] = MappingProxyType(
    {
        "azure_ai": "its address depends on the deployment",
        "bedrock": "its requests are signed with a key of AWS",
        "bedrock_converse": "its requests are signed with a key of AWS",
        "sagemaker": "its requests are signed with a key of AWS",
        "vertex_ai": "its credentials are tokens of Google that expire",
        "vertex_ai_beta": "its credentials are tokens of Google that expire",
    }
)

_OF_OPENAI = ("gpt-", "chatgpt-", "o1", "o3", "o4", "text-embedding-", "ft:gpt-")


def split_model(model: str, given: object) -> tuple[str | None, str]:
    """Return the prefix and the name at the provider. ``given`` is ``custom_llm_provider``; None where neither says.

    The names of OpenAI and Anthropic need no prefix.
    """
    prefix, _, name = model.partition("/")
    if isinstance(given, str) and given:
        return given, name if prefix == given and name else model
    if name and (prefix in UPSTREAMS or prefix in UNSUPPORTED):
        return prefix, name
    if model.startswith("claude-"):
        return "anthropic", model
    if model.startswith(_OF_OPENAI):
        return "openai", model
    return (prefix, name) if name else (None, model)
