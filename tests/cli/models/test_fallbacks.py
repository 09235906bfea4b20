"""`clawgate models fallbacks`: a fallback is written in full, and its effect is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pyjson5
import pytest

from tests.cli.catalogs import CONFIG, alone, config_file, refused_as, run_models


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    alone(tmp_path, monkeypatch)
    return config_file(tmp_path)


def test_fallbacks(path: Path) -> None:
    """Adding one says what it means; none is added unseen."""
    assert run_models(path, "fallbacks", "list").stdout == "Fallbacks (1):\n- far/sonnet\n"
    found = run_models(path, "fallbacks", "add", "hut/m")
    assert "Fallbacks (2): far/sonnet, hut/m" in found.stdout
    assert "If a request for the default model (owl/qwen) fails, it may now be sent to" in found.stdout
    assert "No change" in run_models(path, "fallbacks", "add", "hut/m").stdout
    assert json.loads(run_models(path, "fallbacks", "list", "--json").stdout) == {
        "fallbacks": ["far/sonnet", "hut/m"],
        "leftOut": [],
    }
    assert "Fallbacks (1): hut/m" in run_models(path, "fallbacks", "remove", "far/sonnet").stdout
    assert json.loads(run_models(path, "fallbacks", "clear", "--json").stdout)["fallbacks"] == []
    assert run_models(path, "fallbacks", "list").stdout == "Fallbacks (0):\n- none\n"
    assert pyjson5.decode(path.read_text())["agents"]["defaults"]["model"] == {
        "primary": "owl/qwen",
        "fallbacks": [],
    }


def test_an_unusable_fallback_is_marked_and_not_counted(path: Path) -> None:
    """Its provider is not there, so nothing stands in at that place."""
    path.write_text(CONFIG.replace('["far/sonnet"]', '["nope/x", "far/sonnet"]'))
    assert run_models(path, "fallbacks", "list").stdout == (
        "Fallbacks (1):\n- nope/x (left out: there is no provider 'nope')\n- far/sonnet\n"
    )
    found = json.loads(run_models(path, "fallbacks", "list", "--json").stdout)
    assert found == {"fallbacks": ["nope/x", "far/sonnet"], "leftOut": ["nope/x"]}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "smart"), "write a fallback in full (far/sonnet), since it decides"),
        (("add", "bare"), "write a fallback in full, since it decides"),
        (("add", "nope/x"), "unknown provider 'nope'"),
        (("add", "owl/qwen"), "is the default model itself"),
        (("remove", "owl/x"), "'owl/x' is not a fallback; there are: far/sonnet"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_written(
    path: Path, arguments: tuple[str, ...], says: str
) -> None:
    assert refused_as(run_models(path, "fallbacks", *arguments), path, says)
