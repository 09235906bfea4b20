"""The wizard asks three things, tries them before anything is written, and writes what users know."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from clawgate.bundled.proxy_bridge.config import ID
from clawgate.bundled.proxy_bridge.provider import BridgeProvider
from clawgate.plugins.api import (
    Answers,
    BridgeSettings,
    CheckResult,
    MapsErrors,
    PluginError,
    ProviderPlugin,
    TransformsRequests,
)
from clawgate.settings.schema.openclaw import OpenClawConfig
from tests.bundled.proxy_bridge.host import TOKEN, Host, remote
from tests.ports import free_port

PROVIDER = BridgeProvider()
URL = "https://proxy.example.com"
ANSWERS = Answers({"remote_url": URL, "proxy_token": "${PROXY_BRIDGE_TOKEN}", "models": "gpt-4o, o3"})


def written(answers: Answers = ANSWERS) -> dict[str, Any]:
    change = PROVIDER.config_change(answers)
    return {
        "plugins": {"entries": {ID: {"enabled": True, "config": dict(change.plugin_config)}}},
        "models": {"providers": {ID: dict(change.provider)}},
    }


def checked(
    folder: Path, url: str, token: str = TOKEN, block: dict[str, Any] | None = None, **more: str
) -> CheckResult:
    answers = ANSWERS.merged({"remote_url": url, "proxy_token": token, **more})
    host = Host(folder, {"plugins": {"entries": {ID: {"config": block or {}}}}})
    return asyncio.run(PROVIDER.check_connection(answers, host))


def test_it_is_a_provider_that_leaves_requests_as_they_are() -> None:
    provider: object = PROVIDER
    assert isinstance(provider, ProviderPlugin)
    assert not isinstance(provider, TransformsRequests | MapsErrors)


# What is asked


def test_three_things_are_asked_and_no_secret_is_offered() -> None:
    asked = {one.name: (one.kind, one.default, one.variables) for one in PROVIDER.questions(Answers(), {})}
    assert asked == {
        "remote_url": ("url", "", ("PROXY_BRIDGE_URL",)),
        "proxy_token": ("secret", "", ("PROXY_BRIDGE_TOKEN",)),
        "models": ("list", "", ()),
    }


def test_what_was_written_is_offered_the_next_time() -> None:
    answers = ANSWERS.merged({"bridge_port": "4000", "bridge_token": "${PROXY_BRIDGE_LOCAL_TOKEN}"})
    assert PROVIDER.previous_answers(written(answers)) == answers
    asked = {one.name: one.default for one in PROVIDER.questions(answers, {})}
    assert asked == {
        "remote_url": URL, "proxy_token": "", "models": "gpt-4o, o3", "bridge_port": "4000", "bridge_token": "",
    }  # fmt: skip


def test_port_and_token_of_the_bridge_are_asked_for_where_the_environment_has_them() -> None:
    environment = {"PROXY_BRIDGE_PORT": "4000", "PROXY_BRIDGE_LOCAL_TOKEN": "x"}
    assert [one.name for one in PROVIDER.questions(Answers(), environment)][3:] == [
        "bridge_port",
        "bridge_token",
    ]
    assert len(PROVIDER.questions(Answers(), {"PROXY_BRIDGE_PORT": "18800"})) == 3


def test_models_that_were_written_by_hand_are_offered() -> None:
    entries = [{"id": "gpt-4o", "name": "x"}, "o3", 7, {"id": "a b"}]
    assert (
        PROVIDER.previous_answers({"models": {"providers": {ID: {"models": entries}}}})["models"]
        == "gpt-4o, o3"
    )
    config = {"plugins": {"entries": {ID: {"config": {"models": entries}}}}}
    assert PROVIDER.previous_answers(config)["models"] == "gpt-4o, o3"


def test_a_secret_reference_is_kept_as_one() -> None:
    block = {"proxyToken": {"source": "env", "provider": "default", "id": "MY_TOKEN"}}
    found = PROVIDER.previous_answers({"plugins": {"entries": {ID: {"config": block}}}})
    assert found["proxy_token"] == "${MY_TOKEN}"


@pytest.mark.parametrize(
    "config", [{}, {"plugins": []}, {"plugins": {"entries": {ID: {"config": {"bridgePort": True}}}}}]
)
def test_a_file_with_nothing_of_use_is_no_obstacle(config: dict[str, Any]) -> None:
    assert dict(PROVIDER.previous_answers(config)) == {}


def test_a_url_that_is_the_bridge_itself_is_refused_as_it_is_typed() -> None:
    asked = {one.name: one for one in PROVIDER.questions(Answers({"bridge_port": "4000"}), {})}
    assert "bridge itself" in (asked["remote_url"].problem("http://localhost:4000/v1") or "")
    assert asked["remote_url"].problem("http://localhost:18800") is None
    asked = {one.name: one for one in PROVIDER.questions(Answers(), {})}
    assert asked["remote_url"].problem("http://127.0.0.1:18800") and asked["models"].problem("a b")
    assert asked["remote_url"].problem("https://user:secret@proxy.example.com")


# What is tried


def test_a_remote_that_takes_the_token_is_told_with_its_models(tmp_path: Path) -> None:
    with remote() as server:
        found = checked(tmp_path, server.url, bridge_port=str(free_port()))
    assert found.ok and found.models == ("gpt-4o", "gpt-4o-mini")
    assert "does not list o3" in found.message and "does not list gpt" not in found.message


def test_a_wrong_token_an_unreachable_host_and_a_wrong_path_are_told_apart(tmp_path: Path) -> None:
    with remote() as server:
        token = checked(tmp_path, server.url, "another-token-1234")
        path = checked(tmp_path, f"{server.url}/api")
    host = checked(tmp_path, f"http://127.0.0.1:{free_port()}")
    assert [one.ok for one in (token, host, path)] == [False, False, False]
    assert "rejects the proxy token" in token.message and "PROXY_BRIDGE_TOKEN" in token.next_step
    assert "refused" in host.message and "host and port" in host.next_step
    assert host.message.count("http://") == 1
    assert "no /v1/models" in path.message and "path" in path.next_step
    assert "another-token" not in f"{token}"


def test_the_bridge_itself_is_not_even_asked(tmp_path: Path) -> None:
    host = Host(tmp_path, {})
    answers = ANSWERS.merged({"remote_url": "http://localhost:4000", "bridge_port": "4000"})
    found = asyncio.run(PROVIDER.check_connection(answers, host))
    assert not found.ok and "bridge itself" in found.message and not host.requests


def test_a_stranger_on_the_port_of_the_bridge_is_told(tmp_path: Path) -> None:
    with remote() as server, remote((200, b"<html>")) as stranger:
        found = checked(tmp_path, server.url, bridge_port=str(stranger.port))
    assert found.ok and f":{stranger.port} is not a bridge of clawgate" in found.message


def test_a_way_that_only_the_bridge_knows_is_told_where_the_check_fails(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    found = checked(tmp_path, url, block={"upstreamProxy": "http://127.0.0.1:3128"})
    assert not found.ok and "upstreamProxy" in found.next_step


def test_the_models_of_the_remote_can_be_chosen(tmp_path: Path) -> None:
    choices = {one.name: one for one in PROVIDER.questions(Answers(), {})}["models"].choices
    assert choices is not None

    async def chosen(url: str) -> list[str]:
        answers = Answers({"remote_url": url, "proxy_token": TOKEN})
        return [one.value for one in await choices(answers, Host(tmp_path, {}))]

    with remote() as server:
        assert asyncio.run(chosen(server.url)) == ["gpt-4o", "gpt-4o-mini"]
        with pytest.raises(PluginError, match=r"no /v1/models at this URL .*: check the path"):
            asyncio.run(chosen(f"{server.url}/api"))


# What is written


def test_what_is_written_is_what_users_know() -> None:
    assert written() == {
        "plugins": {
            "entries": {
                "proxy-bridge": {
                    "enabled": True,
                    "config": {
                        "remoteUrl": URL,
                        "proxyToken": "${PROXY_BRIDGE_TOKEN}",
                        "models": ["gpt-4o", "o3"],
                    },
                }
            }
        },
        "models": {
            "providers": {
                "proxy-bridge": {
                    "baseUrl": "http://127.0.0.1:18800/v1",
                    "apiKey": "bridge",
                    "api": "openai-completions",
                    "models": [{"id": "gpt-4o", "name": "gpt-4o"}, {"id": "o3", "name": "o3"}],
                }
            }
        },
    }
    assert PROVIDER.config_change(ANSWERS).secrets == (("proxyToken",),)


def test_what_is_written_is_read_by_the_gateway_and_by_the_plugin() -> None:
    config = OpenClawConfig.model_validate(written(ANSWERS.merged({"proxy_token": TOKEN})))
    assert str(config.models.providers[ID].base_url) == "http://127.0.0.1:18800/v1"
    settings = BridgeSettings.model_validate(config.plugins.entries[ID].config)
    assert settings.remote_url == URL and settings.bridge_port == 18800


def test_another_port_stands_in_both_places_and_the_token_of_the_bridge_too() -> None:
    change = PROVIDER.config_change(ANSWERS.merged({"bridge_port": "4000", "bridge_token": "${X}"}))
    assert (change.plugin_config["bridgePort"], change.plugin_config["bridgeToken"]) == (4000, "${X}")
    assert change.provider["baseUrl"] == "http://127.0.0.1:4000/v1" and change.provider["apiKey"] == "${X}"
    assert ("bridgeToken",) in change.secrets


def test_the_first_model_can_become_the_default_and_nothing_stands_in() -> None:
    change = PROVIDER.config_change(ANSWERS)
    assert (change.default_model, change.fallbacks, dict(change.aliases)) == (f"{ID}/gpt-4o", (), {})
    assert PROVIDER.config_change(ANSWERS.merged({"models": ""})).default_model is None


def test_what_it_wrote_is_its_own_and_nothing_else() -> None:
    config = written() | {"gateway": {"port": 1}}
    config["models"]["providers"]["openai"] = {"apiKey": "x"}
    assert list(PROVIDER.owned_paths(config)) == [("plugins", "entries", ID), ("models", "providers", ID)]
    assert list(PROVIDER.owned_paths({})) == []


def test_settings_that_the_user_made_stay() -> None:
    config = written()
    config["plugins"]["entries"][ID]["config"]["maxBodyMb"] = 32
    owned = list(PROVIDER.owned_paths(config))
    assert ("plugins", "entries", ID) not in owned
    assert [path[-1] for path in owned] == ["remoteUrl", "proxyToken", "models", "enabled", ID]
    config["plugins"]["entries"][ID]["enabled"] = False
    assert ("plugins", "entries", ID, "enabled") not in PROVIDER.owned_paths(config)
