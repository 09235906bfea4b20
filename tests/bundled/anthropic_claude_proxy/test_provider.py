"""The wizard asks three things, tries them, and writes what users know; requests leave as the proxy wants them."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from clawgate.bundled.anthropic_claude_proxy.config import DEFAULT_MODELS, ID, ProxyConfig
from clawgate.bundled.anthropic_claude_proxy.provider import ProxyProvider
from clawgate.plugins.api import (
    Answers,
    CheckResult,
    MapsErrors,
    ProviderPlugin,
    RequestRefused,
    Severity,
    TransformsRequests,
    UpstreamRequest,
)
from clawgate.settings.schema.openclaw import OpenClawConfig
from tests.bundled.anthropic_claude_proxy.host import Setup
from tests.bundled.anthropic_claude_proxy.stand_in import StandIn
from tests.ports import free_port

PROVIDER = ProxyProvider()
ANSWERS = Answers({"host": "127.0.0.1", "port": "3456", "models": ", ".join(DEFAULT_MODELS)})


@contextmanager
def proxy(**kinds: Any) -> Iterator[StandIn]:
    with StandIn(**kinds) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


def written(answers: Answers = ANSWERS) -> dict[str, Any]:
    change = PROVIDER.config_change(answers)
    alias, model = next(iter(change.aliases.items()))
    return {
        "plugins": {"entries": {ID: {"enabled": True, "config": dict(change.plugin_config)}}},
        "models": {"providers": {ID: dict(change.provider)}},
        "agents": {"defaults": {"models": {model: {"alias": alias}}}},
    }


def checked(port: int, environment: dict[str, str] | None = None, **settings: Any) -> CheckResult:
    config = {"plugins": {"entries": {ID: {"config": settings}}}}
    answers = ANSWERS.merged({"port": str(port)})
    if environment and "MERIDIAN_API_KEY" in environment:
        answers = answers.merged({"api_key": environment["MERIDIAN_API_KEY"]})
    return asyncio.run(PROVIDER.check_connection(answers, Setup(environment or {}, config)))


def test_it_is_a_provider_that_shapes_and_judges() -> None:
    provider: object = PROVIDER
    assert isinstance(provider, ProviderPlugin)
    assert isinstance(provider, TransformsRequests)
    assert isinstance(provider, MapsErrors)


# What is asked


def test_the_defaults_are_offered_where_nothing_was_said() -> None:
    asked = {one.name: one.default for one in PROVIDER.questions(Answers(), {})}
    assert asked == {"host": "127.0.0.1", "port": "3456", "models": ", ".join(DEFAULT_MODELS), "release": ""}


def test_what_was_written_is_offered_the_next_time() -> None:
    answers = Answers({"host": "localhost", "port": "4000", "models": "claude-a, claude-b"})
    assert PROVIDER.previous_answers(written(answers)) == answers
    asked = {one.name: one.default for one in PROVIDER.questions(answers, {})}
    assert asked == {**answers, "release": ""}


def test_models_that_were_written_by_hand_are_offered() -> None:
    config = {"models": {"providers": {ID: {"models": [{"id": "claude-x"}, "odd"]}}}}
    assert PROVIDER.previous_answers(config)["models"] == "claude-x"


def test_models_that_were_added_to_the_provider_stay() -> None:
    config = written()
    config["models"]["providers"][ID]["models"].append({"id": "claude-new"})
    assert PROVIDER.previous_answers(config)["models"].endswith("claude-haiku-4, claude-new")


def test_a_release_pins_the_package_and_is_offered_the_next_time() -> None:
    answers = ANSWERS.merged({"release": "1.21.1"})
    config = written(answers)
    command = config["plugins"]["entries"][ID]["config"]["command"]
    assert command == ["bunx", "opencode-claude-max-proxy@1.21.1"]
    assert PROVIDER.previous_answers(config) == answers
    (release,) = [one for one in PROVIDER.questions(answers, {}) if one.name == "release"]
    assert release.default == "1.21.1" and release.problem("latest") and not release.problem("2.0.0-rc.1")
    assert release.when is not None and not release.when(ANSWERS.merged({"host": "proxy.test"}))
    own = {"plugins": {"entries": {ID: {"config": {"command": ["claude-max-api", "3456"]}}}}}
    asked = [one.name for one in PROVIDER.questions(PROVIDER.previous_answers(own), {})]
    assert "release" not in asked
    assert "command" not in PROVIDER.config_change(ANSWERS).plugin_config


def test_a_package_that_is_not_pinned_is_a_note_and_no_problem() -> None:
    (found,) = PROVIDER.check_config({}, ProxyConfig())
    assert found.severity is Severity.INFO and "opencode-claude-max-proxy@1.2.3" in found.fix
    pinned = ProxyConfig.model_validate({"command": ["bunx", "opencode-claude-max-proxy@1.21.1"]})
    assert not PROVIDER.check_config({}, pinned)
    assert not PROVIDER.check_config({}, ProxyConfig.model_validate({"autoStart": False}))


def test_the_port_may_be_that_of_a_proxy_that_runs() -> None:
    (port,) = [one for one in PROVIDER.questions(Answers(), {}) if one.name == "port"]
    assert port.may_listen


@pytest.mark.parametrize(
    "config", [{}, {"plugins": []}, {"plugins": {"entries": {ID: {"config": {"port": True}}}}}]
)
def test_a_file_with_nothing_of_use_is_no_obstacle(config: dict[str, Any]) -> None:
    assert dict(PROVIDER.previous_answers(config)) == {} and list(PROVIDER.owned_paths(config)) in (
        [],
        [("plugins", "entries", ID)],
    )


def test_a_key_is_asked_for_only_where_the_proxy_may_have_one() -> None:
    assert [one.name for one in PROVIDER.questions(Answers(), {"MERIDIAN_API_KEY": "k"})][-1] == "api_key"
    assert [one.name for one in PROVIDER.questions(Answers({"api_key": "k"}), {})][-1] == "api_key"


def test_wrong_answers_are_told_as_they_are_typed() -> None:
    asked = {one.name: one for one in PROVIDER.questions(Answers(), {})}
    assert (
        asked["host"].problem("http://x")
        and asked["port"].problem("70000")
        and asked["models"].problem("a b")
    )
    assert not any(asked[name].problem(ANSWERS[name]) for name in ANSWERS)


# What is tried


def test_a_proxy_that_works_is_told_with_its_models() -> None:
    with proxy() as server:
        found = checked(server.port)
    assert found.ok and "1.43.0" in found.message and "claude-opus-4-6" in found.models


def test_a_proxy_that_is_logged_out_is_no_provider_yet() -> None:
    with proxy(health="unhealthy") as server:
        found = checked(server.port)
    assert not found.ok and "claude login" in found.next_step


@pytest.mark.parametrize("kinds", [{"health": "degraded"}, {"kind": "oldest"}])
def test_a_proxy_whose_login_is_not_known_is_taken_with_a_word(kinds: dict[str, str]) -> None:
    with proxy(**kinds) as server:
        found = checked(server.port)
    assert found.ok and "but" in found.message and "claude login" in found.next_step


def test_a_stranger_is_refused() -> None:
    with proxy(health="html") as server:
        found = checked(server.port)
    assert not found.ok and "is not a Claude proxy" in found.message


def test_a_proxy_without_the_messages_api_is_refused_with_the_way_out() -> None:
    with proxy(kind="openai") as server:
        found = checked(server.port)
    assert not found.ok and "openai-completions" in found.next_step


def test_the_key_of_the_proxy_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERIDIAN_API_KEY", "right-key-1234")
    with proxy() as server:
        assert checked(server.port, {"MERIDIAN_API_KEY": "right-key-1234"}).ok
        assert not checked(server.port, {"MERIDIAN_API_KEY": "wrong-key-1234"}).ok
        assert not checked(server.port).ok


def test_a_proxy_that_the_gateway_can_start_need_not_run() -> None:
    assert checked(free_port(), command=[sys.executable]).ok


def test_a_program_that_is_not_there_is_told_before_anything_is_written() -> None:
    found = checked(free_port(), {"PATH": "/nonexistent"})
    assert not found.ok and "bunx" in found.message


def test_a_proxy_that_nobody_starts_has_to_run() -> None:
    found = checked(free_port(), autoStart=False)
    assert not found.ok and "start the proxy" in found.next_step


def test_the_models_of_a_proxy_that_runs_can_be_chosen() -> None:
    question = next(one for one in PROVIDER.questions(Answers(), {}) if one.name == "models")
    assert question.choices is not None
    choices = question.choices

    async def chosen() -> list[str]:
        answers = Answers({"host": "127.0.0.1", "port": str(server.port)})
        return [one.value for one in await choices(answers, Setup())]

    with proxy() as server:
        found = asyncio.run(chosen())
    assert found[:5] == list(DEFAULT_MODELS) and "claude-opus-4-6" in found


# What is written


def test_what_is_written_is_read_by_the_gateway_and_by_the_plugin() -> None:
    config = OpenClawConfig.model_validate(written())
    provider = config.models.providers[ID]
    assert (str(provider.base_url), provider.api) == ("http://127.0.0.1:3456", "anthropic-messages")
    assert provider.request.allow_private_network and provider.api_key is None
    assert [model.id for model in provider.models] == list(DEFAULT_MODELS)
    assert [model.reasoning for model in provider.models] == [False, True, False, True, False]
    assert ProxyConfig.model_validate(config.plugins.entries[ID].config).port == 3456


def test_the_alias_and_the_default_are_the_first_model_and_nothing_stands_in() -> None:
    change = PROVIDER.config_change(ANSWERS)
    assert change.aliases == {"claude-max-proxy": f"{ID}/claude-opus-4.6"}
    assert (change.default_model, change.fallbacks) == (f"{ID}/claude-opus-4.6", ())


def test_a_key_is_written_only_where_there_is_one() -> None:
    change = PROVIDER.config_change(ANSWERS.merged({"api_key": "${MERIDIAN_API_KEY}"}))
    assert change.provider["apiKey"] == "${MERIDIAN_API_KEY}"
    assert "apiKey" not in PROVIDER.config_change(ANSWERS.merged({"api_key": ""})).provider


def test_a_proxy_elsewhere_is_not_started_here() -> None:
    change = PROVIDER.config_change(ANSWERS.merged({"host": "claude-box"}))
    assert ProxyConfig.model_validate(change.plugin_config).auto_start is False


def test_nothing_of_the_built_in_provider_is_written() -> None:
    config = written()
    assert list(config["models"]["providers"]) == [ID]
    assert all(name.startswith(f"{ID}/") for name in config["agents"]["defaults"]["models"])


def test_what_it_wrote_is_its_own_and_nothing_else() -> None:
    config = written() | {"gateway": {"port": 1}}
    config["models"]["providers"]["anthropic"] = {"apiKey": "x"}
    config["agents"]["defaults"]["models"]["anthropic/claude"] = {"alias": "claude-max-proxy"}
    assert list(PROVIDER.owned_paths(config)) == [
        ("plugins", "entries", ID),
        ("models", "providers", ID),
        ("agents", "defaults", "models", f"{ID}/claude-opus-4.6"),
    ]


def test_settings_that_the_user_made_stay() -> None:
    config = written()
    config["plugins"]["entries"][ID]["config"]["command"] = ["npx", "x"]
    config["agents"]["defaults"]["models"][f"{ID}/claude-opus-4.6"]["params"] = {}
    owned = list(PROVIDER.owned_paths(config))
    assert ("plugins", "entries", ID) not in owned and ("plugins", "entries", ID, "config", "port") in owned
    assert ("agents", "defaults", "models", f"{ID}/claude-opus-4.6", "alias") in owned


@pytest.mark.parametrize(("enabled", "goes"), [(True, True), (False, False), (None, False)])
def test_settings_that_stay_start_nothing(enabled: bool | None, goes: bool) -> None:
    """A command of the user's own outlives the login, and the program of it does not; what is off stays off."""
    config = written()
    entry = config["plugins"]["entries"][ID] | {"config": {"command": ["npx", "x"], "port": 1}}
    entry.pop("enabled", None)
    config["plugins"]["entries"][ID] = entry | ({} if enabled is None else {"enabled": enabled})
    assert (("plugins", "entries", ID, "enabled") in PROVIDER.owned_paths(config)) is goes


