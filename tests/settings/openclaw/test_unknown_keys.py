"""A slip for a key that is read is found; a key of OpenClaw's never passes for one."""

from __future__ import annotations

import pytest

from clawgate.settings.openclaw.unknown_keys import unread_keys

OWN = {
    "": "$schema accessGroups acp approvals attachments auth bindings broadcast browser channels cloudWorkers commands "
    "cron desktop diagnostics discovery env hooks logging mcp memory messages meta nodeHost proxy secrets security "
    "session skills surfaces talk telemetry transcripts tts ui update wizard worktreeAcceleration worktreeRoot",
    "gateway": "allowRealIpFallback cliAgents controlUi nodes portals publicOrigin push reload remote roles tailscale "
    "terminal tls tools",
    "gateway.auth": "allowTailscale identityScopes trustedProxy",
    "gateway.http": "securityHeaders",
    "gateway.http.endpoints": "responses",
    "gateway.http.endpoints.chatCompletions": "images",
    "models": "catalogRefresh",
    "models.providers.p": "agentRuntime injectNumCtxForOpenAICompat localService maxTokens params region",
    "agents": "ownership",
    "agents.defaults": "params utilityModel decisionModel imageModel mediaModels voiceModel pdfModel modelPolicy "
    "workspace modelSelectionScope timeoutSeconds compaction heartbeat sandbox subagents userTimezone",
    "agents.defaults.models.m": "params agentRuntime pickerRuntimes codeMode streaming",
    "plugins": "load slots",
    "plugins.entries.x": "hooks llm subagent",
}
"""Keys of the schema that OpenClaw 2026.9.6 prints."""


def at(place: str, value: object) -> object:
    for key in reversed(place.split(".") if place else []):
        value = {key: value}
    return value


@pytest.mark.parametrize("place", OWN)
def test_openclaws_own_keys_are_no_slips(place: str) -> None:
    keys = OWN[place].split()
    found = list(unread_keys(at(place, dict.fromkeys(keys, 1))))
    assert [it.path[-1] for it in found] == keys
    assert {(it.meant, it.openclaws) for it in found} == {(None, True)}


@pytest.mark.parametrize(
    ("place", "key", "meant"),
    [
        ("models.providers.p", "baseURL", "baseUrl"), ("models.providers.p", "base_url", "baseUrl"),
        ("models.providers.p", "apikey", "apiKey"), ("models.providers.p", "api_key", "apiKey"),
        ("models.providers.p", "model", "models"), ("models.providers.p", "header", "headers"),
        ("models.providers.p.request", "allowPrivateNetworks", "allowPrivateNetwork"),
        ("agents.defaults.model", "fallback", "fallbacks"), ("agents.defaults.models.m", "aliass", "alias"),
        ("gateway", "prot", "port"), ("gateway", "ports", "port"), ("gateway.auth", "tokens", "token"),
        ("", "gatway", "gateway"), ("plugins", "entry", None), ("plugins.entries.x", "configs", "config"),
    ],
)  # fmt: skip
def test_a_slip_is_told_from_a_key_of_somebody_elses(place: str, key: str, meant: str | None) -> None:
    (found,) = unread_keys(at(place, {key: 1}))
    assert (found.meant, found.there, found.openclaws) == (meant, False, False)
    assert found.read is (meant is not None)


def test_a_slip_for_a_key_of_openclaws_own_is_found_too() -> None:
    """Clawgate does not read the one that is meant, so it can do its work all the same."""
    (found,) = unread_keys(at("gateway", {"tailscal": 1}))
    assert (found.meant, found.read, found.openclaws) == ("tailscale", False, False)


def test_a_slip_beside_the_real_key_is_known_to_be_beside_it() -> None:
    (found,) = unread_keys(at("models.providers.p", {"baseUrl": "x", "baseURL": "y"}))
    assert found.path == ("models", "providers", "p", "baseURL") and found.there


def test_elements_of_lists_are_looked_into() -> None:
    (found,) = unread_keys(at("models.providers.p", {"models": [{"id": "a"}, {"id": "b", "nam": 1}]}))
    assert found.path == ("models", "providers", "p", "models", 1, "nam") and found.meant == "name"


@pytest.mark.parametrize("value", [None, 5, "x", [], [[]]])
@pytest.mark.parametrize("place", ["", "gateway", "models.providers", "models.providers.p.models"])
def test_what_is_of_a_wrong_type_is_passed_over(place: str, value: object) -> None:
    assert list(unread_keys(at(place, value))) == []


def test_settings_of_plugins_are_nobodys_here() -> None:
    assert list(unread_keys(at("plugins.entries.x.config", {"confg": {"portt": 1}}))) == []
