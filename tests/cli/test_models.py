"""`clawgate models` shows and changes the choice of models, and nothing else in the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyjson5
import pytest
from click.testing import CliRunner, Result

from clawgate.cli.main import clawgate
from tests.cli.catalogs import CONFIG, config_file

Run = Callable[..., Result]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "OPENCLAW_STATE_DIR",
        "OPENCLAW_CONFIG_PATH",
        "OPENCLAW_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    return config_file(tmp_path)


@pytest.fixture
def run(path: Path) -> Run:
    def invoke(*arguments: str) -> Result:
        found = CliRunner().invoke(clawgate, ["models", *arguments, "--config", str(path)])
        assert "canary" not in found.output and "Traceback" not in found.output
        return found

    return invoke


def defaults(path: Path) -> dict[str, object]:
    found: dict[str, object] = pyjson5.decode(path.read_text())["agents"]["defaults"]
    return found


def test_status(run: Run) -> None:
    found = run("status")
    assert found.exit_code == 0 and "Default       : owl/qwen" in found.output and "owl" in found.output
    said = json.loads(run("status", "--json").stdout)
    assert said["defaultModel"] == "owl/qwen" and len(said["providers"]) == 6


def test_list(run: Run) -> None:
    assert "owl/qwen" in run("list").output
    assert json.loads(run("list", "--json").stdout)["count"] == 2
    assert json.loads(run("list", "--json", "--provider", "far").stdout)["count"] == 1
    found = run("list", "--provider", "owll")
    assert found.exit_code == 1 and 'Unknown model provider "owll". Did you mean "owl"?' in found.stderr


@pytest.mark.parametrize(
    ("name", "ref"), [("far/opus", "far/opus"), ("smart", "far/sonnet"), ("owl/a/b", "owl/a/b")]
)
def test_set_changes_the_default(run: Run, path: Path, name: str, ref: str) -> None:
    """By full name or alias; the file says it in full, and keeps all else."""
    found = run("set", name)
    backup = path.with_name("openclaw.json.bak")
    assert found.exit_code == 0
    assert found.stdout == f"Updated config: {path}\n  Backup: {backup}\nDefault model: {ref}\n"
    assert path.read_text() == CONFIG.replace('primary: "owl/qwen"', f'primary: "{ref}"')
    assert backup.read_text() == CONFIG


def test_set_what_is_set_changes_nothing(run: Run, path: Path) -> None:
    found = run("set", "owl/qwen")
    assert (found.exit_code, found.stdout) == (0, "No change\nDefault model: owl/qwen\n")
    assert [entry.name for entry in path.parent.iterdir() if "bak" in entry.name] == []


def test_set_for_programs(run: Run, path: Path) -> None:
    said = json.loads(run("set", "far/opus", "--json").stdout)
    assert said["changed"] is True and said["defaultModel"] == "far/opus" and said["backup"].endswith(".bak")


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("owl/nope", 'Warning: Model "owl/nope" is not among the models that the config lists for owl'),
        ("lan/x", "Warning: lan is not ready: its credential is not set: set NO_SUCH_KEY"),
    ],
)
def test_set_warns_of_what_may_not_work(run: Run, path: Path, model: str, says: str) -> None:
    found = run("set", model)
    assert found.exit_code == 0 and says in found.stderr and f'primary: "{model}"' in path.read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("set", "nope/x"), 'Unknown model provider "nope"'),
        (("set", "bare"), "'bare' is not provider/model, nor an alias (fast, smart)"),
        (("aliases", "add", "a/b", "owl/qwen"), "looks like provider/model"),
        (("aliases", "add", "agent:b", "owl/qwen"), "looks like provider/model"),
        (("aliases", "add", "default", "owl/qwen"), "means the default model"),
        (("aliases", "add", "OWL", "owl/qwen"), "is the name of a provider"),
        (("aliases", "add", " x", "owl/qwen"), "without outer blanks"),
        (("aliases", "add", "fast", "far/x"), "means owl/qwen already"),
        (("aliases", "add", "new", "nope/x"), 'Unknown model provider "nope"'),
        (("aliases", "remove", "none"), "there is no alias 'none'; there are: fast, smart"),
        (("fallbacks", "add", "smart"), "in full, as provider/model, e.g. far/sonnet"),
        (("fallbacks", "add", "bare"), "in full, as provider/model: it decides"),
        (("fallbacks", "add", "nope/x"), 'Unknown model provider "nope"'),
        (("fallbacks", "add", "owl/qwen"), "is the default model itself"),
        (("fallbacks", "remove", "owl/x"), "'owl/x' is no fallback; there are: far/sonnet"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_written(
    run: Run, path: Path, arguments: tuple[str, ...], says: str
) -> None:
    found = run(*arguments)
    assert found.exit_code == 1 and says in found.stderr and "Config was not changed" in found.stderr
    assert path.read_text() == CONFIG


def test_aliases(run: Run, path: Path) -> None:
    assert run("aliases", "list").stdout == "Aliases (2):\n- fast -> owl/qwen\n- smart -> far/sonnet\n"
    assert "Alias big -> far/opus" in run("aliases", "add", "big", "far/opus").stdout
    assert json.loads(run("aliases", "list", "--json").stdout)["aliases"]["big"] == "far/opus"
    assert "Alias removed: big" in run("aliases", "remove", "BIG").stdout
    assert set(json.loads(run("aliases", "list", "--json").stdout)["aliases"]) == {"fast", "smart"}


def test_an_alias_that_the_default_stands_on_stays(path: Path, run: Run) -> None:
    path.write_text(CONFIG.replace('primary: "owl/qwen"', 'primary: "fast"'))
    found = run("aliases", "remove", "fast")
    assert found.exit_code == 1 and "set that in full first" in found.stderr


def test_fallbacks(run: Run, path: Path) -> None:
    """Adding one says what it means; none is added unseen."""
    assert run("fallbacks", "list").stdout == "Fallbacks (1):\n- far/sonnet\n"
    found = run("fallbacks", "add", "hut/m")
    assert "Fallbacks (2): far/sonnet, hut/m" in found.stdout
    assert "From now on a request for the default model (owl/qwen)" in found.stdout
    assert "No change" in run("fallbacks", "add", "hut/m").stdout
    assert json.loads(run("fallbacks", "list", "--json").stdout) == {"fallbacks": ["far/sonnet", "hut/m"]}
    assert "Fallbacks (1): hut/m" in run("fallbacks", "remove", "far/sonnet").stdout
    assert json.loads(run("fallbacks", "clear", "--json").stdout)["fallbacks"] == []
    assert run("fallbacks", "list").stdout == "Fallbacks (0):\n- none\n"
    assert defaults(path)["model"] == {"primary": "owl/qwen", "fallbacks": []}


def test_the_first_setting_makes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH", "OPENCLAW_HOME"):
        monkeypatch.delenv(name, raising=False)
    found = CliRunner().invoke(clawgate, ["models", "set", "openai/some-model"])
    made = tmp_path / ".openclaw" / "openclaw.json"
    assert found.exit_code == 0 and defaults(made) == {"model": {"primary": "openai/some-model"}}
    assert made.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("arguments", [("status",), ("list",), ("aliases", "list"), ("fallbacks", "list")])
def test_reading_writes_nothing(run: Run, path: Path, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 0
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