# What leaves


def test_a_request_leaves_as_the_proxy_has_to_get_it() -> None:
    request = UpstreamRequest(
        model="claude-opus-4-6-thinking", fields={"max_tokens": 8192, "stream": True}, session_id="c1"
    )
    found = PROVIDER.transform_request(request)
    assert found.model == "claude-opus-4-6"
    assert found.fields == {
        "max_tokens": 8192, "stream": True, "thinking": {"type": "enabled", "budget_tokens": 4096},
    }  # fmt: skip
    assert found.headers == {"x-opencode-session": "c1"}


@pytest.mark.parametrize("fields", [{}, {"stream": None}, {"stream": False}])
def test_stream_is_said_also_where_the_client_says_nothing(fields: dict[str, Any]) -> None:
    """Older proxies stream where nothing is said."""
    found = PROVIDER.transform_request(UpstreamRequest(model="claude-haiku-4", fields=fields))
    assert found.fields == {"stream": False} and found.headers == {}


def test_in_openais_dialect_no_user_and_no_thinking_leave() -> None:
    """claude-max-api-proxy takes the user for the id of a session, and fails where it is none."""
    request = UpstreamRequest(
        model="claude-sonnet-4-6-thinking",
        fields={"user": "bob", "stream": True},
        dialect="openai-completions",
    )
    found = PROVIDER.transform_request(request)
    assert found.model == "claude-sonnet-4" and found.fields == {"stream": True}
    assert set(found.ignored) == {"user", "tools"}


