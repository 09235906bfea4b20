"""`clawgate route explain` shows the route of a request, and fails when the request would."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyjson5
import pytest
from click.testing import CliRunner, Result

from clawgate.cli.main import clawgate
from tests.cli.catalogs import CONFIG, config_file, run_models

Explain = Callable[..., Result]


@pytest.fixture
def explain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Explain:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "OPENCLAW_STATE_DIR",
        "OPENCLAW_CONFIG_PATH",
        "OPENCLAW_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    path = config_file(tmp_path)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(clawgate, ["route", "explain", "--config", str(path), *arguments])

    return run


@pytest.mark.parametrize("asked", [(), ("default",), ("fast",)], ids=str)
def test_the_default_with_its_chain(explain: Explain, asked: tuple[str, ...]) -> None:
    found = explain(*asked)
    assert found.exit_code == 0 and "Served by : owl/qwen" in found.output
    for part in (
        "First: owl/qwen",
        "http://127.0.0.1:9/v1/chat/completions",
        "passthrough: ",
        "header X-Proxy-Token (c...n)",
        "loopback; allowed by models.providers.owl.request.allowPrivateNetwork",
        "Fallback 1: far/sonnet",
        "https://far.test/v1/messages",
        "translated: the client speaks chat, the provider anthropic-messages",
        "a host name, checked when it is dialed (public addresses only)",
    ):
        assert part in found.output
    assert "canary" not in found.output


def test_the_default_named_in_full_has_no_fallbacks(explain: Explain) -> None:
    found = explain("owl/qwen")
    assert found.exit_code == 0 and "No fallbacks: if owl/qwen fails, the request fails." in found.output
    assert "far/sonnet" not in found.output


def test_a_named_model_has_no_fallbacks(explain: Explain) -> None:
    found = explain("far/opus")
    assert found.exit_code == 0 and "No fallbacks: if far/opus fails, the request fails." in found.output
    assert "owl" not in found.output


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("lan/x", "set NO_SUCH_KEY"),
        ("hut/x", "set models.providers.hut.request.allowPrivateNetwork to true"),
        ("openai/x", "set OPENAI_API_KEY"),
        ("nope/x", "there is no provider 'nope'"),
        ("bare", "as provider/model"),
        ("openclaw/main", "names an agent, and agents are off"),
    ],
)
def test_what_would_fail_fails_here_with_the_reason(explain: Explain, asked: str, says: str) -> None:
    found, for_programs = explain(asked), explain(asked, "--json")
    assert found.exit_code == 1 and says in found.stderr and "canary" not in found.output
    assert for_programs.exit_code == 1 and "canary" not in for_programs.output
    said = json.loads(for_programs.stdout)
    assert said["ok"] is False and says in said["reason"]


@pytest.mark.parametrize(
    ("asked", "client", "url", "way"),
    [
        ("owl/q", "messages", "http://127.0.0.1:9/v1/chat/completions", "translated"),
        ("owl/q", "responses", "http://127.0.0.1:9/v1/chat/completions", "translated"),
        ("far/s", "responses", "https://far.test/v1/messages", "translated"),
        ("far/s", "messages", "https://far.test/v1/messages", "passthrough"),
        ("far/s", "chat", "https://far.test/v1/messages", "translated"),
    ],
)
def test_the_way_between_two_dialects(explain: Explain, asked: str, client: str, url: str, way: str) -> None:
    found = json.loads(explain(asked, "--client", client, "--json").stdout)
    (link,) = found["chain"]
    assert link["url"] == url and link["way"].startswith(way) and found["servedBy"] == asked


@pytest.mark.parametrize("client", ["chat", "responses"])
@pytest.mark.parametrize("model", ["openai/gpt", "proxy-bridge/gpt"])
def test_openai_and_the_bridge_to_it_speak_both_of_its_dialects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, client: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "openclaw.json"
    block = {"baseUrl": "http://127.0.0.1:18800/v1", "apiKey": "bridge", "api": "openai-completions"}
    path.write_text(
        json.dumps({"models": {"providers": {"openai": {"apiKey": "k-0123456789ab"}, "proxy-bridge": block}}})
    )
    asked = ["route", "explain", "--config", str(path), model, "--client", client, "--json"]
    (link,) = json.loads(CliRunner().invoke(clawgate, asked).stdout)["chain"]
    assert link["way"].startswith("passthrough")
    assert link["url"].endswith({"chat": "/v1/chat/completions", "responses": "/v1/responses"}[client])


def test_a_model_with_its_own_base_url_is_not_served(tmp_path: Path) -> None:
    own = CONFIG.replace(
        '"canary-far-key"', '"canary-far-key", models: [{ id: "s", baseUrl: "https://else.test" }]'
    )
    path = config_file(tmp_path, own)
    found = CliRunner().invoke(clawgate, ["route", "explain", "far/s", "--config", str(path)])
    assert (
        found.exit_code == 1 and "has its own baseUrl" in found.stderr and "Served by : none" in found.stdout
    )
    listed = json.loads(run_models(path, "list", "--json").stdout)["models"]
    assert {row["key"]: row["available"] for row in listed}["far/s"] is False


def test_a_config_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    path = config_file(tmp_path, "{ models: [] }")
    found = CliRunner().invoke(clawgate, ["route", "explain", "--config", str(path)])
    assert found.exit_code == 2 and "models" in found.stderr and found.stdout == ""


def explained(folder: Path, model: str, *, agents: bool, models: bool = True) -> Result:
    """Of a config with two agents."""
    path = config_file(folder)
    config = pyjson5.decode(path.read_text())
    config["agents"]["entries"] = {"main": {}, "coder": {"model": {"primary": "far/opus"}}}
    config.setdefault("gateway", {})["http"] = {"endpoints": {"chatCompletions": {"enabled": agents}}}
    entries = config.setdefault("plugins", {}).setdefault("entries", {})
    entries.setdefault("clawgate", {}).setdefault("config", {})["directModels"] = models
    path.write_text(json.dumps(config))
    return CliRunner().invoke(clawgate, ["route", "explain", model, "--json", "--config", str(path)])


def test_an_agent_is_served_by_its_model(tmp_path: Path) -> None:
    found = json.loads(explained(tmp_path, "openclaw/coder", agents=True).stdout)
    assert found["model"] == "far/opus" and found["why"] == "the model of agent 'coder'"


@pytest.mark.parametrize(
    ("model", "agents", "models", "says"),
    [
        ("openclaw/coder", False, True, "gateway.http.endpoints.chatCompletions.enabled"),
        ("openclaw/nope", True, True, "Unknown agent 'nope'"),
        ("far/opus", True, False, "plugins.entries.clawgate.config.directModels"),
        ("far/opus", False, False, "plugins.entries.clawgate.config.directModels"),
    ],
)
def test_what_is_off_or_unknown_fails_with_what_to_do(
    tmp_path: Path, model: str, agents: bool, models: bool, says: str
) -> None:
    found = explained(tmp_path, model, agents=agents, models=models)
    assert found.exit_code == 1 and says in found.output
