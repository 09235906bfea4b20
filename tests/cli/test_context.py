"""Commands get a usable config or end with its problems; a change that would break the file is not written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clawgate.cli.context import load_config, print_written, write_config
from clawgate.policy.model_routing import ModelRef
from clawgate.settings.json5.edit import set_value, unset_value
from tests.cli.catalogs import alone, config_file


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(tmp_path, monkeypatch)


def test_a_loaded_config_resolves_models(tmp_path: Path) -> None:
    loaded = load_config(str(config_file(tmp_path)))
    assert loaded.catalog.resolve("").chain == (ModelRef("owl", "qwen"), ModelRef("far", "sonnet"))
    assert loaded.parse_model("smart") == ModelRef("far", "sonnet")
    assert loaded.parse_model("a/b") == ModelRef("a", "b") and loaded.parse_model("bare") is None


def test_the_catalog_is_built_once(tmp_path: Path) -> None:
    loaded = load_config(str(config_file(tmp_path)))
    assert loaded.catalog is loaded.catalog


def test_without_a_file_there_are_the_built_ins() -> None:
    assert set(load_config(None).catalog.providers) == {"openai", "anthropic"}


def test_a_file_that_is_named_must_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        load_config(str(tmp_path / "none.json"))
    assert caught.value.code == 2 and "does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "{ models: 5 }", "{ gateway: { port: 'canary' } }"])
def test_an_unusable_file_ends_the_command_with_its_problems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        load_config(str(config_file(tmp_path, text)))
    shown = capsys.readouterr().err
    assert caught.value.code == 2 and "openclaw.json:1" in shown and "canary" not in shown


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda text: text.replace("models:", "models: 5, old:"), "models"),
        (lambda text: text.replace('gateway: { mode: "local" },', ""), "gateway.mode"),
        (lambda text: "{", "could not be read"),
        (lambda text: unset_value(text, ("nothing", "there")), "nothing"),
        (lambda text: set_value(text, ("plugins", "entries", "x", "enabled"), "maybe"), "enabled"),
    ],
    ids=[
        "a value that cannot be",
        "what OpenClaw needs",
        "no JSON5",
        "a key that is not set",
        "an invalid value",
    ],
)
def test_a_change_that_would_break_the_file_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], edit: Callable[[str], str], says: str
) -> None:
    path = config_file(tmp_path)
    before = path.read_bytes()
    with pytest.raises(SystemExit):
        write_config(path, edit)
    assert path.read_bytes() == before
    shown = capsys.readouterr().err
    assert says in shown and ("was not changed" in shown or "was changed" in shown) and "canary" not in shown


def test_a_change_is_written_and_printed_with_its_backup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config_file(tmp_path)
    edit = lambda text: set_value(text, ("plugins", "entries", "x", "enabled"), True)  # noqa: E731
    print_written(path, write_config(path, edit))
    assert "// mine" in path.read_text()
    assert capsys.readouterr().out == f"Updated config: {path}\n  Backup: {path}.bak\n"
    print_written(path, write_config(path, edit))
    assert capsys.readouterr().out == ""
