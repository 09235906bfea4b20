"""Commands get what the config makes, or end with what is wrong; a shell that completes gets words or nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.shell_completion import CompletionItem

from clawgate.cli import context as module
from clawgate.cli.context import configured, known_refs, refused, write
from clawgate.policy.model_routing import ModelRef
from tests.cli.catalogs import catalog, config_file

Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH", "OPENCLAW_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_what_the_file_makes(tmp_path: Path) -> None:
    known = configured(str(config_file(tmp_path)))
    assert known.choose("").chain == (ModelRef("owl", "qwen"), ModelRef("far", "sonnet"))
    assert known.meant("smart") == ModelRef("far", "sonnet") and known.meant("a/b") == ModelRef("a", "b")
    assert known.meant("bare") is None


def test_without_a_file_there_are_the_built_ins() -> None:
    assert set(configured(None).catalog.providers) == {"openai", "anthropic"}


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        configured(str(tmp_path / "none.json"))
    assert caught.value.code == 2 and "does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["{", "{ models: 5 }", "{ models: { providers: { owl: { baseUrl: 'canary' } } } }"]
)
def test_a_file_that_cannot_be_used_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        configured(str(config_file(tmp_path, text)))
    said = capsys.readouterr().err
    assert caught.value.code == 2 and "openclaw.json:1" in said and "canary" not in said


def test_a_refusal_says_that_nothing_was_changed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        refused("no such thing.")
    assert caught.value.code == 1
    assert capsys.readouterr().err == "clawgate: no such thing. Config was not changed.\n"


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda text: text.replace("models:", "models: 5, old:"), "models"),
        (lambda text: text.replace('gateway: { mode: "local" },', ""), "gateway.mode"),
        (lambda text: "{", "could not be read"),
    ],
    ids=["a value that cannot be", "what OpenClaw needs", "no JSON5"],
)
def test_a_change_that_would_break_the_file_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], edit: Callable[[str], str], says: str
) -> None:
    path = config_file(tmp_path)
    before = path.read_bytes()
    with pytest.raises(SystemExit):
        write(path, edit)
    assert path.read_bytes() == before
    said = capsys.readouterr().err
    assert says in said and "Config was not changed" in said and "canary" not in said


@pytest.mark.parametrize(
    ("complete", "incomplete", "words"),
    [
        (module.complete_provider, "o", ["openai", "owl"]),
        (module.complete_alias, "", ["fast", "smart"]),
        (module.complete_ref, "o", ["owl/qwen"]),
        (module.complete_model, "f", ["far/sonnet", "fast"]),
        (module.complete_fallback, "", ["far/sonnet"]),
    ],
)
def test_a_shell_completes_from_the_config(
    tmp_path: Path, complete: Completion, incomplete: str, words: list[str]
) -> None:
    context = click.Context(click.Command("x"))
    context.params["config"] = str(config_file(tmp_path))
    found = complete(context, click.Argument(["x"]), incomplete)
    assert [item.value for item in found] == words


@pytest.mark.parametrize("text", ["{", None])
def test_a_shell_that_completes_hears_no_complaints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    context = click.Context(click.Command("x"))
    path = config_file(tmp_path, text) if text is not None else tmp_path / "none.json"
    context.params["config"] = str(path)
    assert module.complete_provider(context, click.Argument(["x"]), "") == []
    assert capsys.readouterr() == ("", "")


def test_every_model_is_known_once() -> None:
    assert list(map(str, known_refs(catalog()))) == ["owl/qwen", "far/sonnet"]
