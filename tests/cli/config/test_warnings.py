"""Warnings for a valid file that does not do what it seems to; none for an invalid one, whose problems come first."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawgate.cli.config.warnings import validate_for_plugins, warnings_at
from clawgate.cli.paths import Paths
from clawgate.settings.openclaw.update import BringsProblems
from tests.cli.catalogs import CONFIG, alone, config_file


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(tmp_path, monkeypatch)


GOOD = CONFIG.replace("${NO_SUCH_KEY}", "canary-lan-key")


def at(folder: Path, text: str, *path: str) -> list[str]:
    return warnings_at(Paths(config_file(folder, text), True, folder), path or ("gateway",))


def test_warnings_hold_what_openclaw_rejects_and_models_without_a_provider(tmp_path: Path) -> None:
    assert at(tmp_path, GOOD) == []
    text = GOOD.replace(', name: "Qwen"', "").replace('"far/sonnet"]', '"nope/x"]')
    refused, unserved = at(tmp_path, text)
    assert "models[0].name: is missing" in refused
    assert unserved.startswith("agents.defaults.model.fallbacks[0]: 'nope/x' is ignored")


@pytest.mark.parametrize(
    ("provider", "says"),
    [
        ('api: "openai-completions"', "hut cannot serve: its address is not set"),
        ('baseUrl: "http://169.254.169.254/v1"', "are never dialled"),
        (
            'baseUrl: "https://a.test", api: "ollama"',
            "models.providers.hut.api 'ollama' is not supported",
        ),
        ('baseUrl: "https://a.test", apiKey: "${NO_SUCH_KEY}"', "set NO_SUCH_KEY"),
        (
            'baseUrl: "https://a.test/v1/chat/completions"',
            "clawgate config set models.providers.hut.baseUrl https://a.test/v1",
        ),
        (
            'baseUrl: "https://a.test/v1/messages", api: "anthropic-messages"',
            "clawgate config set models.providers.hut.baseUrl https://a.test/v1",
        ),
        (
            'baseUrl: "https://a.test/x/responses/", api: "openai-responses"',
            "clawgate config set models.providers.hut.baseUrl https://a.test/x",
        ),
    ],
)
def test_a_provider_that_cannot_serve_is_a_warning(tmp_path: Path, provider: str, says: str) -> None:
    """Only one that is written down: a built-in without a key is nobody's mistake."""
    (said,) = at(tmp_path, f"{{models: {{providers: {{hut: {{{provider}}}}}}}}}")
    assert says in said


@pytest.mark.parametrize("path", [("tools", "deny"), ("agents", "entries", "main", "tools", "deny")])
def test_a_change_of_a_list_of_tools_brings_its_warnings(tmp_path: Path, path: tuple[str, ...]) -> None:
    text = "{ tools: { deny: ['web_fech'] } }"
    (said,) = at(tmp_path, text, *path)
    assert "'web_fech' is neither a tool nor a plugin nor a group of tools; did you mean 'web_fetch'?" in said
    assert at(tmp_path, text) == []


def test_a_file_that_cannot_be_used_has_no_warnings(tmp_path: Path) -> None:
    assert at(tmp_path, "{gateway: {port: 'x'}}") == []
    assert warnings_at(Paths(tmp_path / "none", True, tmp_path), ("gateway",)) == []


UNFIT = """{ plugins: { entries: { "anthropic-claude-proxy": { enabled: true,
    config: { port: 4000, command: ["meridian"] } } } }, models: {
  providers: { "anthropic-claude-proxy": { baseUrl: "http://127.0.0.1:3456", api: "anthropic-messages",
    request: { allowPrivateNetwork: true }, models: [] } } } }"""
CONFIG_OF_IT = ("plugins", "entries", "anthropic-claude-proxy", "config", "port")


def test_a_change_that_concerns_a_plugin_brings_its_warnings(tmp_path: Path) -> None:
    """And not of one that turns a plugin on or off: it may be the way out of a plugin that hangs."""
    (said,) = at(tmp_path, UNFIT, *CONFIG_OF_IT)
    assert "leads to 127.0.0.1:3456" in said and "openclaw.json:" not in said
    assert at(tmp_path, UNFIT, "models", "providers", "x") == [said]
    assert at(tmp_path, UNFIT, "plugins", "entries", "anthropic-claude-proxy", "enabled") == []


def test_a_change_that_breaks_a_plugins_settings_is_none(tmp_path: Path) -> None:
    where = Paths(tmp_path / "openclaw.json", True, tmp_path)
    wrong = UNFIT.replace("4000", "'x'")
    with pytest.raises(BringsProblems, match="must be a whole number"):
        validate_for_plugins(wrong, UNFIT, where, CONFIG_OF_IT)
    other = wrong.replace("config: {", "config: { autoStart: false,")
    assert validate_for_plugins(other, wrong, where, CONFIG_OF_IT) == other  # it was wrong before
    assert validate_for_plugins("{", "{", where, CONFIG_OF_IT) == "{"
