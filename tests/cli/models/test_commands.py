"""`clawgate models` shows the models and changes the default, and nothing else in the file."""

from __future__ import annotations

import json
from pathlib import Path

import pyjson5
import pytest
from click.testing import CliRunner

from clawgate.cli.main import clawgate
from tests.cli.catalogs import CONFIG, alone, config_file, refused_as, run_models


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    alone(tmp_path, monkeypatch)
    return config_file(tmp_path)


def test_status(path: Path) -> None:
    found = run_models(path, "status")
    assert found.exit_code == 0 and "Default       : owl/qwen" in found.output and "owl" in found.output
    said = json.loads(run_models(path, "status", "--json").stdout)
    assert said["defaultModel"] == "owl/qwen" and len(said["providers"]) == 6


def test_list(path: Path) -> None:
    assert "owl/qwen" in run_models(path, "list").output
    assert json.loads(run_models(path, "list", "--json").stdout)["count"] == 2
    assert json.loads(run_models(path, "list", "--json", "--provider", "far").stdout)["count"] == 1
    found = run_models(path, "list", "--provider", "owll")
    assert found.exit_code == 1 and "unknown provider 'owll'; did you mean 'owl'?" in found.stderr


@pytest.mark.parametrize(
    ("name", "ref"), [("far/opus", "far/opus"), ("smart", "far/sonnet"), ("owl/a/b", "owl/a/b")]
)
def test_set_changes_the_default(path: Path, name: str, ref: str) -> None:
    """By full name or alias; the file says it in full, and keeps all else."""
    found = run_models(path, "set", name)
    backup = path.with_name("openclaw.json.bak")
    assert found.exit_code == 0
    assert found.stdout == f"Updated config: {path}\n  Backup: {backup}\nDefault model: {ref}\n"
    assert path.read_text() == CONFIG.replace('primary: "owl/qwen"', f'primary: "{ref}"')
    assert backup.read_text() == CONFIG


def test_set_what_is_set_changes_nothing(path: Path) -> None:
    found = run_models(path, "set", "owl/qwen")
    assert (found.exit_code, found.stdout) == (0, "No change\nDefault model: owl/qwen\n")
    assert [entry.name for entry in path.parent.iterdir() if "bak" in entry.name] == []


def test_set_for_programs(path: Path) -> None:
    said = json.loads(run_models(path, "set", "far/opus", "--json").stdout)
    assert said["changed"] is True and said["defaultModel"] == "far/opus" and said["backup"].endswith(".bak")


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("owl/nope", "Warning: the config does not list the model owl/nope"),
        ("lan/x", "Warning: requests for lan/x would fail: its credential is not set: set NO_SUCH_KEY"),
    ],
)
def test_set_warns_of_what_may_not_work(path: Path, model: str, says: str) -> None:
    found = run_models(path, "set", model)
    assert found.exit_code == 0 and says in found.stderr and f'primary: "{model}"' in path.read_text()


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("nope/x", "unknown provider 'nope' (known: "),
        ("opnai/x", "unknown provider 'opnai'; did you mean 'openai'? (known: "),
        ("bare", "'bare' is not provider/model and not an alias (fast, smart)"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_written(path: Path, model: str, says: str) -> None:
    assert refused_as(run_models(path, "set", model), path, says)


def test_the_first_setting_makes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(tmp_path, monkeypatch)
    found = CliRunner().invoke(clawgate, ["models", "set", "openai/some-model"])
    made = tmp_path / ".openclaw" / "openclaw.json"
    model = pyjson5.decode(made.read_text())["agents"]["defaults"]["model"]
    assert found.exit_code == 0 and model == {"primary": "openai/some-model"}
    assert made.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("arguments", [("status",), ("list",), ("aliases", "list"), ("fallbacks", "list")])
def test_reading_writes_nothing(path: Path, arguments: tuple[str, ...]) -> None:
    assert run_models(path, *arguments).exit_code == 0
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("group", "verb"), [((), "status"), (("aliases",), "list"), (("fallbacks",), "list")], ids=str
)
@pytest.mark.parametrize("options", [(), ("--json",)], ids=str)
def test_without_a_verb_it_shows_what_it_is_about(
    group: tuple[str, ...], verb: str, options: tuple[str, ...], path: Path
) -> None:
    """As OpenClaw's commands of these names do; options may follow."""
    found, expected = run_models(path, *group, *options), run_models(path, *group, verb, *options)
    assert (found.exit_code, found.stdout) == (0, expected.stdout) and found.stdout


@pytest.mark.parametrize("options", [(), ("--json",)], ids=str)
def test_a_probe_that_fails_is_a_failure_of_the_command(path: Path, options: tuple[str, ...]) -> None:
    path.write_text(
        '{models: {mode: "replace", providers: {near: {baseUrl: "http://127.0.0.1:9/v1", apiKey: "k-1234567890", '
        "api: 'openai-completions', request: {allowPrivateNetwork: true}, models: [{id: 'm', name: 'm'}]}}}}"
    )
    assert run_models(path, "status", *options).exit_code == 0
    found = run_models(path, "status", "--probe", *options)
    assert found.exit_code == 1 and "unreachable" in found.stdout


def test_the_status_of_one_provider_is_a_probe_of_it_alone(path: Path) -> None:
    path.write_text(
        '{models: {providers: {near: {baseUrl: "http://127.0.0.1:9/v1", apiKey: "k-1234567890", '
        "api: 'openai-completions', models: [{id: 'm', name: 'm'}]}}}}"
    )
    found = run_models(path, "status", "--provider", "near")
    assert found.exit_code == 1
    assert "endpoint:  http://127.0.0.1:9/v1" in found.output and "requests:  would fail: " in found.output
    document = json.loads(run_models(path, "status", "--provider", "near", "--json").stdout)
    assert (document["ok"], document["id"], document["probe"]["state"]) == (False, "near", "blocked")


def test_the_status_of_an_unknown_provider_says_how_to_set_it_up(path: Path) -> None:
    found = run_models(path, "status", "--provider", "nope")
    assert found.exit_code == 1 and "models auth login --provider nope" in found.output
