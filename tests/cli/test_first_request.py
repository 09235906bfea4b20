"""The first request can be copied: an address that a client reaches, a model that exists, no secret."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from clawgate.cli import first_request as module
from clawgate.cli.first_request import (
    advice_without_model,
    chat_model,
    choose_model,
    choose_model_here,
    credential_expression,
    door_of,
    first_request,
    location_flags,
    next_command,
    requested,
    without_models,
)
from clawgate.cli.paths import Paths
from clawgate.policy.model_routing import ModelRef
from clawgate.providers.catalog import Catalog
from clawgate.providers.provider import Model, Provider
from clawgate.settings.openclaw.config_file import read_config
from clawgate.settings.openclaw.gateway import GatewayFlags, gateway_settings
from clawgate.wire.http.url import Origin
from tests.cli.gateway_home import TOKEN

URL = "http://127.0.0.1:18789"


def words(text: str | None) -> list[str]:
    assert text is not None
    return shlex.split(text)


def test_the_line_is_one_that_a_shell_reads() -> None:
    found = first_request(URL, "it's/a model", "$(clawgate gateway token)")
    assert found.curl is not None and "\n" not in found.curl
    parts = words(found.curl)
    assert parts[:3] == ["curl", "-N", f"{URL}/v1/chat/completions"]
    assert parts[3:7] == [
        "-H", "Authorization: Bearer $(clawgate gateway token)", "-H", "Content-Type: application/json",
    ]  # fmt: skip
    body = json.loads(parts[-1])
    assert (
        body["model"] == "it's/a model" and body["stream"] is True and body["messages"][0]["role"] == "user"
    )
    assert found.to_json() == {"model": "it's/a model", "curl": found.curl} and found.curl in found.lines()


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_does_not_get_the_request(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert "--noproxy" not in words(first_request(URL, "a/m", None).curl)
    monkeypatch.setenv(variable, "http://proxy.example:3128")
    assert words(first_request(URL, "a/m", None).curl)[1:3] == ["--noproxy", "*"]


def test_without_a_credential_none_is_sent() -> None:
    assert "Authorization" not in str(first_request(URL, "a/m", None).curl)


@pytest.mark.parametrize(
    ("url", "reachable"),
    [
        ("http://0.0.0.0:8", "http://127.0.0.1:8"),
        ("http://[::]:8", "http://[::1]:8"),
        ("http://[::1]:8", "http://[::1]:8"),
        ("https://192.0.2.1:8", "https://192.0.2.1:8"),
    ],
)
def test_the_address_is_one_that_a_client_connects_to(url: str, reachable: str) -> None:
    assert words(first_request(url, "a/m", None).curl)[2] == f"{reachable}/v1/chat/completions"


@pytest.mark.parametrize(
    ("given", "why", "command"),
    [
        (
            {"problem": "no key"},
            "No provider is ready, so every request fails.",
            "clawgate models auth login",
        ),
        ({"host": "127.0.0.1"}, "No provider is ready, so every request fails.", "clawgate doctor"),
        (
            {},
            "No model that chats is known yet: the config and the list of a have none.",
            "clawgate models status --probe",
        ),
    ],
)
def test_without_a_model_the_next_command_is_printed(
    given: dict[str, str], why: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "program", lambda **_: "clawgate")
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = Paths(tmp_path / ".openclaw" / "openclaw.json", False, tmp_path / ".openclaw")
    advice = advice_without_model(catalog(provider("a", **given)), paths)
    found = first_request(URL, None, "$(x)", advice)
    assert found.to_json() is None and found.lines()[0].startswith(why)
    assert found.lines()[-1] == f"Next: {command}"


def test_the_next_command_uses_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "program", lambda **_: "clawgate")
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = Paths(tmp_path / "my own.json", True, tmp_path / ".openclaw")
    found = shlex.split(next_command("gateway start", paths))
    assert found == ["clawgate", "gateway", "start", "--config", str(tmp_path / "my own.json")]


@pytest.mark.parametrize(
    ("auth", "flags", "environment", "expression"),
    [
        ({"token": TOKEN}, {}, {}, "$(clawgate gateway token)"),
        ({"token": "${GATE}"}, {}, {"GATE": TOKEN}, "$(clawgate gateway token)"),
        ({"mode": "none"}, {}, {}, None),
        ({}, {"token": TOKEN}, {}, "<the value of --token>"),
        ({}, {}, {"OPENCLAW_GATEWAY_TOKEN": TOKEN}, "$OPENCLAW_GATEWAY_TOKEN"),
        ({"mode": "password"}, {}, {"OPENCLAW_GATEWAY_PASSWORD": TOKEN}, "$OPENCLAW_GATEWAY_PASSWORD"),
    ],
)
def test_the_shell_gets_the_token_from_where_it_is(
    auth: dict[str, str],
    flags: dict[str, Any],
    environment: dict[str, str],
    expression: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "program", lambda: "clawgate")
    monkeypatch.setenv("HOME", str(tmp_path))
    state = tmp_path / ".openclaw"
    state.mkdir()
    path = state / "openclaw.json"
    path.touch(0o600)
    path.write_text(json.dumps({"gateway": {"auth": auth}}))
    file = read_config(path, {"HOME": str(tmp_path), **environment}, required=True)
    found = credential_expression(file, GatewayFlags(**flags), Paths(path, False, state))
    assert found == expression


@pytest.mark.parametrize(
    ("config", "state", "env_file", "flags"),
    [
        (".openclaw/openclaw.json", ".openclaw", None, []),
        ("my own.json", ".openclaw", None, ["--config", "HOME/my own.json"]),
        ("s/openclaw.json", "s", None, ["--state-dir", "HOME/s"]),
        (
            "x.json",
            "s",
            "/e.env",
            ["--state-dir", "HOME/s", "--config", "HOME/x.json", "--env-file", "/e.env"],
        ),
    ],
)
def test_another_shell_uses_the_same_files(
    config: str,
    state: str,
    env_file: str | None,
    flags: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    found = location_flags(Paths(tmp_path / config, False, tmp_path / state), env_file)
    assert shlex.split(" ".join(found)) == [one.replace("HOME", str(tmp_path)) for one in flags]


def provider(name: str, *models: str, problem: str | None = None, host: str | None = None) -> Provider:
    listed = tuple(Model(one, one) for one in models)
    origin = Origin("http", host, 8) if host else None
    return Provider(id=name, api="openai-completions", origin=origin, models=listed, problem=problem)


def catalog(*providers: Provider, primary: str | None = None) -> Catalog:
    ref = ModelRef.parse(primary) if primary else None
    return Catalog({one.id: one for one in providers}, {}, ref, ())


async def no_models(one: Provider) -> Sequence[str]:
    return ()


async def listed(one: Provider) -> Sequence[str]:
    return {"a": ("text-embedding-3", "gpt-4o", "gpt-4o-mini"), "b": ("whisper-1",)}.get(one.id, ())


@pytest.mark.parametrize(
    ("given", "model"),
    [
        (catalog(provider("a", "m"), provider("b", "n"), primary="b/n"), "b/n"),
        (catalog(provider("a", "m", problem="no key"), provider("b", "n"), primary="a/m"), "b/n"),
        (catalog(provider("a", "m", host="127.0.0.1"), provider("b", "n"), primary="a/m"), "b/n"),
        (catalog(provider("a", host="127.0.0.1")), None),
        (catalog(provider("a", "text-embedding-3", "m")), "a/m"),
        (catalog(provider("a"), provider("c", "m")), "c/m"),
        (catalog(provider("b"), provider("a")), "a/gpt-4o-mini"),
        (catalog(provider("b")), None),
        (catalog(provider("a", problem="no key")), None),
        (catalog(), None),
    ],
)
async def test_the_model_is_one_that_can_be_requested(given: Catalog, model: str | None) -> None:
    assert await choose_model(given, listed) == model


async def test_a_provider_whose_models_are_not_known_has_none_to_request() -> None:
    assert await choose_model(catalog(provider("a")), no_models) is None


@pytest.mark.parametrize(
    ("ids", "model"),
    [
        (["gpt-5", "gpt-5-mini"], "gpt-5-mini"),
        (["claude-opus-4-8", "claude-haiku-4-5"], "claude-haiku-4-5"),
        (["gpt-4o-realtime-preview", "gpt-4o-mini-tts", "dall-e-3", "gpt-4o"], "gpt-4o"),
        (["omni-moderation-latest", "babbage-002", "text-embedding-3-small"], None),
        (["gpt-3.5-turbo-instruct"], None),
        (["Qwen/Qwen2.5-1.5B-Instruct"], "Qwen/Qwen2.5-1.5B-Instruct"),
        ([], None),
    ],
)
def test_of_a_list_a_small_model_that_chats_is_taken(ids: list[str], model: str | None) -> None:
    assert chat_model(ids) == model


def test_a_process_that_does_not_serve_chooses_alike() -> None:
    assert choose_model_here(catalog(provider("a", "m"))) == "a/m" and choose_model_here(catalog()) is None


BEHIND: dict[str, Any] = {
    "trustedProxies": ["10.0.0.1"],
    "auth": {"mode": "trusted-proxy", "trustedProxy": {"userHeader": "x-user"}},
}
AGENTS = {"http": {"endpoints": {"chatCompletions": {"enabled": True}}}}
RESPONSES = {"http": {"endpoints": {"responses": {"enabled": True}}}}


@pytest.mark.parametrize(
    ("gateway", "models", "model", "advice"),
    [
        ({}, None, "a model", ""),
        ({"bind": "lan"}, None, None, "directModels"),
        ({"bind": "lan"}, True, "a model", ""),
        ({"bind": "lan", **AGENTS}, None, "openclaw", ""),
        (AGENTS, False, "openclaw", ""),
        ({}, False, None, "directModels"),
        (BEHIND, None, None, "the reverse proxy names the caller"),
        (BEHIND | {"auth": {**BEHIND["auth"], "password": TOKEN}}, None, "a model", ""),
    ],
)  # fmt: skip
def test_what_is_requested_is_what_is_served(
    gateway: dict[str, Any], models: bool | None, model: str | None, advice: str, tmp_path: Path
) -> None:
    """A model where models are on, else an agent; or why there is nothing to request from here."""
    path = tmp_path / "openclaw.json"
    path.touch(0o600)
    auth = {} if "auth" in gateway else {"auth": {"token": TOKEN}}
    own = {} if models is None else {"directModels": models}
    plugins = {"entries": {"clawgate": {"config": own}}}
    path.write_text(json.dumps({"gateway": {**auth, **gateway}, "plugins": plugins}))
    file = read_config(path, {"HOME": str(tmp_path)}, required=True)
    found = without_models(gateway_settings(file, GatewayFlags()), file) or ("a model", ())
    assert found[0] == model and len(found[1]) == bool(advice) and advice in "".join(found[1])


@pytest.mark.parametrize(
    ("agents", "primary", "model", "named"),
    [
        (True, "p/m", "p/m", "openclaw"),
        (True, None, "p/m", "p/m"),
        (True, "p/m", None, None),
        (False, "p/m", "p/m", "p/m"),
    ],
)
def test_the_first_request_names_an_agent_where_there_is_one(
    agents: bool, primary: str | None, model: str | None, named: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "openclaw.json"
    path.touch(0o600)
    endpoints = {"chatCompletions": {"enabled": agents}}
    path.write_text(json.dumps({"gateway": {"auth": {"token": TOKEN}, "http": {"endpoints": endpoints}}}))
    file = read_config(path, {"HOME": str(tmp_path)}, required=True)
    ref = ModelRef("p", "m") if primary else None
    catalog = Catalog(providers={}, primary=ref, fallbacks=(), aliases={})
    assert requested(model, gateway_settings(file, GatewayFlags()), catalog) == named


@pytest.mark.parametrize(
    ("gateway", "model", "path"),
    [
        (AGENTS, "openclaw", "/v1/chat/completions"),
        (RESPONSES, "openclaw", "/v1/responses"),
        (RESPONSES, "p/m", "/v1/chat/completions"),
    ],
)
def test_an_agent_is_requested_where_agents_are_on(
    gateway: dict[str, Any], model: str, path: str, tmp_path: Path
) -> None:
    config = tmp_path / "openclaw.json"
    config.touch(0o600)
    config.write_text(json.dumps({"gateway": {"auth": {"token": TOKEN}, **gateway}}))
    file = read_config(config, {"HOME": str(tmp_path)}, required=True)
    door = door_of(model, gateway_settings(file, GatewayFlags()))
    parts = words(first_request(URL, model, None, door=door).curl)
    assert parts[2] == f"{URL}{path}"
    assert ("input" in json.loads(parts[-1])) == (path == "/v1/responses")
