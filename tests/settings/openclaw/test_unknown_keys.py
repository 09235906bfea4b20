"""A slip for a key that is read is found; a key of OpenClaw's never passes for one."""

from __future__ import annotations

import pytest

from clawgate.settings.openclaw.unknown_keys import unknown_keys

OWN = {
    "": "$schema accessGroups acp approvals attachments auth bindings broadcast browser channels cloudWorkers commands "
    "cron desktop diagnostics discovery env hooks logging messages meta nodeHost proxy secrets security "
    "session skills surfaces talk telemetry transcripts tts ui update wizard worktreeAcceleration worktreeRoot",
    "gateway": "cliAgents nodes portals push reload remote roles tailscale terminal tls tools",
    "gateway.controlUi": "allowExternalEmbedUrls basePath dangerouslyAllowHostHeaderOriginFallback enabled root",
    "gateway.auth": "allowTailscale identityScopes",
    "gateway.http": "securityHeaders",
    "gateway.http.endpoints.responses": "files images maxBodyBytes maxUrlParts",
    "gateway.http.endpoints.chatCompletions.images": "maxRedirects timeoutMs",
    "models": "catalogRefresh",
    "models.providers.p": "agentRuntime injectNumCtxForOpenAICompat localService maxTokens params region",
    "agents": "ownership",
    "agents.defaults": "params utilityModel decisionModel mediaModels voiceModel pdfModel "
    "modelSelectionScope compaction heartbeat sandbox subagents userTimezone",
    "agents.entries.main": "agentDir cwd identity models params runtime sandbox skills subagents tts",
    "agents.entries.main.tools": "codeMode elevated exec fs sandbox",
    "tools": "agentToAgent elevated exec sessions toolSearch",
    "tools.web": "search",
    "tools.web.fetch": "headers provider readability userAgent useTrustedEnvProxy",
    "tools.media": "audio concurrency models video",
    "agents.defaults.models.m": "params agentRuntime pickerRuntimes codeMode streaming",
    "plugins": "load slots",
    "plugins.entries.x": "hooks llm subagent",
    "mcp": "apps sessionIdleTtlMs",
    "mcp.servers.s": "codex supportsParallelToolCalls anything",
}
"""Keys of the schema that OpenClaw 2026.9.6 prints."""


def at(place: str, value: object) -> object:
    for key in reversed(place.split(".") if place else []):
        value = {key: value}
    return value


@pytest.mark.parametrize("place", OWN)
def test_openclaws_own_keys_are_no_slips(place: str) -> None:
    keys = OWN[place].split()
    found = list(unknown_keys(at(place, dict.fromkeys(keys, 1))))
    assert [one.path[-1] for one in found] == keys
    assert {(one.suggestion, one.is_openclaw) for one in found} == {(None, True)}


@pytest.mark.parametrize(
    ("place", "key", "suggestion"),
    [
        ("models.providers.p", "baseURL", "baseUrl"), ("models.providers.p", "base_url", "baseUrl"),
        ("models.providers.p", "apikey", "apiKey"), ("models.providers.p", "api_key", "apiKey"),
        ("models.providers.p", "model", "models"), ("models.providers.p", "header", "headers"),
        ("models.providers.p.request", "allowPrivateNetworks", "allowPrivateNetwork"),
        ("agents.defaults.model", "fallback", "fallbacks"), ("agents.defaults.models.m", "aliass", "alias"),
        ("gateway", "prot", "port"), ("gateway", "ports", "port"), ("gateway.auth", "tokens", "token"),
        ("mcp.servers.s", "comand", "command"), ("mcp.servers.s", "header", "headers"), ("mcp", "server", "servers"),
        ("", "gatway", "gateway"), ("plugins", "entry", None), ("plugins.entries.x", "configs", "config"),
    ],
)  # fmt: skip
def test_a_slip_is_distinguished_from_a_foreign_key(place: str, key: str, suggestion: str | None) -> None:
    (found,) = unknown_keys(at(place, {key: 1}))
    assert (found.suggestion, found.is_beside, found.is_openclaw) == (suggestion, False, False)
    assert found.is_read is (suggestion is not None)


def test_a_slip_for_a_key_of_openclaws_own_is_found_too() -> None:
    """Clawgate does not read the one that is meant, so it can do its work all the same."""
    (found,) = unknown_keys(at("gateway", {"tailscal": 1}))
    assert (found.suggestion, found.is_read, found.is_openclaw) == ("tailscale", False, False)


def test_a_slip_beside_the_real_key_is_known_to_be_beside_it() -> None:
    (found,) = unknown_keys(at("models.providers.p", {"baseUrl": "x", "baseURL": "y"}))
    assert found.path == ("models", "providers", "p", "baseURL") and found.is_beside


def test_elements_of_lists_are_looked_into() -> None:
    (found,) = unknown_keys(at("models.providers.p", {"models": [{"id": "a"}, {"id": "b", "nam": 1}]}))
    assert found.path == ("models", "providers", "p", "models", 1, "nam") and found.suggestion == "name"


@pytest.mark.parametrize("value", [None, 5, "x", [], [[]]])
@pytest.mark.parametrize("place", ["", "gateway", "models.providers", "models.providers.p.models"])
def test_what_is_of_a_wrong_type_is_passed_over(place: str, value: object) -> None:
    assert list(unknown_keys(at(place, value))) == []


def test_settings_of_plugins_are_not_checked_for_slips() -> None:
    assert list(unknown_keys(at("plugins.entries.x.config", {"confg": {"portt": 1}}))) == []


@pytest.mark.parametrize(
    ("key", "value", "may_be_secret"),
    [("novelty", 1, False), ("9f8e7d6c", 1, True), ("correcthorse", "token", True), ("novelty", "x", False)],
)
def test_a_key_that_may_be_a_secret_given_the_wrong_way_round_is_marked(
    key: str, value: object, may_be_secret: bool
) -> None:
    """It is no word, or its value is the name of a key."""
    (found,) = unknown_keys(at("gateway.auth", {key: value}))
    assert found.may_be_secret is may_be_secret
    (elsewhere,) = unknown_keys(at("gateway.http", {key: value}))
    assert not elsewhere.may_be_secret
