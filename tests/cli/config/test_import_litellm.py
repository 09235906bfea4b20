"""`clawgate config import litellm` shows first, writes on request, and never prints a secret."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyjson5
import pytest
from click.testing import CliRunner, Result

from clawgate.cli.config import import_litellm
from clawgate.cli.errors import fail
from clawgate.cli.main import clawgate
from tests.cli.config.config_file import SECRET, TEXT, run
from tests.settings.litellm.yaml_text import SECRET as KEY
from tests.settings.litellm.yaml_text import entry, models

SOURCE = (
    models(
        entry("smart", "model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY, rpm: 9"),
        entry("cheap", f"model: groq/llama, api_key: {KEY}"),
    )
    + f"router_settings: {{fallbacks: [{{smart: [cheap]}}]}}\ngeneral_settings: {{master_key: {KEY}}}\n{KEY}: 1\n"
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "litellm.yaml"
    path.write_text(SOURCE)
    return path


def imported(source: Path, *flags: str) -> Result:
    found = run("import", "litellm", str(source), *flags)
    assert KEY not in found.output and SECRET not in found.output
    return found


def test_it_shows_what_it_would_write_and_what_not_and_writes_nothing(file: Path, source: Path) -> None:
    found = imported(source)
    assert found.exit_code == 0 and file.read_text() == TEXT
    assert re.search(r"^\+.*\bgroq\b", found.stdout, flags=re.MULTILINE)
    for key in (
        "model_list[0].litellm_params.rpm",
        "general_settings.master_key",
        "router_settings.fallbacks",
    ):
        assert f"  - {key} ({source}:" in found.stdout
    assert found.stdout.endswith("Config was not changed. To write it, run the same with --write.\n")


def test_it_writes_on_request_and_the_second_time_changes_nothing(file: Path, source: Path) -> None:
    found = imported(source, "--write", "--default", "smart")
    assert found.exit_code == 0 and f"Updated config: {file}" in found.stdout
    assert Path(f"{file}.bak").read_text() == TEXT and "// mine" in file.read_text()
    config = pyjson5.decode(file.read_text())
    assert config["models"]["providers"]["openai"]["apiKey"] == "${OPENAI_API_KEY}"
    assert config["models"]["providers"]["groq"]["apiKey"] == KEY
    assert (
        config["models"]["providers"]["owl"]
        and config["agents"]["defaults"]["models"]["owl/a"]["alias"] == "fast"
    )
    assert config["agents"]["defaults"]["model"] == {"primary": "openai/gpt-4o", "fallbacks": ["groq/llama"]}
    written = file.read_text()
    assert imported(source, "--write", "--default", "smart").stdout.endswith("No change\n")
    assert file.read_text() == written


def test_what_was_written_is_valid_and_its_routes_are_explained(
    file: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    imported(source, "--write")
    assert run("validate").exit_code == 0
    explained = CliRunner().invoke(clawgate, ["route", "explain", "smart"])
    assert explained.exit_code == 0 and "openai/gpt-4o (alias 'smart')" in explained.stdout


@pytest.mark.parametrize("flags", [(), ("--write",)])
def test_the_json_has_the_same_without_secrets(file: Path, source: Path, flags: tuple[str, ...]) -> None:
    found = json.loads(imported(source, "--json", *flags).stdout)
    assert found["written"] is bool(flags) and found["aliases"] == {
        "smart": "openai/gpt-4o",
        "cheap": "groq/llama",
    }
    assert found["providers"]["groq"]["apiKey"] == "__OPENCLAW_REDACTED__"
    assert len(found["notTakenOver"]) == 4 and all(one["place"] for one in found["notTakenOver"])


@pytest.mark.parametrize(("answer", "written"), [(True, True), (False, False)])
def test_on_a_terminal_it_asks_first(
    file: Path, source: Path, monkeypatch: pytest.MonkeyPatch, answer: bool, written: bool
) -> None:
    asked: list[str] = []

    def require(question: str, *, yes: bool, outcome: str) -> None:
        asked.append(question)
        if not answer:
            fail("aborted", outcome=outcome)

    monkeypatch.setattr(import_litellm, "require_confirmation", require)
    monkeypatch.setattr(import_litellm, "_on_terminal", lambda: True)
    imported(source)
    assert asked == [f"Write this to {file}?"]
    assert (file.read_text() != TEXT) is written


@pytest.mark.parametrize(
    ("text", "flags", "status", "expected"),
    [
        ("model_list: [\n", (), 2, "it is not valid YAML"),
        (
            models(entry("x", "model: bedrock/y")),
            (),
            1,
            "no model of it can be taken over:\n  - model_list[0]",
        ),
        (
            SOURCE,
            ("--default", "gone"),
            1,
            "--default: no model that is taken over has the model_name 'gone'",
        ),
    ],
)
def test_what_cannot_be_taken_over_at_all_ends_the_command(
    file: Path, source: Path, text: str, flags: tuple[str, ...], status: int, expected: str
) -> None:
    source.write_text(text)
    found = imported(source, "--write", *flags)
    assert found.exit_code == status and expected in found.stderr and file.read_text() == TEXT
