"""`clawgate models aliases`: an alias means one model, and no full name is ever one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.catalogs import CONFIG, alone, config_file, refused_as, run_models


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    alone(tmp_path, monkeypatch)
    return config_file(tmp_path)


def test_aliases(path: Path) -> None:
    assert (
        run_models(path, "aliases", "list").stdout
        == "Aliases (2):\n- fast -> owl/qwen\n- smart -> far/sonnet\n"
    )
    assert "Alias big -> far/opus" in run_models(path, "aliases", "add", "big", "far/opus").stdout
    assert json.loads(run_models(path, "aliases", "list", "--json").stdout)["aliases"]["big"] == "far/opus"
    assert "Alias removed: big" in run_models(path, "aliases", "remove", "BIG").stdout
    assert set(json.loads(run_models(path, "aliases", "list", "--json").stdout)["aliases"]) == {
        "fast",
        "smart",
    }


def test_an_alias_that_is_replaced_is_named(path: Path) -> None:
    """A model has one alias, and whoever used the earlier one has to know that it means nothing any more."""
    found = run_models(path, "aliases", "add", "clever", "far/sonnet")
    assert "Alias clever -> far/sonnet (replaces 'smart')" in found.stdout
    found = run_models(path, "aliases", "add", "bright", "far/sonnet", "--json")
    assert json.loads(found.stdout)["replaced"] == "clever"
    found = run_models(path, "aliases", "add", "bright", "far/sonnet", "--json")
    assert json.loads(found.stdout)["replaced"] is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "a/b", "owl/qwen"), "must not contain '/' or ':'"),
        (("add", "agent:b", "owl/qwen"), "must not contain '/' or ':'"),
        (("add", "default", "owl/qwen"), "stands for the default model"),
        (("add", "OWL", "owl/qwen"), "is the name of a provider"),
        (("add", " x", "owl/qwen"), "without spaces around it"),
        (("add", "fast", "far/x"), "is already the alias of owl/qwen"),
        (("add", "new", "nope/x"), "unknown provider 'nope'"),
        (("remove", "none"), "there is no alias 'none'; there are: fast, smart"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_written(
    path: Path, arguments: tuple[str, ...], says: str
) -> None:
    assert refused_as(run_models(path, "aliases", *arguments), path, says)


def test_an_alias_in_use_as_default_cannot_be_removed(path: Path) -> None:
    path.write_text(CONFIG.replace('primary: "owl/qwen"', 'primary: "fast"'))
    found = run_models(path, "aliases", "remove", "fast")
    assert found.exit_code == 1 and "first run: clawgate models set owl/qwen" in found.stderr