def test_in_openais_dialect_a_stream_is_requested_always() -> None:
    """claude-max-api-proxy ends at a failed request that does not stream."""
    request = UpstreamRequest(
        model="claude-sonnet-4", fields={"temperature": 1, "stop": ["x"]}, dialect="openai-completions"
    )
    found = PROVIDER.transform_request(request)
    assert found.fields["stream"] is True and {"temperature", "stop"} <= set(found.ignored)


def test_what_the_proxy_ignores_of_messages_is_said() -> None:
    found = PROVIDER.transform_request(UpstreamRequest(model="claude-haiku-4"))
    assert {"max_tokens", "temperature", "tool_choice", "stop_sequences"} <= set(found.ignored)


def test_a_profile_is_passed_on_only_if_the_config_allows_it() -> None:
    provider = ProxyProvider(lambda: ("work",))

    def chosen(name: str) -> UpstreamRequest:
        return UpstreamRequest(model="claude-haiku-4", client_headers={"x-meridian-profile": name})

    assert provider.transform_request(chosen("work")).headers == {"x-meridian-profile": "work"}
    for name in ("home", "", "work\r\nx: y"):
        with pytest.raises(RequestRefused, match="profiles"):
            provider.transform_request(chosen(name))
    with pytest.raises(RequestRefused):
        PROVIDER.transform_request(chosen("work"))


def test_a_failure_is_judged() -> None:
    body = (
        b'{"error":{"type":"api_error","message":"Claude Code returned an error result: API Error: 404 {}"}}'
    )
    found = PROVIDER.map_error(500, body)
    assert found is not None and found.status == 404
