"""A suggestion corrects a typo; it never leads to a name that is another thing."""

from __future__ import annotations

import pytest

from clawgate.policy.typos import typo_of

PROVIDERS = ("openai", "anthropic", "anthropic-claude-proxy", "proxy-bridge", "owl", "local", "gpt-4o")
COMMANDS = ("gateway", "models", "plugins", "config", "route", "logs", "doctor", "bridge", "server")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("opnai", "openai"), ("OpenAI", "openai"), ("opneai", "openai"), (" owl", "owl"), ("owll", "owl"),
        ("antropic", "anthropic"), ("anthropic-claud-proxy", "anthropic-claude-proxy"),
        ("anthropicclaudeproxy", "anthropic-claude-proxy"), ("anthropic_claude_proxy", "anthropic-claude-proxy"),
        ("proxybridge", "proxy-bridge"), ("proxy-brigde", "proxy-bridge"), ("lokal", "local"), ("gtp-4o", None),
    ],
)  # fmt: skip
def test_a_typo_is_corrected(name: str, meant: str | None) -> None:
    assert typo_of(name, PROVIDERS) == meant


@pytest.mark.parametrize(
    "name",
    ["openai-eu", "azure-openai", "openai2", "local2", "local-2", "claude-proxy", "anthropic-proxy", "bridge",
     "openai-claude-proxy", "gpt-4", "gpt-5o", "gpt-4.1", "google", "", "-", "x" * 10_000],
)  # fmt: skip
def test_another_name_is_no_typo(name: str) -> None:
    assert typo_of(name, PROVIDERS) is None


def test_a_provider_is_not_corrected_to_another_where_it_is_not_configured() -> None:
    assert typo_of("anthropic", ("openai", "anthropic-claude-proxy")) is None
    assert typo_of("openai", ("openai-eu", "openai2", "open-ai-proxy")) is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("confg", "config"), ("gatway", "gateway"), ("model", "models"), ("plugin", "plugins"), ("log", "logs"),
        ("dcotor", "doctor"), ("serve", "server"), ("bridg", "bridge"), ("rout", "route"), ("frobnicate", None),
    ],
)  # fmt: skip
def test_commands_are_corrected_alike(name: str, meant: str | None) -> None:
    assert typo_of(name, COMMANDS) == meant


def test_the_most_similar_one_counts() -> None:
    assert typo_of("modls", ("modes", "models", "mode")) == "models"
