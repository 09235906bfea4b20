"""A change is checked, written once, and printed as text or JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clawgate.cli.context import load_config
from clawgate.cli.models.changes import known_ref, unknown_provider, warn_if_unlisted, write_change
from clawgate.policy.model_routing import ModelRef
from tests.cli.catalogs import CONFIG, alone, config_file


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    alone(tmp_path, monkeypatch)
    return config_file(tmp_path)


@pytest.mark.parametrize(
    ("name", "ref"), [("smart", ModelRef("far", "sonnet")), ("hut/a/b", ModelRef("hut", "a/b"))]
)
def test_a_name_of_a_known_provider_is_taken(path: Path, name: str, ref: ModelRef) -> None:
    assert known_ref(load_config(str(path)), name) == ref


@pytest.mark.parametrize("name", ["bare", "", "nope/x", "owl/", "/qwen"])
def test_any_other_ends_the_command(path: Path, name: str) -> None:
    with pytest.raises(SystemExit) as caught:
        known_ref(load_config(str(path)), name)
    assert caught.value.code == 1


def test_an_unknown_provider_lists_the_known_ones(path: Path) -> None:
    said = unknown_provider(load_config(str(path)), "hutt")
    assert said == (
        "unknown provider 'hutt'; did you mean 'hut'? (known: anthropic, far, hut, lan, openai, owl)"
    )


def test_what_will_not_work_is_warned_of(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = load_config(str(path))
    for ref, warnings in ((ModelRef("owl", "qwen"), 0), (ModelRef("owl", "x"), 1), (ModelRef("lan", "x"), 1)):
        warn_if_unlisted(known, ref)
        assert capsys.readouterr().err.count("Warning: ") == warnings


def test_a_written_change_is_printed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = load_config(str(path))
    write_change(known, lambda text: text + "// more\n", lambda: "Done", {"x": 1}, as_json=False)
    assert capsys.readouterr().out == f"Updated config: {path}\n  Backup: {path}.bak\nDone\n"
    assert path.read_text() == CONFIG + "// more\n"
    write_change(known, lambda text: text, lambda: "Done", {"x": 1}, as_json=False)
    assert capsys.readouterr().out == "No change\nDone\n"
    write_change(known, lambda text: text, lambda: "Done", {"x": 1}, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert said == {"configPath": str(path), "changed": False, "backup": None, "x": 1}
