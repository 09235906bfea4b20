"""A shell gets words from the config, or nothing: never a message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.shell_completion import CompletionItem

from clawgate.cli import completers
from clawgate.cli.completers import known_refs
from tests.cli.catalogs import alone, catalog, config_file

Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("complete", "incomplete", "words"),
    [
        (completers.complete_provider, "o", ["openai", "owl"]),
        (completers.complete_alias, "", ["fast", "smart"]),
        (completers.complete_ref, "o", ["owl/qwen"]),
        (completers.complete_model, "f", ["far/sonnet", "fast"]),
        (completers.complete_fallback, "", ["far/sonnet"]),
        (completers.complete_agent, "m", ["main"]),
    ],
)
def test_a_shell_completes_from_the_config(
    tmp_path: Path, complete: Completion, incomplete: str, words: list[str]
) -> None:
    context = click.Context(click.Command("x"))
    context.params["config"] = str(config_file(tmp_path))
    items = complete(context, click.Argument(["x"]), incomplete)
    assert [item.value for item in items] == words


@pytest.mark.parametrize("text", ["{", None])
def test_an_unusable_config_completes_nothing_and_prints_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    context = click.Context(click.Command("x"))
    path = config_file(tmp_path, text) if text is not None else tmp_path / "none.json"
    context.params["config"] = str(path)
    assert completers.complete_provider(context, click.Argument(["x"]), "") == []
    assert capsys.readouterr() == ("", "")


def test_every_model_is_known_once() -> None:
    assert list(map(str, known_refs(catalog()))) == ["owl/qwen", "far/sonnet"]
