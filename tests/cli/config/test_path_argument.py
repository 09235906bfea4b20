"""The shell completes paths of the config file, level by level."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from clawgate.cli.config.commands import get
from clawgate.cli.config.path_argument import complete_path


def completed(incomplete: str) -> list[str]:
    context = click.Context(get, info_name="get")
    return [item.value for item in complete_path(context, get.params[0], incomplete)]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENCLAW_CONFIG_PATH", str(tmp_path / "openclaw.json"))
    path = tmp_path / "openclaw.json"
    path.write_text('{gateway: {port: 1, mine: 2}, agents: {defaults: {models: {"a b": {alias: "x"}}}}}')
    return path


def test_keys_of_the_file_and_of_the_models_are_offered(file: Path) -> None:
    """The next level, not the whole tree."""
    found = completed("gateway.")
    assert {"gateway.port", "gateway.mine", "gateway.bind", "gateway.auth"} <= set(found)
    assert "gateway.auth.token" not in found and "gateway" not in found
    assert "gateway.auth.token" in completed("gateway.auth.t")
    assert completed("gateway.po") == ["gateway.port"]


def test_odd_keys_are_offered_in_brackets(file: Path) -> None:
    assert completed("agents.defaults.models[") == ['agents.defaults.models["a b"]']
    assert completed('agents.defaults.models["a b"].') == ['agents.defaults.models["a b"].alias']


@pytest.mark.parametrize("text", ["{a: ", None])
def test_without_a_readable_file_the_models_alone_are_offered(file: Path, text: str | None) -> None:
    """A shell that completes is no place for complaints."""
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    assert "gateway.port" in completed("gateway.p")
